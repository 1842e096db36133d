"""Keeping house, beside mounts that are in use: rm, pin, gc, verify, stats, as a person runs them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

ONE, TWO, OTHER = wheel_filename("demo", "1.0"), wheel_filename("demo", "2.0"), wheel_filename("other", "1.0")

ROT = """
import sys
from pathlib import Path
from wheelfs.store.store import Store
with Store.open(Path(sys.argv[1])) as store:
    sha256 = bytes.fromhex(sys.argv[2])
    block = max(store.open_sealed(sha256)._recipe.data.extents, key=lambda extent: extent.length).block
    handle = store.environments[1].database("blocks")
    with store.environments[1].raw.begin(write=True) as transaction:
        value = bytearray(transaction.get(block.to_bytes(8, "big"), db=handle))
        value[500] ^= 1
        transaction.put(block.to_bytes(8, "big"), bytes(value), db=handle)
"""


def rot(store: Path, content: bytes) -> None:
    """Flip a bit of a stored wheel's largest piece, unnoticed by the store."""
    command = [sys.executable, "-c", ROT, str(store), hashlib.sha256(content).hexdigest()]
    subprocess.run(command, check=True, timeout=60)


@pytest.fixture
def wheelfs(run_wheelfs: RunWheelfs, store_dir: Path) -> Callable[..., list[dict[str, Any]]]:
    """Run a command on the store and return what it printed as JSON; ``code`` is what it must exit with."""

    def run(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
        done = run_wheelfs("--json", "--store", str(store_dir), *arguments)
        assert done.returncode == code, done
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def wheels(tmp_path: Path, wheelfs: Callable[..., Any]) -> dict[str, bytes]:
    """Three wheels, added."""
    made = {
        ONE: build_wheel("demo", "1.0", files={"demo/a.bin": incompressible(600_000, "a")}),
        TWO: build_wheel("demo", "2.0", files={"demo/a.bin": incompressible(600_000, "a"), "demo/b.bin": b"b" * 99}),
        OTHER: build_wheel("other", "1.0", files={"other/c.bin": incompressible(900_000, "c")}),
    }
    directory = tmp_path / "wheels"
    directory.mkdir()
    for name, data in made.items():
        (directory / name).write_bytes(data)
    wheelfs("add", str(directory))
    return made


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["filename"] for record in records]


def test_rm_takes_filenames_projects_and_requirements(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    assert names(wheelfs("rm", "demo", "--dry-run")) == [ONE, TWO]
    assert names(wheelfs("ls")) == [ONE, TWO, OTHER]
    assert names(wheelfs("rm", "Demo>=1.5")) == [TWO]
    assert names(wheelfs("rm", ONE)) == [ONE]
    assert names(wheelfs("ls")) == [OTHER]


def test_an_unknown_name_removes_nothing_at_all(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    (told,) = wheelfs("rm", ONE, "demo>9", code=5)
    assert told["error"]["class"] == "NotKnown"
    assert len(wheelfs("ls")) == 3
    assert wheelfs("rm", "demo[extra]", code=3)[0]["error"]["class"] == "InvalidInput"
    assert wheelfs("rm", "../x", code=3)[0]["error"]["class"] == "InvalidInput"


def test_pin_and_unpin_show(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    assert names(wheelfs("pin", "demo>=2", OTHER)) == [TWO, OTHER]
    assert [file["pinned"] for file in wheelfs("ls")] == [False, True, True]
    wheelfs("unpin", "demo")
    assert [file["pinned"] for file in wheelfs("ls")] == [False, False, True]


def test_gc_gives_room_back_that_stats_has_counted(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    (before,) = wheelfs("stats")
    assert before["wheels"] == 3
    assert before["raw_bytes"] == sum(len(data) for data in wheels.values())
    assert before["ratio"] < 0.9, "the same member is stored once"
    assert before["stored_bytes"] <= before["file_bytes"]
    assert (before["fetched_bytes"], before["saved_bytes"]) == (0, 0)
    wheelfs("rm", "other")
    (told,) = wheelfs("gc", "--dry-run")
    assert told["freed_bytes"] >= 900_000
    assert wheelfs("stats")[0]["stored_bytes"] > before["stored_bytes"] - 100_000
    assert wheelfs("gc")[0]["freed_bytes"] == told["freed_bytes"]
    (after,) = wheelfs("stats")
    assert after["stored_bytes"] < before["stored_bytes"] - 800_000
    assert after["file_bytes"] >= before["file_bytes"], "it is the most that was ever in use"


def test_gc_removes_what_nothing_has_used_for_so_long(fake_index: FakeIndex, wheelfs: Callable[..., Any]) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=900_000)
    fake_index.add_wheel("kept", "1.0", big_bytes=300_000)
    wheelfs("fetch", "--index", f"main={fake_index.url}", "numbers", "kept")
    wheelfs("pin", "kept")
    assert wheelfs("gc", "--unused", "1d")[0]["unused"] == []
    (told,) = wheelfs("gc", "--unused", "0", "--dry-run")
    assert told["unused"] == [name]
    assert len(wheelfs("ls")) == 2
    (done,) = wheelfs("gc", "--unused", "0")
    assert (done["unused"], done["freed_bytes"] > 900_000) == ([name], True)
    assert [record["project"] for record in wheelfs("ls")] == ["kept"]
    for given in (["--unused", "soon"], ["--unused", "1d", "--share", "file:///nowhere"]):
        assert wheelfs("gc", *given, code=2)[0]["error"]["class"] == "UsageError"


def test_stats_of_a_project_counts_its_chunks_once(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    found = wheelfs("stats", "--by-project")
    assert [one["stored_bytes"] for one in found] == sorted((one["stored_bytes"] for one in found), reverse=True)
    by_name = {one["project"]: one for one in found}
    demo, other = by_name["demo"], by_name["other"]
    assert (demo["project"], demo["wheels"]) == ("demo", 2)
    assert 0.5 < demo["ratio"] < 0.52
    assert 0.98 < other["ratio"] < 1.02


def test_verify_of_a_sound_store(wheels: dict[str, bytes], wheelfs: Callable[..., Any]) -> None:
    assert wheelfs("verify") == [{"ok": True, "checked_wheels": 3, "damaged": []}]


def test_verify_names_what_is_damaged_and_cannot_be_had_again(
    wheels: dict[str, bytes], wheelfs: Callable[..., Any], store_dir: Path
) -> None:
    rot(store_dir, wheels[OTHER])
    (told,) = wheelfs("verify", "--repair", code=46)
    assert (told["ok"], names(told["damaged"])) == (False, [OTHER])
    assert "not configured" in told["damaged"][0]["obstacle"]
    assert [file["state"] for file in wheelfs("ls")] == ["stored", "stored", "poisoned"]


def test_what_was_damaged_can_be_added_again(
    wheels: dict[str, bytes], wheelfs: Callable[..., Any], store_dir: Path, tmp_path: Path
) -> None:
    rot(store_dir, wheels[OTHER])
    wheelfs("verify", code=46)
    wheelfs("add", str(tmp_path / "wheels"))
    assert wheelfs("verify")[0]["ok"]


def test_verify_repairs_from_the_index(
    fake_index: FakeIndex, mounted: MountWheelfs, wheelfs: Callable[..., Any], store_dir: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=900_000)
    mount = mounted(index=fake_index.url)
    assert (mount.path / "simple" / "numbers" / name).read_bytes() == content
    mount.stop()
    rot(store_dir, content)
    (told,) = wheelfs("verify", "--repair", "--index", f"main={fake_index.url}")
    assert told["ok"]
    assert told["damaged"][0]["repaired"]
    assert wheelfs("verify")[0] == {"ok": True, "checked_wheels": 1, "damaged": []}


def test_verify_and_gc_work_while_a_mount_does(fake_index: FakeIndex, mounted: MountWheelfs, wheelfs: Callable[..., Any]) -> None:
    made = [fake_index.add_wheel("numbers", f"{number}.0", big_bytes=300_000) for number in range(6)]
    mount = mounted(index=fake_index.url)
    for name, content in made:
        assert (mount.path / "simple" / "numbers" / name).read_bytes() == content
        wheelfs("verify")
        wheelfs("gc")
    wheelfs("rm", "numbers<3")
    wheelfs("gc")
    for name, content in made:
        assert (mount.path / "simple" / "numbers" / name).read_bytes() == content


def test_rot_found_by_a_read_is_fetched_again_and_the_reader_sees_nothing_of_it(
    fake_index: FakeIndex, mounted: MountWheelfs, wheelfs: Callable[..., Any], store_dir: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=900_000)
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    assert path.read_bytes() == content
    mount.stop()
    rot(store_dir, content)
    mount.restart()
    assert path.read_bytes() == content
    assert f"read {name}" in mount.log
    assert "fetched again" in mount.log
    fake_index.stop()
    mount.stop()
    mount.restart()
    assert path.read_bytes() == content
    assert wheelfs("verify")[0] == {"ok": True, "checked_wheels": 1, "damaged": []}


def test_rot_that_nobody_can_mend_is_eio_with_the_name_in_the_log_and_never_wrong_bytes(
    wheels: dict[str, bytes], mounted: MountWheelfs, wheelfs: Callable[..., Any], store_dir: Path
) -> None:
    rot(store_dir, wheels[OTHER])
    mount = mounted("--offline")
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            (mount.path / OTHER).read_bytes()
    assert OTHER in mount.log
    assert (mount.path / ONE).read_bytes() == wheels[ONE]
    assert wheelfs("ls", "other")[0]["state"] == "poisoned"


def test_a_wheel_that_is_open_in_a_mount_stays_readable_until_it_is_closed(
    wheels: dict[str, bytes], mounted: MountWheelfs, wheelfs: Callable[..., Any]
) -> None:
    mount = mounted("--offline")
    with (mount.path / OTHER).open("rb") as file:
        assert file.read(10) == wheels[OTHER][:10]
        wheelfs("rm", "other")
        wheelfs("gc")
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # else the kernel might answer
        file.seek(0)
        assert file.read() == wheels[OTHER]
    eventually(lambda: wheelfs("gc")[0]["blocks"] > 0)
    eventually(lambda: not (mount.path / OTHER).exists())


def test_the_least_recently_used_wheels_make_room_but_never_pinned_ones(
    fake_index: FakeIndex, mounted: MountWheelfs, wheelfs: Callable[..., Any], store_dir: Path
) -> None:
    made = [fake_index.add_wheel("numbers", f"{number}.0", big_bytes=1_000_000) for number in range(12)]
    mount = mounted("--quota", "6MB", index=fake_index.url)
    page = mount.path / "simple" / "numbers"
    assert (page / made[0][0]).read_bytes() == made[0][1]
    wheelfs("pin", made[0][0])
    for name, content in made[1:]:
        assert (page / name).read_bytes() == content
    eventually(lambda: made[-1][0] in names(wheelfs("ls")))
    stored = names(wheelfs("ls"))
    assert made[0][0] in stored, "pinned"
    assert made[1][0] not in stored, "the oldest that was not"
    assert sum(path.stat().st_blocks * 512 for path in store_dir.rglob("*.mdb")) < 6_000_000
    assert (page / made[1][0]).read_bytes() == made[1][1], "it is fetched again when it is wanted"


def test_private_files_fill_a_quota_and_no_further(tmp_path: Path, wheelfs: Callable[..., Any]) -> None:
    for number in range(3):
        name = wheel_filename("lab", f"{number}.0")
        (tmp_path / name).write_bytes(build_wheel("lab", f"{number}.0", files={"lab/x": incompressible(900_000, str(number))}))
    for number in range(2):
        wheelfs("add", "--quota", "2.5MB", str(tmp_path / wheel_filename("lab", f"{number}.0")))
    (told,) = wheelfs("add", "--quota", "2.5MB", str(tmp_path / wheel_filename("lab", "2.0")), code=43)
    assert told["error"]["class"] == "StoreFull"
    assert "private" in told["error"]["message"]
    assert len(wheelfs("ls")) == 2
    wheelfs("add", "--quota", "9MB", str(tmp_path / wheel_filename("lab", "2.0")))
