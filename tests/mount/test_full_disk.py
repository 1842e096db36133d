"""A disk without a free byte: removing and collecting work all the same, with the room that the store has kept for that."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import StoreFull
from wheelfs.store.coordination.leases import held
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: file systems are mounted")

DISK_BYTES = 24 << 20
COUNT = 12


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place, image = tmp_path / "disk", tmp_path / "image"
    place.mkdir()
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place)]
    else:
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("needs mkfs.ext4")
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        # Without what only root may use, so that root meets a full disk, too.
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine does not let us: {done.stderr}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is free, to the last block."""
    filler = place / f"filler-{len(list(place.iterdir()))}"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    os.fsync(file.fileno())
            except OSError:
                continue
    assert os.statvfs(place).f_bavail == 0
    return filler


def test_rm_and_gc_work_on_a_full_disk_and_what_they_free_is_used(disk: Path, run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    names = [wheel_filename("tools", f"1.{number}") for number in range(COUNT)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(build_wheel("tools", f"1.{number}", big_bytes=600_000, big_seed=str(number)))
    store = ("--store", str(disk / "store"))
    run_wheelfs(*store, "add", *(str(tmp_path / name) for name in names[:-1])).succeeded()
    filler = fill(disk)
    done = run_wheelfs(*store, "add", "--json", str(tmp_path / names[-1]))
    assert (done.returncode, error_of(done)["class"]) == (43, "StoreFull")
    for number in range(COUNT // 2):
        run_wheelfs(*store, "rm", names[number]).succeeded()
    [collected] = objects(run_wheelfs(*store, "gc", "--json").succeeded())
    assert collected["freed_bytes"] > 600_000 * (COUNT // 2 - 1)
    run_wheelfs(*store, "add", str(tmp_path / names[-1])).succeeded()
    assert {line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json"))} == set(names[COUNT // 2 :])
    assert not (disk / "store" / "reserve").exists()
    filler.unlink()
    run_wheelfs(*store, "verify").succeeded()
    assert (disk / "store" / "reserve").stat().st_blocks > 0


def test_what_is_stored_is_read_on_a_full_disk_by_those_that_ran_before_and_those_that_come(
    disk: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    wheels = {
        wheel_filename("tools", f"1.{number}"): build_wheel("tools", f"1.{number}", big_bytes=50_000) for number in range(COUNT)
    }
    for name, content in wheels.items():
        (tmp_path / name).write_bytes(content)
    store = ("--store", str(disk / "store"))
    run_wheelfs(*store, "add", *(str(tmp_path / name) for name in wheels)).succeeded()
    mount = mounted("--no-index", store=disk / "store")
    fill(disk)
    for _ in range(2):
        with ExitStack() as held:
            files = {name: held.enter_context((mount.path / name).open("rb")) for name in wheels}
            assert {name: file.read() for name, file in files.items()} == wheels
        mount.restart()
    run_wheelfs(*store, "verify").succeeded()
    run_wheelfs(*store, "export", str(tmp_path / "saved")).succeeded()
    assert {path.name for path in (tmp_path / "saved").glob("*.whl")} == set(wheels)
    run_wheelfs(*store, "rm", *wheels).succeeded()  # the reserve still does for that
    mount.stop()


def test_on_a_full_disk_a_process_has_as_many_leases_as_it_needs(disk: Path) -> None:
    contents = [hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(1_000)]
    with Store.open(disk / "store") as store:
        fill(disk)
        for sha256 in contents:
            store.leases.hold(sha256)
        assert held(store.run_directory).open == set(contents)
        for sha256 in contents:
            store.leases.release(sha256)
        assert not held(store.run_directory).open
        store.reserve.give_up()
        fill(disk)
        for sha256 in contents:
            store.leases.hold(sha256)  # in the room that it has by now
        with pytest.raises(StoreFull):
            for number in range(10_000):
                store.leases.hold(number.to_bytes(32, "big"))
        assert set(contents) <= held(store.run_directory).open


def test_a_file_of_an_environment_that_cannot_be_inflated_is_refused_when_it_is_opened(
    disk: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    name = wheel_filename("large", "1.0")
    content = incompressible(5_000_000)
    (tmp_path / name).write_bytes(build_wheel("large", "1.0", files={"large/__init__.py": b"", "large/data.bin": content}))
    store = ("--store", str(disk / "store"))
    run_wheelfs(*store, "env", "create", "it", str(tmp_path / name), "--no-index").succeeded()
    mount = mounted("--no-index", store=disk / "store")
    [path] = mount.path.glob("env/it/lib/python3*/site-packages/large/data.bin")
    filler = fill(disk)
    with pytest.raises(OSError) as caught:
        path.open("rb")
    assert caught.value.errno == errno.ENOSPC
    filler.unlink()
    assert path.read_bytes() == content
    mount.stop()


def test_what_does_not_fit_is_said_once(disk: Path, run_wheelfs: RunWheelfs, fake_index: FakeIndex) -> None:
    fake_index.add_wheel("large", "1.0", big_bytes=DISK_BYTES + 1_000_000)
    done = run_wheelfs("--store", str(disk / "store"), "fetch", "--index", f"main={fake_index.url}", "large")
    assert done.returncode == 43, done
    assert done.stderr.count("large-1.0") == 1


def test_a_disk_without_free_inodes_is_not_said_to_lack_room(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},nr_inodes=200", "none", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this machine does not let us: {done.stderr}")
    try:
        name = wheel_filename("tools", "1.0")
        (tmp_path / name).write_bytes(build_wheel("tools", "1.0"))
        store = ("--store", str(place / "store"))
        run_wheelfs(*store, "add", str(tmp_path / name)).succeeded()
        with pytest.raises(OSError, match="No space"):
            for number in range(200):
                (place / f"empty-{number}").touch()
        assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json"))] == [name]
        exported = run_wheelfs(*store, "export", "--json", str(tmp_path / "folder"), "tools")
        assert "no free inode" in exported.stdout
        assert "delete files on it" in exported.stdout
        [said] = [
            line["found"]
            for line in objects(run_wheelfs(*store, "doctor", "--offline", "--json"))
            if line["found"]["subject"] == "store"
        ]
        assert (said["level"], "no free inode" in said["what"], "delete files" in said["mend"]) == ("broken", True, True), said
        (place / "empty-0").unlink()
        run_wheelfs(*store, "export", str(tmp_path / "folder"), "tools").succeeded()
    finally:
        subprocess.run(["umount", str(place)], check=True)
