"""A file system like a cluster's, in the test's hands: servers that go away, copies that differ, stale handles, clients' clocks.

``python -m tests.fakes.cluster_fs BACKING MOUNT`` mounts BACKING at MOUNT, and reads one JSON object a line from its standard
input, each answered by a line ``ok``:

- ``away``: the names of this one of `SERVERS` are ENOENT and missing from listings, and ENOTCONN when they are made;
- ``sick``: keys that are EIO;
- ``stale``: so many next look-ups of a file are ESTALE;
- ``late_s``: new names are listed by this much later;
- ``ahead_s``: what is written has times that are later by this, by the clock of this client;
- ``raced``: so many next directories that are renamed to their names are replaced at once by fresh ones, as another client does.
"""

from __future__ import annotations

import errno
import functools
import inspect
import itertools
import json
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyfuse3
import trio

if TYPE_CHECKING:
    from types import TracebackType

SERVERS: Final = 2
_START_S: Final = 30.0


def server_of(key: str) -> int:
    """Return which server has the object of a key, by its whole path below the root."""
    return zlib.crc32(key.encode()) % SERVERS


class ClusterFs(pyfuse3.Operations):
    """Passes everything on to ``backing`` that is not away."""

    def __init__(self, backing: Path) -> None:
        super().__init__()
        self._paths: dict[int, Path] = {int(pyfuse3.ROOT_INODE): backing}
        self._inodes: dict[Path, int] = {backing: int(pyfuse3.ROOT_INODE)}
        self._numbers = itertools.count(int(pyfuse3.ROOT_INODE) + 1)
        self._backing = backing
        self.away: int | None = None
        self.sick: list[str] = []
        self.stale = self.raced = 0
        self.ahead_s = self.late_s = 0.0
        self._named_s: dict[Path, float] = {}

    # --- names --------------------------------------------------------------------------------------------------------

    def _key(self, path: Path) -> str:
        return path.relative_to(self._backing).as_posix()

    def _is_away(self, path: Path) -> bool:
        # Directories are on every server, as GlusterFS has them; what writers are about to name is where it is made.
        is_object = not path.is_dir() and not path.name.startswith(".new-")
        return is_object and server_of(self._key(path)) == self.away

    def _at(self, inode: int) -> Path:
        if inode not in self._paths:
            raise pyfuse3.FUSEError(errno.ESTALE)
        return self._paths[inode]

    def _child(self, parent: int, name: bytes) -> Path:
        return self._at(parent) / os.fsdecode(name)

    def _entry(self, path: Path, *, listed: bool = False) -> pyfuse3.EntryAttributes:
        if self._key(path) in self.sick and not listed:
            raise pyfuse3.FUSEError(errno.EIO)
        status = path.lstat()
        # Never a number that another one had: the kernel may still ask for that.
        inode = self._inodes.get(path) or self._inodes.setdefault(path, next(self._numbers))
        self._paths[inode] = path
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.InodeT(inode)
        for name in ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_atime_ns", "st_mtime_ns", "st_ctime_ns"):
            setattr(entry, name, getattr(status, name))
        entry.attr_timeout = entry.entry_timeout = 0.0
        return entry

    async def lookup(self, parent: int, name: bytes, ctx: object) -> pyfuse3.EntryAttributes:
        path = self._child(parent, name)
        if self.stale and path.is_file():
            self.stale -= 1
            raise pyfuse3.FUSEError(errno.ESTALE)
        if self._is_away(path):
            raise pyfuse3.FUSEError(errno.ENOENT)
        return self._entry(path)

    async def getattr(self, inode: int, ctx: object) -> pyfuse3.EntryAttributes:
        return self._entry(self._at(inode))

    async def setattr(self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: object) -> pyfuse3.EntryAttributes:
        path = self._at(inode)
        if fields.update_mode:
            path.chmod(attr.st_mode & 0o7777)
        if fields.update_size:
            os.truncate(path, attr.st_size)
        return self._entry(path)

    def _is_listed(self, path: Path) -> bool:
        return time.monotonic() - self._named_s.get(path, 0.0) >= self.late_s

    async def opendir(self, inode: int, ctx: object) -> int:
        return inode

    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        names = sorted(path for path in self._at(fh).iterdir() if not self._is_away(path) and self._is_listed(path))
        for number, path in list(enumerate(names, 1))[start_id:]:
            if not pyfuse3.readdir_reply(token, os.fsencode(path.name), self._entry(path, listed=True), number):
                break

    async def statfs(self, ctx: object) -> pyfuse3.StatvfsData:
        found, data = os.statvfs(self._backing), pyfuse3.StatvfsData()
        for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"):
            setattr(data, name, getattr(found, name))
        return data

    # --- changes ------------------------------------------------------------------------------------------------------

    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: object) -> pyfuse3.EntryAttributes:
        path = self._child(parent, name)
        path.mkdir(mode=mode & 0o7777)
        return self._entry(path)

    async def rename(self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, ctx: object) -> None:
        source, target = self._child(parent, name), self._child(new_parent, new_name)
        source.rename(target)
        if self.raced and target.is_dir():
            self.raced -= 1
            target.rmdir()
            target.mkdir()
            self._paths.pop(self._inodes.pop(target, 0), None)

    async def link(self, inode: int, new_parent: int, new_name: bytes, ctx: object) -> pyfuse3.EntryAttributes:
        source, target = self._at(inode), self._child(new_parent, new_name)
        if server_of(self._key(target)) == self.away:
            raise pyfuse3.FUSEError(errno.ENOTCONN)
        os.link(source, target)
        self._named_s[target] = time.monotonic()
        # The kernel's inode stays that of the first name.
        entry = self._entry(target)
        entry.st_ino = pyfuse3.InodeT(inode)
        self._paths[inode] = target
        return entry

    async def unlink(self, parent: int, name: bytes, ctx: object) -> None:
        self._remove(self._child(parent, name), os.unlink)

    async def rmdir(self, parent: int, name: bytes, ctx: object) -> None:
        self._remove(self._child(parent, name), os.rmdir)

    def _remove(self, path: Path, remove: Any) -> None:
        if self._is_away(path):
            raise pyfuse3.FUSEError(errno.ENOENT)
        remove(path)
        self._inodes.pop(path, None)

    # --- contents -----------------------------------------------------------------------------------------------------

    async def create(self, parent: int, name: bytes, mode: int, flags: int, ctx: object) -> tuple[Any, Any]:
        path = self._child(parent, name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode & 0o7777)
        at_s = time.time() + self.ahead_s
        os.utime(descriptor, (at_s, at_s))
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(descriptor)), self._entry(path)

    async def open(self, inode: int, flags: int, ctx: object) -> pyfuse3.FileInfo:
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(os.open(self._at(inode), flags & ~os.O_NOFOLLOW)))

    async def read(self, fh: int, off: int, size: int) -> bytes:
        return os.pread(fh, size, off)

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        count = os.pwrite(fh, buf, off)
        at_s = time.time() + self.ahead_s
        os.utime(fh, (at_s, at_s))
        return count

    async def fsync(self, fh: int, datasync: bool) -> None:
        """Nothing: no test of this file system cuts the power."""

    async def release(self, fh: int) -> None:
        os.close(fh)

    def __getattribute__(self, name: str) -> Any:
        """Have what the file system below refuses be refused here: an exception of another kind would end the mount."""
        handler = super().__getattribute__(name)
        if name.startswith("_") or not inspect.iscoroutinefunction(handler):
            return handler

        @functools.wraps(handler)
        async def refusing(*arguments: Any) -> Any:
            try:
                return await handler(*arguments)
            except OSError as error:
                raise pyfuse3.FUSEError(error.errno or errno.EIO) from None

        return refusing

    # --- orders -------------------------------------------------------------------------------------------------------

    async def obey(self) -> None:
        """Do what the lines on standard input say; ends with them."""
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            for name, value in json.loads(line).items():
                setattr(self, name, value)
            sys.stdout.write("ok\n")
            sys.stdout.flush()


class Cluster:
    """The file system in a process of its own, mounted while in the block."""

    def __init__(self, path: Path) -> None:
        """``path`` gets two directories."""
        self.backing, self.mount = path / "backing", path / "mounted"

    def __enter__(self) -> Cluster:
        for directory in (self.backing, self.mount):
            directory.mkdir(parents=True)
        command = [sys.executable, "-m", "tests.fakes.cluster_fs", str(self.backing), str(self.mount)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        deadline_s = time.monotonic() + _START_S
        while not self.mount.is_mount():
            assert self._process.poll() is None, "it ended"
            assert time.monotonic() < deadline_s, "it is not mounted"
            time.sleep(0.02)
        return self

    def order(self, **orders: object) -> None:
        """Change how it behaves."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ok\n"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        subprocess.run(["umount", "-l", str(self.mount)], check=False)
        try:
            self._process.communicate(timeout=10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def main() -> None:
    """Mount, until unmounted."""
    backing, mount = sys.argv[1:]
    operations = ClusterFs(Path(backing))
    pyfuse3.init(operations, mount, {*pyfuse3.default_options, "fsname=cluster-fs"} - {"default_permissions"})

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(operations.obey)
            await pyfuse3.main()
            nursery.cancel_scope.cancel()

    try:
        trio.run(run)
    finally:
        pyfuse3.close(unmount=False)


if __name__ == "__main__":
    main()
