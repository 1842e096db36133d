"""What crosses the network when files are listed, opened and read through a real mount."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Fault, Slow, Stall, Truncate, WrongBytes
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs

BIG = 3_000_000


def state(path: Path) -> str:
    return os.getxattr(path, "user.wheelfs.state").decode()


def metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")))


def test_listing_and_stat_fetch_nothing_of_the_files(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    mount = mounted(index=fake_index.url)
    project = mount.path / "simple" / "numbers"
    assert sorted(os.listdir(project)) == ["index.html", name]
    assert (project / name).stat().st_size == len(content)
    assert state(project / name) == "remote"
    assert fake_index.body_bytes(name) == 0


def test_open_brings_the_tail_and_reading_metadata_brings_no_more(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with path.open("rb"):
        pass
    assert state(path) == "partial"
    opened = fake_index.body_bytes(name)
    assert b"Name: numbers" in metadata(path)
    assert fake_index.body_bytes(name) == opened
    assert opened < len(content) / 20


def test_metadata_far_from_the_tail_costs_its_own_bytes_only(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG, metadata_first=True)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    assert b"Name: numbers" in metadata(path)
    assert fake_index.body_bytes(name) < len(content) / 20
    assert state(path) == "partial"


def test_reading_brings_every_byte_once_and_seals(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG, metadata_first=True)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    assert path.read_bytes() == content
    eventually(lambda: state(path) == "stored")
    assert fake_index.body_bytes(name) == len(content)
    assert os.getxattr(path, "user.wheelfs.sha256").decode() == hashlib.sha256(content).hexdigest()
    assert path.read_bytes() == content
    assert fake_index.body_bytes(name) == len(content)


def test_many_readers_of_one_wheel_cost_one_fetch(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with ThreadPoolExecutor(24) as pool:
        assert all(read == content for read in pool.map(lambda _: path.read_bytes(), range(24)))
    assert fake_index.body_bytes(name) == len(content)


def test_reads_in_any_order_are_right(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with path.open("rb", buffering=0) as file:
        for offset in (BIG // 2, 17, BIG - 5_000, BIG // 3, 0, len(content) - 1, len(content), len(content) + 10):
            got = os.pread(file.fileno(), 4_096, offset)
            expected = content[offset : offset + 4_096]
            assert got == expected[: len(got)]
            assert bool(got) == bool(expected)


@pytest.mark.parametrize("ranges", ["ignore", "refuse", "not-implemented", "suffix-unsupported"])
@pytest.mark.parametrize("sizes", [True, False])
def test_an_index_without_ranges_still_works(mounted: MountWheelfs, ranges: str, sizes: bool) -> None:
    with FakeIndex(ranges=ranges, sizes=sizes) as index:  # type: ignore[arg-type]
        name, content = index.add_wheel("numbers", "1.0", big_bytes=BIG)
        path = mounted(index=index.url).path / "simple" / "numbers" / name
        assert b"Name: numbers" in metadata(path)
        assert path.read_bytes() == content
        eventually(lambda: state(path) == "stored")


@pytest.mark.parametrize(
    "habits",
    [
        {"content_length": False},
        {"content_length": False, "sizes": False, "ranges": "ignore"},
        {"gzip": "always"},
        {"gzip": "always", "sizes": False, "page_format": "html"},
        {"etags": False, "sizes": False, "hashes": False, "page_format": "html"},
        {"urls": "absolute", "page_format": "html", "base_href": True},
        {"redirects": True},
        {"no_store": True},
    ],
    ids=repr,
)
def test_odd_indexes_still_work(mounted: MountWheelfs, habits: dict[str, object]) -> None:
    with FakeIndex(**habits) as index:  # type: ignore[arg-type]
        name, content = index.add_wheel("numbers", "1.0", big_bytes=BIG)
        path = mounted(index=index.url).path / "simple" / "numbers" / name
        assert b"Name: numbers" in metadata(path)
        assert path.stat().st_size == len(content)
        assert path.read_bytes() == content
        eventually(lambda: state(path) == "stored")
        assert path.read_bytes() == content


def _holds_more_than(path: Path, size_bytes: int) -> bool:
    return int(os.getxattr(path, "user.wheelfs.stored_bytes")) > size_bytes


def test_a_restart_goes_on_where_it_stopped(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(1_000_000), times=None))
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    for end, so_far in ((mount.stop, 400_000), (mount.kill, 900_000)):
        with path.open("rb", buffering=0) as file:
            assert os.pread(file.fileno(), 10, so_far) == content[so_far : so_far + 10]
        eventually(partial(_holds_more_than, path, so_far + 300_000))
        assert state(path) == "partial"
        end()
        mount.restart()
        assert int(os.getxattr(path, "user.wheelfs.stored_bytes")) > so_far + 300_000
    fake_index.faults.clear()
    assert path.read_bytes() == content
    eventually(lambda: state(path) == "stored")
    # What the server had sent into a socket when the process ended never arrived: the kernel's buffers are the only loss.
    assert fake_index.body_bytes(name) < len(content) + 2 * 400_000


def test_wrong_bytes_are_never_sealed(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, WrongBytes(at=1_000), times=None))
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    with pytest.raises(OSError, match="Remote I/O error") as caught:
        for _ in range(3):
            path.read_bytes()
            eventually(lambda: state(path) == "poisoned")
    assert caught.value.errno == 121
    assert state(path) == "poisoned"
    assert "sha256" in mount.log


def test_wrong_bytes_once_are_fetched_again(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("small", "1.0")
    fake_index.faults.append(Fault(name, WrongBytes(at=10), times=1))
    path = mounted(index=fake_index.url).path / "simple" / "small" / name
    eventually(lambda: _reads(path) == content)
    assert state(path) == "stored"


def _reads(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def test_a_broken_stream_is_taken_up_again(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with path.open("rb"):
        pass
    fake_index.faults.append(Fault(name, Truncate(after_bytes=700_000), times=2))
    assert path.read_bytes() == content
    assert fake_index.body_bytes(name) == len(content)


def test_an_origin_that_stalls_fails_the_open_within_the_bound(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Stall(), times=None))
    mount = mounted(index=fake_index.url, env={"WHEELFS_OPEN_TIMEOUT_S": "1"})
    with pytest.raises(OSError, match="timed out") as caught:
        (mount.path / "simple" / "numbers" / name).open("rb")
    assert caught.value.errno == 110


def test_sdists_are_fetched_whole_and_lazily(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    from tests.fakes.wheels import build_sdist, sdist_filename

    name, content = sdist_filename("numbers", "1.0"), build_sdist("numbers", "1.0")
    fake_index.add(name, content)
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    assert path.stat().st_size == len(content)
    assert fake_index.body_bytes(name) == 0
    assert path.read_bytes() == content
    eventually(lambda: state(path) == "stored")
    assert name not in os.listdir(mount.path)


def test_strict_verification_shows_nothing_before_the_hash_is_checked(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url, env={"WHEELFS_VERIFY": "strict"}).path / "simple" / "numbers" / name
    assert b"Name: numbers" in metadata(path)
    assert state(path) == "stored"
    assert fake_index.body_bytes(name) == len(content)


def test_status_counts_what_was_fetched(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    mount = mounted(index=fake_index.url)
    (mount.path / "simple" / "numbers" / name).read_bytes()
    status = json.loads((mount.path / ".wheelfs" / "status.json").read_text())
    assert status["counters"]["fetched_bytes"] == len(content)
    assert status["origins"][0]["state"] == "up"
    assert status["mounts"][0]["path"] == str(mount.path)
