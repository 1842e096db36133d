"""What POSIX promises of a file system, and what of it this one keeps: docs/SEMANTICS.md names the test of each line."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.mounts import Mounted
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import DEADLINE_S, eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BIG = 1_500_000
UPLOADED_S = 1_714_979_289
"""When the fake index says that its files were uploaded."""


@dataclass(frozen=True)
class Ground:
    """One mount with a wheel that is stored and one that is only listed."""

    mount: Mounted
    index: FakeIndex
    home: Path
    sealed: Path
    content: bytes
    remote: Path
    remote_content: bytes

    def wheelfs(self, *arguments: str) -> None:
        command = wheelfs_command("--store", str(self.mount.store), *arguments)
        run(command, environment=wheelfs_environment(self.home), cwd=self.home, timeout_s=60).succeeded()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    base = tmp_path_factory.mktemp("semantics")
    base.chmod(0o755)
    with FakeIndex() as index:
        sealed, content = index.add_wheel("numbers", "1.0", big_bytes=BIG)
        remote, remote_content = index.add_wheel("faraway", "1.0", big_bytes=BIG)
        mount = Mounted(base / "mnt", base / "store", ["--index", f"main={index.url}"], base / "home", {})
        mount.start()
        try:
            simple = mount.path / "simple"
            path = simple / "numbers" / sealed
            assert path.read_bytes() == content
            eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
            eventually(lambda: sealed in os.listdir(mount.path))
            yield Ground(mount, index, base / "home", path, content, simple / "faraway" / remote, remote_content)
        finally:
            mount.clean_up()


def errno_of(call: Callable[[], object]) -> str | None:
    """Return the name of the errno that a call fails with."""
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


# --- nothing can be changed -------------------------------------------------------------------------------------------


def test_every_call_that_would_change_something_is_erofs(ground: Ground) -> None:
    wheel, new = ground.sealed, ground.sealed.parent / "new"
    attempts: dict[str, Callable[[], object]] = {
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "temporary": lambda: os.open(wheel.parent, os.O_TMPFILE | os.O_WRONLY),
        "write": lambda: os.open(wheel, os.O_WRONLY),
        "read and write": lambda: os.open(wheel, os.O_RDWR),
        "append": lambda: os.open(wheel, os.O_WRONLY | os.O_APPEND),
        "truncate at open": lambda: os.open(wheel, os.O_RDONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(wheel, 0),
        "mkdir": lambda: new.mkdir(),
        "rmdir": lambda: wheel.parent.rmdir(),
        "unlink": lambda: wheel.unlink(),
        "rename": lambda: wheel.rename(new),
        "symlink": lambda: new.symlink_to("a.whl"),
        "link": lambda: new.hardlink_to(wheel),
        "mknod": lambda: os.mknod(new),
        "chmod": lambda: wheel.chmod(0o600),
        "chown": lambda: os.chown(wheel, 1, 1),
        "utime": lambda: os.utime(wheel),
        "setxattr": lambda: os.setxattr(wheel, "user.x", b"y"),
        "removexattr": lambda: os.removexattr(wheel, "user.wheelfs.state"),
    }
    assert {name: errno_of(call) for name, call in attempts.items()} == dict.fromkeys(attempts, "EROFS")
    assert wheel.read_bytes() == ground.content


def test_creating_what_exists_opens_it_to_read_and_is_refused_exclusively(ground: Ground) -> None:
    with opened(ground.sealed, os.O_RDONLY | os.O_CREAT) as fd:
        assert os.pread(fd, 10, 0) == ground.content[:10]
    assert errno_of(lambda: os.open(ground.sealed, os.O_RDONLY | os.O_CREAT | os.O_EXCL)) == "EEXIST"


def test_access_permits_reading_files_and_entering_directories_and_nothing_else(ground: Ground) -> None:
    modes = (os.R_OK, os.W_OK, os.X_OK)
    assert [os.access(ground.sealed, mode) for mode in modes] == [True, False, False]
    assert [os.access(ground.sealed.parent, mode) for mode in modes] == [True, False, True]
    assert not os.access(ground.sealed.parent / "absent", os.F_OK)


def test_the_mount_is_read_only_without_devices_and_set_user_ids(ground: Ground) -> None:
    flags = os.statvfs(ground.mount.path).f_flag
    assert flags & os.ST_RDONLY
    assert flags & os.ST_NODEV
    assert flags & os.ST_NOSUID


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_other_users_are_refused_unless_all_are_allowed(ground: Ground) -> None:
    # By relative paths: directories above, which belong to pytest, keep other users out.
    found = [
        subprocess.run(["stat", name], cwd=ground.mount.path.parent, user=65534, capture_output=True, text=True, check=False)
        for name in (".", ground.mount.path.name)
    ]
    assert [one.returncode for one in found] == [0, 1]
    assert "Permission denied" in found[1].stderr


# --- attributes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["sealed", "remote"])
def test_a_files_attributes_are_exact_before_anything_of_it_was_fetched(ground: Ground, which: str) -> None:
    path, content = {
        "sealed": (ground.sealed, ground.content),
        "remote": (ground.remote, ground.remote_content),
    }[which]
    fetched = ground.index.body_bytes(ground.remote.name)
    status = path.stat()
    assert (status.st_size, status.st_blocks, status.st_blksize) == (len(content), -(-len(content) // 512), 4096)
    assert (oct(status.st_mode), status.st_nlink) == ("0o100444", 1)
    assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
    assert (status.st_mtime, status.st_ctime, status.st_atime) == (UPLOADED_S,) * 3
    assert ground.index.body_bytes(ground.remote.name) == fetched


def test_reading_does_not_change_the_access_time(ground: Ground) -> None:
    before = ground.sealed.stat()
    assert ground.sealed.read_bytes() == ground.content
    after = ground.sealed.stat()
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_atime_ns,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_all_paths_of_a_file_have_one_inode_and_its_link_count_is_one(ground: Ground) -> None:
    base = ground.mount.path
    places = (
        "",
        "stored",
        "simple/numbers",
        "here/simple/numbers",
        "index/main/simple/numbers",
        "asof/2030-01-01/simple/numbers",
    )
    found = [(base / place / ground.sealed.name).stat() for place in places]
    assert {(one.st_dev, one.st_ino, one.st_nlink) for one in found} == {(found[0].st_dev, found[0].st_ino, 1)}
    assert ground.remote.stat().st_ino != found[0].st_ino


def test_directories_have_one_link_and_mode_0555(ground: Ground) -> None:
    for place in ("", "simple", "simple/numbers", "stored", "asof"):
        status = (ground.mount.path / place).stat()
        assert (oct(status.st_mode), status.st_nlink) == ("0o40555", 1)


def test_there_are_only_regular_files_and_directories(ground: Ground) -> None:
    kinds = {
        stat.S_IFMT(os.lstat(os.path.join(above, name)).st_mode)  # noqa: PTH118 - before 3.12 a Path has no walk
        for above, directories, files in os.walk(ground.mount.path)
        for name in [*directories, *files]
    }
    assert kinds == {stat.S_IFREG, stat.S_IFDIR}
    assert errno_of(ground.sealed.readlink) == "EINVAL"


def test_extended_attributes_are_read_without_the_network(ground: Ground) -> None:
    asked = len(ground.index.requests)
    names = set(os.listxattr(ground.remote))
    assert {f"user.wheelfs.{name}" for name in ("state", "sha256", "origin", "stored_bytes", "pinned", "upload_time")} <= names
    for name in names:
        os.getxattr(ground.remote, name)
    assert errno_of(lambda: os.getxattr(ground.remote, "user.other")) == "ENODATA"
    assert errno_of(lambda: os.getxattr(ground.remote, "security.capability")) == "ENODATA"
    assert len(ground.index.requests) == asked


def test_statfs_counts_the_stores_disk_and_names_end_at_255_bytes(ground: Ground) -> None:
    space, disk = os.statvfs(ground.mount.path), os.statvfs(ground.mount.store)
    assert space.f_blocks * space.f_frsize == pytest.approx(disk.f_blocks * disk.f_frsize, rel=0.01)
    assert (space.f_namemax, space.f_favail) == (255, 0)
    # Which of them depends on how long a name the kernel passes on to FUSE.
    assert errno_of((ground.mount.path / ("x" * 256)).stat) in ("ENOENT", "ENAMETOOLONG")


# --- directories --------------------------------------------------------------------------------------------------------


def test_every_listed_name_is_there_once_with_the_inode_and_kind_that_stat_gives(ground: Ground) -> None:
    for place in ("", "simple", "simple/numbers", "stored", "stored/simple", "here", "index"):
        with os.scandir(ground.mount.path / place) as entries:
            listed = [(entry.name, entry.inode(), entry.is_dir(follow_symlinks=False)) for entry in entries]
        assert len({name for name, _, _ in listed}) == len(listed)
        for name, inode, is_dir in listed:
            status = (ground.mount.path / place / name).stat()
            assert (status.st_ino, stat.S_ISDIR(status.st_mode)) == (inode, is_dir)


def test_a_rewound_directory_lists_what_is_there_now(ground: Ground, tmp_path: Path) -> None:
    name = wheel_filename("later", "1.0")
    (tmp_path / name).write_bytes(build_wheel("later", "1.0"))
    with opened(ground.mount.path, os.O_RDONLY | os.O_DIRECTORY) as before:
        first = os.listdir(before)
        ground.wheelfs("add", str(tmp_path / name))
        eventually(lambda: name in os.listdir(ground.mount.path))
        # os.listdir rewinds the descriptor that it is given.
        assert sorted(os.listdir(before)) == sorted([*first, name])
    ground.wheelfs("rm", name)
    eventually(lambda: name not in os.listdir(ground.mount.path))


def test_a_file_is_no_directory_and_a_directory_no_file(ground: Ground) -> None:
    assert errno_of((ground.sealed / "x").stat) == "ENOTDIR"
    assert errno_of(lambda: os.open(ground.sealed, os.O_RDONLY | os.O_DIRECTORY)) == "ENOTDIR"
    assert errno_of(lambda: os.open(ground.sealed.parent, os.O_WRONLY)) == "EISDIR"
    with opened(ground.sealed.parent) as fd:
        assert errno_of(lambda: os.read(fd, 1)) == "EISDIR"


def test_names_are_compared_byte_for_byte(ground: Ground) -> None:
    assert errno_of((ground.sealed.parent / ground.sealed.name.upper()).stat) == "ENOENT"
    assert errno_of((ground.mount.path / "SIMPLE").stat) == "ENOENT"


# --- reading --------------------------------------------------------------------------------------------------------------


def test_reads_may_start_anywhere_and_end_at_the_end(ground: Ground) -> None:
    size = len(ground.content)
    with opened(ground.sealed, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC) as fd:
        assert os.pread(fd, 4097, 12_345) == ground.content[12_345 : 12_345 + 4097]
        assert os.pread(fd, 100, size - 7) == ground.content[-7:]
        assert os.pread(fd, 100, size) == os.pread(fd, 100, size + 10_000) == b""
        assert os.lseek(fd, 0, os.SEEK_END) == size
        assert (os.lseek(fd, 5, os.SEEK_DATA), os.lseek(fd, 5, os.SEEK_HOLE)) == (5, size)
        assert errno_of(lambda: os.lseek(fd, size + 1, os.SEEK_DATA)) == "ENXIO"


def test_direct_reads_give_the_same_bytes(ground: Ground) -> None:
    with opened(ground.sealed, os.O_RDONLY | os.O_DIRECT) as fd, mmap.mmap(-1, 8192) as aligned:
        assert os.preadv(fd, [aligned], 4096) == 8192
        assert aligned[:] == ground.content[4096 : 4096 + 8192]


def test_a_path_only_descriptor_fetches_nothing(ground: Ground) -> None:
    fetched = ground.index.body_bytes(ground.remote.name)
    with opened(ground.remote, os.O_PATH) as fd:
        assert os.fstat(fd).st_size == len(ground.remote_content)
        assert errno_of(lambda: os.read(fd, 1)) == "EBADF"
    assert ground.index.body_bytes(ground.remote.name) == fetched


def test_the_kernel_copies_without_a_buffer_of_the_program(ground: Ground, tmp_path: Path) -> None:
    with opened(ground.sealed) as source, opened(tmp_path / "copy", os.O_WRONLY | os.O_CREAT) as target:
        sent = 0
        while (now := os.sendfile(target, source, sent, len(ground.content))) > 0:
            sent += now
    assert (tmp_path / "copy").read_bytes() == ground.content


def test_a_stored_file_is_read_again_from_the_page_cache_over_opens(ground: Ground) -> None:
    with opened(ground.sealed) as fd:
        assert os.pread(fd, len(ground.content), 0) == ground.content
    with opened(ground.sealed) as fd:
        # With the daemon stopped only the page cache can answer.  A thread reads: if the read waits, the test still ends.
        got: list[bytes] = []
        ground.mount.process.send_signal(signal.SIGSTOP)
        try:
            reader = threading.Thread(target=lambda: got.append(os.pread(fd, 100_000, 0)))
            reader.start()
            reader.join(DEADLINE_S)
            answered = list(got)
        finally:
            ground.mount.process.send_signal(signal.SIGCONT)
        reader.join(DEADLINE_S)
    assert answered == [ground.content[:100_000]]


def test_an_open_page_is_a_snapshot_and_the_next_open_sees_the_change(ground: Ground, tmp_path: Path) -> None:
    name = wheel_filename("snapshot", "1.0")
    (tmp_path / name).write_bytes(build_wheel("snapshot", "1.0"))
    page = ground.mount.path / "index.html"
    whole = page.read_bytes()
    with opened(page) as fd:
        assert os.pread(fd, 10, 0) == whole[:10]
        ground.wheelfs("add", str(tmp_path / name))
        eventually(lambda: name in page.read_text())
        assert os.pread(fd, len(whole) + 100_000, 0) == whole
    ground.wheelfs("rm", name)
    eventually(lambda: name not in page.read_text())


def test_a_removed_file_is_readable_until_it_is_closed(ground: Ground, tmp_path: Path) -> None:
    name, content = wheel_filename("fleeting", "1.0"), build_wheel("fleeting", "1.0", big_bytes=BIG)
    (tmp_path / name).write_bytes(content)
    ground.wheelfs("add", str(tmp_path / name))
    path = ground.mount.path / name
    eventually(path.exists)
    with opened(path) as fd:
        ground.wheelfs("rm", name)
        ground.wheelfs("gc")
        eventually(lambda: not path.exists())
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(fd, len(content), 0) == content


# --- mapping, locking and the rest ----------------------------------------------------------------------------------------


def test_a_stored_file_maps_shared_private_and_executable(ground: Ground) -> None:
    with opened(ground.sealed) as fd:
        for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE):
            with mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_EXEC) as mapped:
                assert mapped[:] == ground.content
        assert errno_of(lambda: mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_WRITE)) == "EACCES"


_MAPPING = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
try:
    mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
except OSError as error:
    print(error.errno, flush=True)
sys.stdout.buffer.write(mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)[:])
"""


def test_a_file_that_is_not_stored_maps_private_only(ground: Ground) -> None:
    name, content = ground.index.add_wheel("unmapped", "1.0", big_bytes=BIG)
    # In a process of its own: a page fault holds the GIL, and the index that has to send the page is a thread of this process.
    command = [sys.executable, "-c", _MAPPING, str(ground.mount.path / "simple" / "unmapped" / name)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"%d\n%s" % (errno.ENODEV, content)


def test_locks_are_those_of_the_machine(ground: Ground) -> None:
    with opened(ground.sealed) as mine, opened(ground.sealed) as other:
        fcntl.flock(mine, fcntl.LOCK_EX)
        assert errno_of(lambda: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)) == "EAGAIN"
        fcntl.flock(mine, fcntl.LOCK_UN)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(mine, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert errno_of(lambda: fcntl.lockf(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)) == "EBADF"


def test_syncing_and_closing_succeed_and_foreign_controls_are_enotty(ground: Ground) -> None:
    with opened(ground.sealed) as fd:
        os.fsync(fd)
        os.fdatasync(fd)
        assert errno_of(lambda: fcntl.ioctl(fd, 0x5413, b"\0" * 8)) == "ENOTTY"
    with opened(ground.sealed.parent) as fd:
        os.fsync(fd)
