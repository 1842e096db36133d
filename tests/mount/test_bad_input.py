"""Bad input gets a clear error and loses nothing: what is refused leaves no trace, and what was there before reads back whole."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import struct
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import Shop, objects
from tests.fakes.faults import Fault, Reset, Slow, Stall, Status, Truncate
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_sdist, build_wheel, incompressible, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

GOOD = Shop.GOOD


@pytest.fixture
def shop(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> Shop:
    return Shop(run_wheelfs, store_dir, tmp_path / "shop")


# --- hostile ZIPs ----------------------------------------------------------------------------------------------------


def directory_at(wheel: bytes) -> int:
    return int.from_bytes(wheel[-6:-2], "little")


def patched(wheel: bytes, entry: str, offset: int, value: bytes) -> bytes:
    """Return the wheel with bytes of an entry of its central directory replaced (APPNOTE 4.3.12 gives the offsets)."""
    at = wheel.rindex(b"PK\x01\x02", 0, wheel.rindex(entry.encode()))
    return wheel[: at + offset] + value + wheel[at + offset + len(value) :]


def without_metadata(name: str, version: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}/__init__.py", b"")
    return packed.getvalue()


def hostile() -> dict[str, tuple[bytes, str]]:
    """Return what must be refused, each with a word of the reason."""
    wheel = build_wheel("bad", "1.0", big_bytes=50_000)
    end = len(wheel) - 22
    return {
        "empty": (b"", "empty"),
        "one byte": (b"P", "readable wheel"),
        "text": (b"<html>404</html>" * 100, "end-of-central-directory"),
        "cut after the first byte": (wheel[:1], "readable wheel"),
        "cut in a member": (wheel[:20_000], "end-of-central-directory"),
        "cut in the directory": (wheel[: directory_at(wheel) + 20], "end-of-central-directory"),
        "cut in the end record": (wheel[:-1], "end-of-central-directory"),
        "without its beginning": (wheel[20_000:], "readable wheel"),
        "without METADATA": (without_metadata("bad", "1.0"), "METADATA"),
        "METADATA of another project": (build_wheel("other", "1.0"), "METADATA"),
        "METADATA of another version": (build_wheel("bad", "2.0"), "METADATA says version"),
        "more members than the directory holds": (
            wheel[: end + 8] + struct.pack("<HH", 60_000, 60_000) + wheel[end + 12 :],
            "too small",
        ),
        "a directory beyond the end": (wheel[: end + 16] + struct.pack("<L", 0x7FFFFFFF) + wheel[end + 20 :], "inside the file"),
        "a member beyond the end": (patched(wheel, "dist-info/RECORD", 42, struct.pack("<L", len(wheel) - 5)), "inside the file"),
        "a member larger than the file": (
            patched(wheel, "dist-info/RECORD", 20, struct.pack("<L", 0x7FFFFFFF)),
            "inside the file",
        ),
        "METADATA of a lying size": (patched(wheel, "dist-info/METADATA", 24, struct.pack("<L", 5)), "size and checksum"),
        "METADATA of four GiB": (patched(wheel, "dist-info/METADATA", 24, struct.pack("<L", 0xFFFFFFF0)), "larger than"),
        "METADATA of a lying checksum": (patched(wheel, "dist-info/METADATA", 16, b"\0\0\0\0"), "size and checksum"),
        "METADATA packed by an unknown method": (patched(wheel, "dist-info/METADATA", 10, b"\x63\0"), "method"),
        "zip64 fields that are not there": (patched(wheel, "dist-info/RECORD", 42, b"\xff\xff\xff\xff"), "zip64"),
    }


def test_what_is_no_wheel_is_refused_with_the_reason_and_leaves_no_trace(shop: Shop) -> None:
    builds = {f"bad-1.0-{number}-py3-none-any.whl": what for number, what in enumerate(hostile().values(), 1)}
    kinds = dict(zip(builds, hostile(), strict=True))
    paths = [shop.put(filename, content) for filename, (content, _) in builds.items()]
    code, files = shop.add(*paths)
    assert code == 3
    for filename, (_, reason) in builds.items():
        file = files[filename]
        assert (file["result"], file["error_class"]) == ("refused", "InvalidInput"), kinds[filename]
        assert reason in file["reason"], kinds[filename]
    assert shop.listed() == [GOOD]
    assert shop.stored() == {GOOD: shop.good}


def test_odd_but_readable_zips_read_back_byte_for_byte(shop: Shop) -> None:
    wheel = build_wheel("odd", "1.0", big_bytes=400_000)
    big = wheel.index(b"PK\x03\x04", 1)
    overlapping = patched(wheel, "dist-info/RECORD", 42, struct.pack("<L", big))
    prepended = b"#!/bin/sh\nexit\n" + wheel
    commented = wheel[:-2] + struct.pack("<H", 5) + b"hello"
    lying = patched(wheel, "odd/big.bin", 24, struct.pack("<L", 3))
    zip64 = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as source, zipfile.ZipFile(zip64, "w") as archive:
        for name in source.namelist():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(source.read(name))
    contents = [overlapping, prepended, commented, lying, zip64.getvalue(), build_wheel("odd", "1.0", data_descriptors=True)]
    named = {f"odd-1.0-{number}-py3-none-any.whl": content for number, content in enumerate(contents, 1)}
    code, files = shop.add(*(shop.put(filename, content) for filename, content in named.items()))
    assert code == 0, files
    assert shop.stored() == {GOOD: shop.good, **named}


def test_a_wheel_of_66_000_members_is_taken_and_reads_back(shop: Shop) -> None:
    packed = io.BytesIO(build_wheel("many", "1.0"))
    with zipfile.ZipFile(packed, "a") as archive:
        for number in range(66_000):
            archive.writestr(zipfile.ZipInfo(f"many/{number}"), b"%d" % number)
    filename = wheel_filename("many", "1.0")
    code, files = shop.add(shop.put(filename, packed.getvalue()))
    assert (code, files[filename]["result"]) == (0, "added")
    assert shop.stored() == {GOOD: shop.good, filename: packed.getvalue()}


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_no_wheel_filename_is_refused_with_the_reason(shop: Shop) -> None:
    content = build_wheel("bad", "1.0")
    names = {
        "bad.whl": "number of parts",
        "bad-1.0.whl": "number of parts",
        "bad-one-py3-none-any.whl": "version",
        "b!d-1.0-py3-none-any.whl": "project name",
        "bad-1.0-1-py3-none-any-x-y.whl": "number of parts",
        "bad\n-1.0-py3-none-any.whl": "not safe",
        "bad-1.0-py3-none-any.zip.txt": "neither a wheel nor an sdist",
        "README": "neither a wheel nor an sdist",
        "<b>-1.0.zip": "neither a wheel nor an sdist",
        "bad\n-1.0.tar.gz": "neither a wheel nor an sdist",
    }
    code, files = shop.add(*(shop.put(name, content) for name in names))
    assert code == 3
    for name, reason in names.items():
        assert reason in files[name]["reason"].lower(), files[name]
    assert shop.listed() == [GOOD]


def test_the_longest_names_are_taken_or_refused_but_never_half(shop: Shop) -> None:
    longest = "a" * (255 - len("-1.0-py3-none-any.whl"))
    filename = wheel_filename(longest, "1.0")
    code, files = shop.add(shop.put(filename, build_wheel(longest, "1.0")))
    assert code == (0 if files[filename]["result"] == "added" else 3), files
    assert shop.listed() == sorted([GOOD, *([filename] if code == 0 else [])])
    assert shop.stored()[GOOD] == shop.good


def test_a_name_that_has_other_content_already_is_refused_and_nothing_changes(shop: Shop) -> None:
    before = shop.command("show", GOOD, "--json").stdout
    other = shop.put(GOOD, build_wheel("good", "1.0", big_bytes=800_000))
    done = shop.command("add", str(other))
    assert done.returncode == 4
    assert done.stdout == ""
    assert f"refused {GOOD}" in done.stderr
    assert hashlib.sha256(shop.good).hexdigest()[:12] in done.stderr
    code, files = shop.add(other)
    assert (code, files[GOOD]["error_class"]) == (4, "NameTaken")
    assert shop.command("show", GOOD, "--json").stdout == before
    assert shop.stored() == {GOOD: shop.good}


def test_what_is_refused_for_its_name_takes_no_room(shop: Shop) -> None:
    data = shop.store / "chunks" / "data.mdb"
    before = data.stat().st_size
    code, _ = shop.add(shop.put(GOOD, build_wheel("good", "1.0", big_bytes=6_000_000)))
    assert code == 4
    assert data.stat().st_size == before


def test_a_name_that_was_fetched_is_not_taken_over_by_other_content(
    shop: Shop, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("fetched", "1.0", big_bytes=300_000)
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "fetched" / name
    assert path.read_bytes() == content
    eventually(lambda: name in os.listdir(mount.path))
    code, files = shop.add(shop.put(name, build_wheel("fetched", "1.0", big_bytes=300_001)))
    assert (code, files[name]["error_class"]) == (4, "NameTaken")
    assert "main" in files[name]["reason"]
    assert (mount.path / name).read_bytes() == content
    code, files = shop.add(shop.put(name, content))
    assert code == 0
    private = [line["private"] for line in objects(shop.command("ls", "--json", name))]
    assert private == [True]
    assert os.listdir(mount.path).count(name) == 1


def test_of_two_who_add_other_content_under_one_name_at_once_one_wins(shop: Shop, tmp_path: Path) -> None:
    name = wheel_filename("race", "1.0")
    contents = [build_wheel("race", "1.0", big_bytes=900_000 + number) for number in range(4)]
    results: list[tuple[int, dict[str, dict[str, Any]]]] = []
    threads = []
    for number, content in enumerate(contents):
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        path.write_bytes(content)
        threads.append(threading.Thread(target=lambda path=path: results.append(shop.add(path))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(code for code, _ in results) == [0, 4, 4, 4]
    [winner] = [files[name]["sha256"] for code, files in results if code == 0]
    assert shop.listed().count(name) == 1
    assert hashlib.sha256(shop.stored()[name]).hexdigest() == winner


# --- paths -----------------------------------------------------------------------------------------------------------


def test_the_same_again_is_present_and_changes_nothing(shop: Shop) -> None:
    before = shop.command("show", "good", "--json").stdout
    code, files = shop.add(shop.where / GOOD, shop.where)
    assert (code, files[GOOD]["result"], files[GOOD]["reason"]) == (0, "present", None)
    assert files[GOOD]["sha256"] == hashlib.sha256(shop.good).hexdigest()
    assert shop.command("show", "good", "--json").stdout == before


def test_of_a_directory_the_good_are_taken_and_the_bad_are_refused(shop: Shop) -> None:
    fresh = wheel_filename("fresh", "1.0")
    content = build_wheel("fresh", "1.0")
    shop.put(fresh, content)
    shop.put("bad.whl", content)
    shop.put(wheel_filename("cut", "1.0"), build_wheel("cut", "1.0")[:-30])
    shop.put("notes.txt", b"not looked at")
    code, files = shop.add(shop.where)
    assert code == 1
    assert {name: file["result"] for name, file in files.items()} == {
        GOOD: "present",
        fresh: "added",
        "bad.whl": "refused",
        wheel_filename("cut", "1.0"): "refused",
    }
    assert files[fresh] == {
        "filename": fresh,
        "project": "fresh",
        "version": "1.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "result": "added",
        "reason": None,
        "error_class": None,
        "repacked": False,
        "fetched_bytes": None,
    }
    assert shop.stored() == {GOOD: shop.good, fresh: content}


def test_paths_that_are_no_regular_files_are_refused_without_waiting(shop: Shop, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    fifo = tmp_path / wheel_filename("fifo", "1.0")
    os.mkfifo(fifo)
    listening = tmp_path / wheel_filename("socket", "1.0")
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / wheel_filename("dangling", "1.0")).symlink_to(tmp_path / "nowhere.whl")
    loop = tmp_path / wheel_filename("loop", "1.0")
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.open(tmp_path, os.O_PATH)
        sock.bind(f"/proc/self/fd/{here}/{listening.name}")
        os.close(here)
        missing = tmp_path / wheel_filename("missing", "1.0")
        code, files = shop.add(empty, fifo, listening, directory, loop, missing, timeout_s=20)
    assert code == 3
    reasons = {name: file["reason"] for name, file in files.items()}
    assert "no wheel directly" in reasons["empty"]
    assert "not a regular file" in reasons[fifo.name]
    assert "not a regular file" in reasons[listening.name]
    assert "no such file" in reasons[wheel_filename("dangling", "1.0")].lower()
    assert "symbolic links" in reasons[loop.name]
    assert "no such file" in reasons[missing.name].lower()
    assert shop.listed() == [GOOD]


def test_a_symbolic_link_is_added_under_its_own_name(shop: Shop, tmp_path: Path) -> None:
    content = build_wheel("linked", "1.0")
    (tmp_path / "0a1b2c").write_bytes(content)
    link = tmp_path / wheel_filename("linked", "1.0")
    link.symlink_to(tmp_path / "0a1b2c")
    code, _ = shop.add(link)
    assert code == 0
    assert shop.stored() == {GOOD: shop.good, link.name: content}


def test_sdists_are_taken_and_what_only_has_such_a_name_is_refused(shop: Shop) -> None:
    filename, content = sdist_filename("source", "1.0"), build_sdist("source", "1.0")
    code, files = shop.add(
        shop.put(filename, content), shop.put(sdist_filename("page", "1.0"), b"<html>"), shop.put(sdist_filename("nil", "1"), b"")
    )
    assert code == 1
    assert [files[name]["result"] for name in (filename, sdist_filename("page", "1.0"), sdist_filename("nil", "1"))] == [
        "added",
        "refused",
        "refused",
    ]
    assert shop.stored() == {GOOD: shop.good, filename: content}


# --- URLs ------------------------------------------------------------------------------------------------------------


def test_a_url_is_fetched_and_added(shop: Shop, fake_index: FakeIndex) -> None:
    name, content = fake_index.add_wheel("remote", "1.0", big_bytes=300_000)
    code, files = shop.add(fake_index.file_url(name) + "#sha256=0", fake_index.file_url(name))
    assert (code, files[name]["result"]) == (0, "present")
    assert shop.stored() == {GOOD: shop.good, name: content}


def test_a_url_that_fails_is_an_error_of_its_origin_and_bounded(shop: Shop, fake_index: FakeIndex) -> None:
    failures: list[tuple[Any, str]] = [
        (Status(404), "OriginMissing"),
        (Status(401), "OriginDenied"),
        (Status(500), "OriginFault"),
        (Truncate(after_bytes=1_000), "OriginFault"),
        (Reset(after_bytes=1_000), "OriginFault"),
        (Stall(after_bytes=None), "OriginTimeout"),
        (Stall(after_bytes=1_000), "OriginTimeout"),
        (Slow(bytes_per_second=200), "OriginTimeout"),
    ]
    urls = []
    for number, (action, _) in enumerate(failures):
        name, _ = fake_index.add_wheel("remote", f"1.{number}", big_bytes=300_000)
        fake_index.faults.append(Fault(name, action, times=None))
        urls.append(fake_index.file_url(name).replace("http://", "http://me:hunter2@"))
    bound = {"WHEELFS_OPEN_TIMEOUT_S": "1"}
    done = shop.command("add", "--json", *urls, env=bound, timeout_s=30)
    assert [line["file"]["error_class"] for line in objects(done)] == [expected for _, expected in failures]
    assert "hunter2" not in done.stdout + done.stderr
    alone = shop.command("add", urls[0], env=bound)
    assert alone.returncode == 24
    assert "remote-1.0-py3-none-any.whl" in alone.stderr
    assert "hunter2" not in alone.stdout + alone.stderr
    assert shop.listed() == [GOOD]
    assert list((shop.store / "spool").iterdir()) == []


def test_a_url_whose_name_is_no_files_is_refused_before_anything_is_fetched(shop: Shop, fake_index: FakeIndex) -> None:
    hostile = ("", "page.html", "..%2Fbad-1.0.tar.gz", "bad%00-1.0.tar.gz", "..%2F..%2Fbad-1.0-py3-none-any.whl")
    code, files = shop.add(*(f"{fake_index.origin}/files/{name}" for name in hostile))
    assert (code, len(files)) == (3, len(hostile))
    assert all("neither a wheel nor an sdist" in file["reason"] or "not safe" in file["reason"] for file in files.values())
    assert fake_index.requests == []
    assert shop.listed() == [GOOD]


def test_a_url_is_not_asked_for_while_offline(shop: Shop, fake_index: FakeIndex) -> None:
    name, _ = fake_index.add_wheel("remote", "1.0")
    assert shop.add(fake_index.file_url(name), env={"WHEELFS_OFFLINE": "1"})[0] == 21
    assert fake_index.requests == []


def test_adding_again_needs_no_room_for_what_is_there(shop: Shop) -> None:
    content = build_wheel("again", "1.0", files={"again/data": incompressible(2_000_000)}, compression="stored")
    filename = wheel_filename("again", "1.0")
    path = shop.put(filename, content)
    assert shop.add(path)[0] == 0
    data = shop.store / "chunks" / "data.mdb"
    before = data.stat().st_size
    assert shop.add(path)[1][filename]["result"] == "present"
    assert data.stat().st_size == before


def test_what_installers_take_all_the_same_is_taken_and_shown_as_odd(shop: Shop) -> None:
    """As pip has it: bytes after the end, and a field of METADATA that is there twice."""
    twice = build_wheel("twice", "1.0", metadata_extra="Name: twice\n")
    odd = {wheel_filename("longer", "1.0"): build_wheel("longer", "1.0") + b"\0" * 300, wheel_filename("twice", "1.0"): twice}
    code, files = shop.add(*(shop.put(name, content) for name, content in odd.items()))
    assert (code, {file["result"] for file in files.values()}) == (0, {"added"})
    assert {name: content for name, content in shop.stored().items() if name in odd} == odd
    shown = {name: objects(shop.command("show", "--json", name).succeeded())[0]["odd"] for name in odd}
    assert list(shown.values()) == [["300 bytes follow the end of the ZIP"], ["its METADATA has Name 2 times; the first counts"]]
    assert "300 bytes follow" in shop.command("show", wheel_filename("longer", "1.0")).succeeded().stdout
