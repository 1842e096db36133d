"""Stores that are locked, foreign, newer, read-only, full, on the wrong file system, or shared by several processes."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.faults import Fault, Slow
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

NAME = wheel_filename("tools", "1.0")
BIG = 3_000_000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: file systems are mounted")


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system in memory: ``file_system("4m")``."""
    made: list[Path] = []

    def make(size: str) -> Path:
        path = tmp_path / f"tmpfs-{len(made)}"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=True)
        made.append(path)
        return path

    yield make
    for path in made:
        subprocess.run(["umount", "-l", str(path)], check=True)


def resize(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def test_a_store_that_is_being_opened_elsewhere_is_waited_for(tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path) -> None:
    with (store_dir / "lock").open("r+") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        listing = pool.submit(run_wheelfs, "--store", str(store_dir), "ls", "--json")
        with pytest.raises(TimeoutError):
            listing.result(timeout=0.7)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert [line["filename"] for line in objects(listing.result().succeeded())] == [NAME]


def test_a_store_of_another_format_or_a_foreign_directory_is_refused_and_left_alone(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    format_file = store_dir / "format"
    original = format_file.read_bytes()
    newer = original.replace(b'"wheelfs_store":1', b'"wheelfs_store":2')
    assert newer != original
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    cases = [(store_dir, newer), (store_dir, b"\xff\xfe"), (store_dir, b""), (foreign, None)]
    for store, content in cases:
        if content is not None:
            format_file.write_bytes(content)
        writing = (["add", str(tmp_path / NAME)], ["mount", str(tmp_path / "mnt"), "--offline"])
        for words in (["ls"], *(writing if content in (newer, None) else ())):
            done = run_wheelfs("--store", str(store), "--json", *words)
            assert done.returncode == 44, done
            assert str(store) in error_of(done)["message"]
    assert os.listdir(foreign) == ["thesis.tex"]
    format_file.write_bytes(original)
    assert NAME in run_wheelfs("--store", str(store_dir), "ls").succeeded().stdout


def test_a_store_that_is_a_file_or_below_one_is_refused(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for place in (file, file / "below"):
        for words in (["ls"], ["add", str(file)], ["mount", str(tmp_path / "mnt"), "--offline"]):
            done = run_wheelfs("--store", str(place), "--json", *words)
            assert 40 <= done.returncode < 50, done
            assert str(place) in error_of(done)["message"]


def test_a_store_on_a_fuse_file_system_is_refused_and_share_is_named(
    tools: bytes, run_wheelfs: RunWheelfs, tmp_path: Path, mounted: MountWheelfs
) -> None:
    mount = mounted("--offline")
    for words in (["ls"], ["status"], ["add", str(tmp_path / NAME)], ["mount", str(tmp_path / "other"), "--offline"]):
        done = run_wheelfs("--store", str(mount.path / "stored"), "--json", *words)
        assert done.returncode == 45, done
        assert "--share" in error_of(done)["message"]


@needs_root
def test_a_read_only_store_can_be_looked_at_and_says_what_it_cannot(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path]
) -> None:
    place = file_system("40m")
    store = ("--store", str(place / "store"))
    wheel = tmp_path / NAME
    wheel.write_bytes(build_wheel("tools", "1.0", big_bytes=100_000))
    run_wheelfs(*store, "add", str(wheel)).succeeded()
    resize(place, "ro")
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [NAME]
    assert objects(run_wheelfs(*store, "show", "tools", "--json").succeeded())[0]["versions"] == ["1.0"]
    run_wheelfs(*store, "status").succeeded()
    for words in (["add", str(wheel)], ["mount", str(tmp_path / "mnt"), "--offline"]):
        done = run_wheelfs(*store, "--json", *words)
        assert done.returncode == 42, done
        assert error_of(done)["class"] == "StoreReadOnly"


@needs_root
def test_adding_to_a_full_disk_says_so_and_loses_nothing(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], fake_index: FakeIndex
) -> None:
    place = file_system("3m")
    store = ("--store", str(place / "store"))
    small, large = tmp_path / NAME, tmp_path / wheel_filename("large", "1.0")
    small.write_bytes(build_wheel("tools", "1.0", big_bytes=300_000))
    large.write_bytes(build_wheel("large", "1.0", big_bytes=4_000_000))
    fake_index.add(large.name, large.read_bytes())
    run_wheelfs(*store, "add", str(small)).succeeded()
    for source in (str(large), fake_index.file_url(large.name)):
        done = run_wheelfs(*store, "add", "--json", source)
        assert done.returncode == 43, done
        assert error_of(done)["class"] == "StoreFull"
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [NAME]
    resize(place, "size=20m")
    run_wheelfs(*store, "add", str(large)).succeeded()
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [large.name, NAME]


@needs_root
@pytest.mark.parametrize("size", ["12k", "40k", "100k"])
def test_a_disk_with_no_room_for_a_store_at_all_is_told_so(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], size: str
) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(build_wheel("tools", "1.0", big_bytes=300_000))
    place = file_system(size)
    for _ in range(2):
        done = run_wheelfs("--store", str(place / "store"), "add", "--json", str(wheel))
        assert done.returncode == 43, done
    resize(place, "size=20m")
    run_wheelfs("--store", str(place / "store"), "add", str(wheel)).succeeded()


@needs_root
def test_fetching_onto_a_full_disk_fails_clearly_and_works_again_when_there_is_room(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    place = file_system("4m")
    name, content = fake_index.add_wheel("small", "1.0", big_bytes=300_000)
    large, large_content = fake_index.add_wheel("large", "1.0", big_bytes=6_000_000)
    mount = mounted(index=fake_index.url, store=place / "store")
    assert (mount.path / "simple" / "small" / name).read_bytes() == content
    path = mount.path / "simple" / "large" / large
    for _ in range(2):
        with pytest.raises(OSError, match="No space") as caught:
            path.read_bytes()
        assert caught.value.errno == errno.ENOSPC
    assert (mount.path / "simple" / "small" / name).read_bytes() == content
    assert name in os.listdir(mount.path)
    assert "Traceback" not in mount.log
    resize(place, "size=40m")
    assert path.read_bytes() == large_content
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    assert mount.restart().path.is_mount()
    assert path.read_bytes() == large_content


def test_two_mounts_on_one_store_fetch_the_same_wheel_at_once(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(6_000_000), times=None))
    mounts = [mounted(index=fake_index.url), mounted(index=fake_index.url)]
    paths = [mount.path / "simple" / "numbers" / name for mount in mounts]
    with ThreadPoolExecutor(4) as pool:
        assert all(read == content for read in pool.map(Path.read_bytes, paths * 2))
    for path in paths:
        eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")  # noqa: B023
        assert path.read_bytes() == content
    assert [line["filename"] for line in objects(run_wheelfs("--store", str(store_dir), "ls", "--json"))] == [name]


def test_adding_while_mounts_fetch_disturbs_neither(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(4_000_000), times=None))
    mount = mounted(index=fake_index.url)
    added = {wheel_filename("mine", f"1.{minor}"): build_wheel("mine", f"1.{minor}", big_bytes=300_000) for minor in range(5)}
    (tmp_path / "house").mkdir()
    for filename, wheel in added.items():
        (tmp_path / "house" / filename).write_bytes(wheel)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((mount.path / "simple" / "numbers" / name).read_bytes)
        run_wheelfs("--store", str(store_dir), "add", str(tmp_path / "house")).succeeded()
        assert reading.result() == content
    eventually(lambda: set(added) < set(os.listdir(mount.path)))
    assert all((mount.path / filename).read_bytes() == wheel for filename, wheel in added.items())
