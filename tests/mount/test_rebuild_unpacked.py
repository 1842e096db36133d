"""A wheel that an index lists is made again of its unpacked files, and is the very file that the index has."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.collisions import forged
from tests.fakes.commands import objects
from tests.fakes.many_kinds import many_kinds
from tests.fakes.unpacked import UvCache, installed
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

NAME = wheel_filename("demo", "1.0")
TEXT = b"".join(b"line %d of a text that packs well, and %d\n" % (n, n * n) for n in range(4_000))
FILES = {
    "demo/__init__.py": TEXT[:9_000],
    **{f"demo/part{number}.py": TEXT[number * 100 :] for number in range(8)},
    "demo/data.bin": incompressible(200_000),
    "demo/empty.py": b"",
    "demo/py.typed": b"",
}


def repacked_at(wheel: bytes, level: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a wheel with its members packed at another level."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as given, zipfile.ZipFile(made, "w", method, compresslevel=level) as archive:
        for entry in given.infolist():
            archive.writestr(zipfile.ZipInfo(entry.filename, entry.date_time), given.read(entry), method, level)
    return made.getvalue()


WHEEL = build_wheel("demo", "1.0", files=FILES)


@pytest.fixture
def cache(tmp_path: Path) -> UvCache:
    return UvCache(tmp_path / "uv")


def added(done: Finished) -> dict[str, Any]:
    [file] = [line["file"] for line in objects(done)]
    return dict(file)


def sealed(command: Callable[..., Finished], wheel: bytes) -> bool:
    [file] = objects(command("ls", "--json").succeeded())
    command("verify").succeeded()
    return (file["sha256"], file["origin"], file["private"]) == (hashlib.sha256(wheel).hexdigest(), "main", False)


@pytest.mark.parametrize("level", [1, 6, 9])
def test_the_level_that_packed_it_is_found_and_nearly_nothing_is_fetched(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex, level: int
) -> None:
    wheel = repacked_at(WHEEL, level)
    fake_index.add(NAME, wheel)
    cache.add(wheel, "demo", bucket="pypi")
    file = added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())
    assert (file["result"], file["repacked"], file["filename"]) == ("added", False, NAME)
    assert fake_index.body_bytes(NAME) == file["fetched_bytes"] < 4_000 < len(wheel) / 50
    assert sealed(command, wheel)
    fake_index.reset_counters()
    assert added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())["result"] == "present"
    assert fake_index.body_bytes(NAME) == 0


@pytest.mark.parametrize(
    "wheel",
    [
        build_wheel("demo", "1.0", files=FILES, compression="stored"),
        build_wheel("demo", "1.0", files=FILES, data_descriptors=True),
    ],
    ids=["stored members", "data descriptors"],
)
def test_other_shapes_of_wheels_come_back(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex, wheel: bytes
) -> None:
    fake_index.add(NAME, wheel)
    cache.add(wheel, "demo", bucket="pypi")
    assert added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())["fetched_bytes"] < 4_000
    assert sealed(command, wheel)


def test_an_environment_gives_back_all_but_what_its_installer_wrote(
    command: Callable[..., Finished], fake_index: FakeIndex, tmp_path: Path
) -> None:
    wheel = many_kinds(big_bytes=300_000)
    name = wheel_filename("many-kinds", "1.0")
    fake_index.add(name, wheel)
    site = installed(wheel, name, "many-kinds", tmp_path / "env")
    (site / "many_kinds" / "__pycache__").mkdir()
    (site / "many_kinds" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"no member")
    file = added(command("add", "--json", "--venv", str(tmp_path / "env")).succeeded())
    assert (file["result"], file["repacked"]) == ("added", False)
    assert file["fetched_bytes"] < 12_000
    assert sealed(command, wheel)


def test_an_edited_file_is_fetched_and_not_taken(command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex) -> None:
    fake_index.add(NAME, WHEEL)
    root = cache.add(WHEEL, "demo", bucket="pypi")
    (root / "demo" / "part3.py").write_bytes(TEXT[300:-1] + b"!")
    (root / "demo" / "part4.py").write_bytes(b"another size")
    (root / "demo" / "part5.py").unlink()
    (root / "demo" / "part6.py").unlink()
    (root / "demo" / "part6.py").symlink_to("/dev/zero")
    file = added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())
    assert file["result"] == "added"
    assert file["fetched_bytes"] < len(WHEEL) / 2
    assert sealed(command, WHEEL)


def test_bytes_that_only_look_right_are_fetched_after_all(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    """A stored member of the same CRC-32 and size, and other content: only the sha256 of the whole tells."""
    wheel = build_wheel("demo", "1.0", files=FILES, compression="stored")
    fake_index.add(NAME, wheel)
    root = cache.add(wheel, "demo", bucket="pypi")
    (root / "demo" / "data.bin").write_bytes(forged(incompressible(200_000, "other"), FILES["demo/data.bin"]))
    file = added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())
    assert file["result"] == "added"
    assert file["fetched_bytes"] >= len(wheel) - 10_000
    assert sealed(command, wheel)


def test_a_wheel_of_which_too_little_is_there_is_left_to_fetch(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    fake_index.add(NAME, WHEEL)
    root = cache.add(WHEEL, "demo", bucket="pypi")
    for number in range(7):
        (root / "demo" / f"part{number}.py").unlink()
    (root / "demo" / "data.bin").unlink()
    file = added(command("add", "--json", "--uv-cache", str(cache.path)))
    assert "can be made of what is unpacked (fetch it: wheelfs fetch demo)" in file["reason"]
    assert fake_index.body_bytes(NAME) < 4_000


def test_a_dry_run_says_what_would_be_fetched(command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex) -> None:
    fake_index.add(NAME, WHEEL)
    cache.add(WHEEL, "demo", bucket="pypi")
    would = added(command("add", "--json", "--dry-run", "--uv-cache", str(cache.path)).succeeded())
    assert (would["result"], would["size_bytes"]) == ("would-add", len(WHEEL))
    assert would["fetched_bytes"] < 4_000
    assert objects(command("ls", "--json").succeeded()) == []


@pytest.mark.parametrize("tag", ["cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"])
def test_the_name_is_the_one_that_the_index_gives(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex, tag: str
) -> None:
    """Builders put platforms in any order into the name, and forget one in WHEEL."""
    wheel = build_wheel("demo", "1.0", files=FILES, tag="cp311-cp311-manylinux2014_x86_64")
    name = wheel_filename("demo", "1.0", tag=tag)
    fake_index.add(name, wheel)
    cache.add(wheel, "demo", bucket="pypi")
    assert added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())["filename"] == name


def test_an_index_without_hashes_has_nothing_made_under_its_names(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    fake_index.add(NAME, WHEEL)
    page = f'<a href="{fake_index.file_url(NAME)}">{NAME}</a>'
    fake_index.set_page("demo", page.encode())
    cache.add(WHEEL, "demo")
    file = added(command("add", "--json", "--uv-cache", str(cache.path)))
    assert "gives no sha256" in file["reason"]
    assert objects(command("ls", "--json").succeeded()) == []


@pytest.mark.parametrize("delta", ["always", "never"])
def test_fetching_takes_what_is_unpacked_where_the_user_has_named_it(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex, tmp_path: Path, delta: str
) -> None:
    fake_index.add(NAME, WHEEL)
    cache.add(WHEEL, "demo", bucket="pypi")
    named = {"WHEELFS_DELTA_SOURCES": f"{tmp_path / 'gone'}:{cache.path}", "WHEELFS_DELTA": delta}
    command("fetch", "demo", **named).succeeded()
    sent = fake_index.body_bytes(NAME)
    assert sent < 4_000 if delta == "always" else sent == len(WHEEL)
    assert sealed(command, WHEEL)


def test_while_its_index_is_away_nothing_is_made_up(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    fake_index.add(NAME, WHEEL)
    cache.add(WHEEL, "demo", bucket="pypi")
    command("fetch", "--dry-run", "demo").succeeded()
    fake_index.stop()
    done = command("add", "--json", "--uv-cache", str(cache.path))
    assert (added(done)["result"], done.returncode) == ("refused", 21)
    fake_index.start()
    assert added(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())["result"] == "added"
    assert sealed(command, WHEEL)
