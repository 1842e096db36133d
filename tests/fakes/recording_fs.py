"""A file system that remembers, in order, everything that was done to it: what a power cut leaves is drawn from that (`power`).

``python -m tests.fakes.recording_fs BACKING MOUNT RECORD`` mounts BACKING at MOUNT until it is unmounted, and then writes a
pickle of the list of `Operation` to RECORD.  Inodes in it are those of BACKING.
"""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pyfuse3
import trio

from tests.fakes.power import Make, Move, Name, Resize, Sync, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.power import Operation

_START_S: Final = 30.0
_END_S: Final = 60.0
_DURABLE: Final = os.O_DSYNC | os.O_SYNC


class RecordingFs(pyfuse3.Operations):
    """Passes everything on to ``backing``."""

    def __init__(self, backing: Path) -> None:
        super().__init__()
        self.record: list[Operation] = []
        self._root = backing.stat().st_ino
        self._paths: dict[int, Path] = {int(pyfuse3.ROOT_INODE): backing}
        self._open: dict[int, int] = {}
        """By handle: the flags of opening."""
        self._inodes: dict[int, int] = {}
        """By handle: the backing inode."""

    # --- names --------------------------------------------------------------------------------------------------------

    def _number(self, inode: int) -> int:
        return self._root if inode == pyfuse3.ROOT_INODE else inode

    def _child(self, parent: int, name: bytes) -> Path:
        return self._paths[parent] / os.fsdecode(name)

    def _entry(self, status: os.stat_result, path: Path | None = None) -> pyfuse3.EntryAttributes:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.ROOT_INODE if status.st_ino == self._root else pyfuse3.InodeT(status.st_ino)
        if path is not None:
            self._paths[int(entry.st_ino)] = path
        for name in ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_atime_ns", "st_mtime_ns", "st_ctime_ns"):
            setattr(entry, name, getattr(status, name))
        entry.attr_timeout = entry.entry_timeout = 0.0
        return entry

    def _status(self, inode: int) -> os.stat_result:
        # An open file may have no name any more.
        held = next((handle for handle, number in self._inodes.items() if number == inode), None)
        with _as_fuse_errors():
            return self._paths[inode].lstat() if held is None else os.fstat(held)

    async def lookup(self, parent: int, name: bytes, ctx: object) -> pyfuse3.EntryAttributes:
        path = self._child(parent, name)
        with _as_fuse_errors():
            return self._entry(path.lstat(), path)

    async def getattr(self, inode: int, ctx: object) -> pyfuse3.EntryAttributes:
        return self._entry(self._status(inode))

    async def setattr(self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: object) -> pyfuse3.EntryAttributes:
        held = fh if fh is not None else next((one for one, number in self._inodes.items() if number == inode), None)
        with _as_fuse_errors():
            if fields.update_mode:
                self._paths[inode].chmod(attr.st_mode & 0o7777)
            if fields.update_size:
                os.truncate(self._paths[inode] if held is None else held, attr.st_size)
                self.record.append(Resize(self._number(inode), attr.st_size))
        return self._entry(self._status(inode))

    async def opendir(self, inode: int, ctx: object) -> int:
        return inode

    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        names = sorted(self._paths[fh].iterdir())
        for number, path in list(enumerate(names, 1))[start_id:]:
            if not pyfuse3.readdir_reply(token, os.fsencode(path.name), self._entry(path.lstat(), path), number):
                break

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        self.record.append(Sync(self._number(fh)))

    async def statfs(self, ctx: object) -> pyfuse3.StatvfsData:
        found, data = os.statvfs(self._paths[int(pyfuse3.ROOT_INODE)]), pyfuse3.StatvfsData()
        for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"):
            setattr(data, name, getattr(found, name))
        return data

    # --- changes of names ---------------------------------------------------------------------------------------------

    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: object) -> pyfuse3.EntryAttributes:
        path = self._child(parent, name)
        with _as_fuse_errors():
            path.mkdir(mode=mode & 0o7777)
        entry = self._entry(path.lstat(), path)
        self.record += [Make(int(entry.st_ino), True), Name(self._number(parent), path.name, int(entry.st_ino))]
        return entry

    async def rename(self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, ctx: object) -> None:
        source, target = self._child(parent, name), self._child(new_parent, new_name)
        with _as_fuse_errors():
            source.rename(target)
        moved = target.lstat().st_ino
        for inode, path in self._paths.items():
            if path == source or source in path.parents:
                self._paths[inode] = target / path.relative_to(source)
        self._paths[moved] = target
        places = (self._number(parent), source.name), (self._number(new_parent), target.name)
        self.record.append(Move(moved, *places))

    async def link(self, inode: int, new_parent: int, new_name: bytes, ctx: object) -> pyfuse3.EntryAttributes:
        target = self._child(new_parent, new_name)
        with _as_fuse_errors():
            os.link(self._paths[inode], target)
        self.record.append(Name(self._number(new_parent), target.name, inode))
        return self._entry(target.lstat(), target)

    async def unlink(self, parent: int, name: bytes, ctx: object) -> None:
        path = self._child(parent, name)
        with _as_fuse_errors():
            path.unlink()
        self.record.append(Name(self._number(parent), path.name, None))

    async def rmdir(self, parent: int, name: bytes, ctx: object) -> None:
        path = self._child(parent, name)
        with _as_fuse_errors():
            path.rmdir()
        self.record.append(Name(self._number(parent), path.name, None))

    # --- contents -----------------------------------------------------------------------------------------------------

    def _opened(self, descriptor: int, flags: int) -> pyfuse3.FileInfo:
        self._open[descriptor] = flags
        self._inodes[descriptor] = os.fstat(descriptor).st_ino
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(descriptor))

    async def create(self, parent: int, name: bytes, mode: int, flags: int, ctx: object) -> tuple[Any, Any]:
        path = self._child(parent, name)
        with _as_fuse_errors():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode & 0o7777)
        entry = self._entry(path.lstat(), path)
        self.record += [Make(int(entry.st_ino), False), Name(self._number(parent), path.name, int(entry.st_ino))]
        return self._opened(descriptor, flags), entry

    async def open(self, inode: int, flags: int, ctx: object) -> pyfuse3.FileInfo:
        with _as_fuse_errors():
            # Writing may need reading: the kernel fills pages that are written in part.
            return self._opened(os.open(self._paths[inode], os.O_RDWR), flags)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        return os.pread(fh, size, off)

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        with _as_fuse_errors():
            count = os.pwrite(fh, buf, off)
        self.record.append(Write(self._inodes[fh], off, bytes(buf[:count]), bool(self._open[fh] & _DURABLE)))
        return count

    async def flush(self, fh: int) -> None:
        """Nothing: closing makes nothing durable."""

    async def fsync(self, fh: int, datasync: bool) -> None:
        self.record.append(Sync(self._inodes[fh]))

    async def release(self, fh: int) -> None:
        del self._open[fh], self._inodes[fh]
        os.close(fh)


class _as_fuse_errors:  # noqa: N801 - reads like the function that it is
    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise pyfuse3.FUSEError(error.errno or errno.EIO) from None


class Recording:
    """The file system in a process of its own, mounted at ``mount`` while in the block; `record` is there after it."""

    def __init__(self, path: Path) -> None:
        """``path`` gets two directories and the record."""
        self.backing, self.mount = path / "backing", path / "mounted"
        self._file = path / "record"

    def __enter__(self) -> Self:
        for directory in (self.backing, self.mount):
            directory.mkdir(parents=True)
        command = [sys.executable, "-m", "tests.fakes.recording_fs", str(self.backing), str(self.mount), str(self._file)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline_s = time.monotonic() + _START_S
        while not self.mount.is_mount():
            assert self._process.poll() is None, "it ended"
            assert time.monotonic() < deadline_s, "it is not mounted"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.mount)], check=False)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            subprocess.run(["umount", "-l", str(self.mount)], check=False)
            self._process.kill()
            self._process.wait()

    @property
    def root(self) -> int:
        """The inode of the root directory."""
        return self.backing.stat().st_ino

    def operations(self) -> Iterator[Operation]:
        """Yield what was done, in order."""
        yield from pickle.loads(self._file.read_bytes())


def main() -> None:
    """Mount, until unmounted."""
    backing, mount, record = map(Path, sys.argv[1:])
    operations = RecordingFs(backing)
    pyfuse3.init(operations, str(mount), {*pyfuse3.default_options, "fsname=recording-fs"})
    try:
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close(unmount=False)
        record.write_bytes(pickle.dumps(operations.record))


if __name__ == "__main__":
    main()
