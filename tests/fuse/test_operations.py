"""What programs see through a real mount of a fake tree."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.trees import UPLOADED_NS
from tests.fuse.mounting import DEADLINE_S, Mount, mounted, requires_fuse, shell, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = requires_fuse()

ENTRIES = 50_000


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    with mounted(tmp_path_factory.mktemp("fuse") / "mnt", entries=ENTRIES) as mount:
        yield mount


def errno_of(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def test_everything_that_changes_something_is_erofs(mount: Mount) -> None:
    wheel, new = mount.path / "a.whl", mount.path / "new"
    attempts: dict[str, Callable[[], object]] = {
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "write": lambda: os.open(wheel, os.O_WRONLY),
        "read-write": lambda: os.open(wheel, os.O_RDWR),
        "truncate at open": lambda: os.open(wheel, os.O_RDONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(wheel, 0),
        "mkdir": lambda: new.mkdir(),
        "rmdir": lambda: (mount.path / "slow").rmdir(),
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
    assert {name: errno_of(call) for name, call in attempts.items()} == dict.fromkeys(attempts, errno.EROFS)
    assert wheel.read_bytes() == b"wheel" * 1000


def test_attributes_are_those_of_the_tree(mount: Mount) -> None:
    status, above = (mount.path / "a.whl").stat(), (mount.path / "many").stat()
    assert (oct(status.st_mode), oct(above.st_mode)) == ("0o100444", "0o40555")
    assert (status.st_size, status.st_blocks, status.st_nlink) == (5000, 10, 1)
    assert (status.st_mtime_ns, status.st_ctime_ns, status.st_atime_ns) == (UPLOADED_NS,) * 3
    assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
    assert mount.path.stat().st_ino == 1


def test_a_large_directory_lists_completely_with_attributes(mount: Mount) -> None:
    with os.scandir(mount.path / "many") as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    assert sizes == {f"project-{n}-1.0-py3-none-any.whl": n % 7 for n in range(ENTRIES)}
    assert len(shell("ls", str(mount.path / "many")).splitlines()) == ENTRIES


def test_a_listing_saves_the_lookups(mount: Mount) -> None:
    (mount.path / "many" / "project-7-1.0-py3-none-any.whl").stat()
    # Not by `ls -l`, which asks for two extended attributes of every file besides.
    with os.scandir(mount.path / "many") as entries:
        assert sum(entry.stat().st_size == 3 for entry in entries) > 0
    before = mount.tell("lookups", "project-9-1.0-py3-none-any.whl")
    (mount.path / "many" / "project-9-1.0-py3-none-any.whl").stat()
    assert mount.tell("lookups", "project-9-1.0-py3-none-any.whl") == before


def test_statfs_is_the_trees_space(mount: Mount) -> None:
    space = os.statvfs(mount.path)
    assert space.f_blocks * space.f_frsize == 1 << 30
    assert space.f_bavail * space.f_frsize == 1 << 29
    assert (space.f_files, space.f_namemax) == (7, 255)


def test_extended_attributes_read_and_list(mount: Mount) -> None:
    wheel = mount.path / "a.whl"
    assert sorted(os.listxattr(wheel)) == ["user.wheelfs.origin", "user.wheelfs.state"]
    assert os.getxattr(wheel, "user.wheelfs.state") == b"stored"
    assert errno_of(lambda: os.getxattr(wheel, "user.wheelfs.nothing")) == errno.ENODATA
    assert errno_of(lambda: os.getxattr(wheel, "security.capability")) == errno.ENODATA
    assert os.listxattr(mount.path / "page.html") == []


def test_short_reads_of_direct_io_are_no_end_of_file(mount: Mount) -> None:
    fd = os.open(mount.path / "remote.whl", os.O_RDONLY)
    try:
        assert len(os.read(fd, 4096)) == 1000
    finally:
        os.close(fd)
    assert (mount.path / "remote.whl").read_bytes() == b"0123456789" * 1000


def test_a_name_that_is_not_utf8_does_not_exist(mount: Mount) -> None:
    assert errno_of(lambda: os.stat(os.fsencode(mount.path) + b"/\xff\xfe"))  # noqa: PTH116 == errno.ENOENT


def test_inodes_that_collide_are_told_apart(mount: Mount) -> None:
    twice = mount.path / "twice"
    assert (twice / "file").read_bytes() == b"f"
    assert (twice / "directory" / "inside").read_bytes() == b"inside"
    assert (twice / "file").stat().st_ino != (twice / "directory").stat().st_ino
    assert (twice / "file").read_bytes() == b"f"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("OriginUnreachable", errno.ENETUNREACH),
        ("OriginTimeout", errno.ETIMEDOUT),
        ("OriginDenied", errno.EACCES),
        ("OriginMissing", errno.ENOENT),
        ("OriginFault", errno.EREMOTEIO),
        ("StoreFull", errno.ENOSPC),
        ("StoreDamaged", errno.EIO),
    ],
)
def test_an_error_of_the_tree_is_its_errno_and_counted(mount: Mount, name: str, number: int) -> None:
    assert errno_of((mount.path / "broken" / name).read_bytes) == number
    assert ["open", name] in mount.tell("counted")


def test_a_bound_that_trio_enforced_is_a_timeout(mount: Mount) -> None:
    assert errno_of((mount.path / "broken" / "too-slow").read_bytes) == errno.ETIMEDOUT


@pytest.mark.parametrize("name", ["lookup", "refreshed", "open", "read", "xattrs", "listing"])
def test_a_bug_in_the_tree_is_eio_and_the_mount_lives_on(mount: Mount, name: str) -> None:
    path = mount.path / "broken" / f"bug-{name}"
    calls: dict[str, Callable[[], object]] = {
        "lookup": path.stat,
        "refreshed": lambda: _fstat_past_the_cache(mount.path / "broken" / "bug-refreshed"),
        "open": path.read_bytes,
        "read": path.read_bytes,
        "xattrs": lambda: os.listxattr(path),
        "listing": lambda: list(path.iterdir()),
    }
    assert errno_of(calls[name]) == errno.EIO
    assert "a bug in the tree" in mount.log.read_text()
    assert (mount.path / "a.whl").read_bytes() == b"wheel" * 1000


def _fstat_past_the_cache(path: Path) -> None:
    program = "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\nbuffer = ctypes.create_string_buffer(256)\n"
    program += "AT_FDCWD, AT_STATX_FORCE_SYNC = -100, 0x2000\n"
    program += "r = libc.statx(AT_FDCWD, os.fsencode(sys.argv[1]), AT_STATX_FORCE_SYNC, 0x7ff, buffer)\n"
    program += "sys.exit(ctypes.get_errno() if r else 0)\n"
    number = subprocess.run([sys.executable, "-c", program, str(path)], timeout=DEADLINE_S, check=False).returncode
    if number:
        raise OSError(number, os.strerror(number))


def test_a_bug_while_closing_leaves_the_mount_alone(mount: Mount) -> None:
    assert (mount.path / "broken" / "bug-close").read_bytes() == b"x" * 10
    until(lambda: "release failed by a bug" in mount.log.read_text(), "the release is logged")
    assert (mount.path / "a.whl").stat().st_size == 5000


def test_a_page_that_changed_is_seen_whole_at_once(mount: Mount) -> None:
    page = mount.path / "page.html"
    assert page.read_text() == "<p>one</p>"
    longer = "<p>two</p>" * 1000
    mount.tell("rewrite", "page.html", longer)
    assert page.read_text() == longer
    until(lambda: page.stat().st_size == len(longer), "the new size is seen")


def test_a_new_name_is_seen_although_its_absence_was_cached_for_an_hour(mount: Mount) -> None:
    new = mount.path / "fresh.whl"
    assert not new.exists()
    assert not new.exists()
    assert mount.tell("lookups", "fresh.whl") == 1, "the second question is answered by the kernel"
    mount.tell("add", "", "fresh.whl", "fresh")
    until(new.exists, "the new name")
    assert new.read_text() == "fresh"


def test_sixty_four_hung_reads_leave_everything_else_answering(tmp_path: Path) -> None:
    with mounted(tmp_path / "mnt") as mount:
        contents: list[int] = []

        def read(number: int) -> None:
            contents.append(len((mount.path / "hung" / f"{number}.whl").read_bytes()))

        readers = [threading.Thread(target=read, args=(number,)) for number in range(64)]
        for reader in readers:
            reader.start()
        slow = threading.Thread(target=lambda: (mount.path / "slow" / "waits").exists())
        slow.start()
        try:
            until(lambda: _waiting(mount) >= 65, "all readers and the look-up hang")
            assert (mount.path / "a.whl").read_bytes() == b"wheel" * 1000
            assert "a.whl" in shell("ls", "-l", str(mount.path))
            assert "wheelfs" in shell("df", str(mount.path))
            # Entries that change in the directory of a hung look-up must not hold up what changes elsewhere.
            mount.tell("add", "slow", "new.whl", "new")
            assert not (mount.path / "many" / "new.whl").exists()
            mount.tell("add", "many", "new.whl", "new")
            until((mount.path / "many" / "new.whl").exists, "a change in another directory")
            assert not contents
        finally:
            mount.tell("release")
            for thread in (*readers, slow):
                thread.join(DEADLINE_S)
        assert contents == [40_000] * 64
        assert (mount.path / "slow" / "new.whl").read_bytes() == b"new"


def _waiting(mount: Mount) -> int:
    minor = os.minor(mount.path.stat().st_dev)
    return int(Path(f"/sys/fs/fuse/connections/{minor}/waiting").read_text())
