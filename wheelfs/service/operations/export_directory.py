"""A directory of plain files that is written for others: each file appears whole, under its name, or not at all.

One process at a time writes (a lock on the directory, where its file system has locks).  A run that was killed leaves one file
with a hidden name, which the next run writes over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from wheelfs.errors import DestinationError, StoreDamaged
from wheelfs.file_io import write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

UNFINISHED: Final = ".wheelfs-export.part"
"""What a file is called until it is whole; beside its final place, so that giving it its name is one step."""

_NO_LOCKS: Final = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_ADVICE: Final = {
    errno.ENOSPC: "make room, or name another directory, and run it again: what is whole is not written again",
    errno.EDQUOT: "make room, or name another directory, and run it again: what is whole is not written again",
    errno.EACCES: "name a directory that you may write to",
    errno.EPERM: "name a directory that you may write to",
    errno.EROFS: "name a directory that can be written to",
    errno.ENOTDIR: "name a directory",
    errno.EEXIST: "name a directory",
}


class Destination:
    """An open directory to write to; ``path`` is absolute."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use `open`."""
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the directory where it is missing, and lock it; raises `DestinationError`."""
        path = path.absolute()
        attempted = f"export to {path}"
        with _os_errors_as_failures(attempted):
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DestinationError(attempted, "another export is at work there", "wait until it has ended") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise _error(attempted, error) from error
        return cls(path, descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)

    def has(self, name: str, size_bytes: int, sha256: bytes) -> bool:
        """Tell whether a file is there whole; reads all of it where its size is right."""
        with _os_errors_as_failures(f"look at {self.path / name}"):
            try:
                descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                    return False
                raise
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or status.st_size != size_bytes:
                    return False
                return hashlib.file_digest(file, "sha256").digest() == sha256

    def holds(self, name: str, size_bytes: int | None) -> bool:
        """Tell whether a file of that size is there (None: of any), without reading it."""
        try:
            status = (self.path / name).lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and size_bytes in (None, status.st_size)

    def write(self, name: str, pieces: Iterable[bytes], *, sha256: bytes, mtime_ns: int | None = None) -> None:
        """Write a file in place of what is there; raises `StoreDamaged`, with nothing changed, where ``pieces`` are not it."""
        attempted = f"write {self.path / name}"
        unfinished = (self.path / name).with_name(UNFINISHED)
        with _os_errors_as_failures(attempted):
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)  # not written over: it could be a link to elsewhere
        digest = hashlib.sha256()
        try:
            with _os_errors_as_failures(attempted), unfinished.open("xb", buffering=0) as file:
                size_bytes = 0
                for piece in pieces:
                    digest.update(piece)
                    write_all(file.fileno(), piece, size_bytes)
                    size_bytes += len(piece)
                if digest.digest() != sha256:
                    raise StoreDamaged(attempted, "its stored bytes have another sha256", "run: wheelfs verify --repair")
                os.fsync(file.fileno())
                if mtime_ns is not None:
                    os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
            with _os_errors_as_failures(attempted):
                unfinished.replace(self.path / name)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def write_text(self, name: str, text: bytes) -> None:
        """Write a small file unless it is there as it is to be."""
        sha256 = hashlib.sha256(text).digest()
        if not self.has(name, len(text), sha256):
            self.write(name, [text], sha256=sha256)

    def read(self, name: str) -> bytes | None:
        """Return a small file, or None where there is none."""
        with _os_errors_as_failures(f"read {self.path / name}"):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def directories(self, name: str) -> list[str]:
        """Return the names of the directories below one, in order."""
        with _os_errors_as_failures(f"list {self.path / name}"):
            try:
                return sorted(entry.name for entry in (self.path / name).iterdir() if entry.is_dir())
            except FileNotFoundError:
                return []

    def sync(self) -> None:
        """Bring the names of the files to disk, where the file system can do that."""
        with suppress(OSError):
            os.fsync(self._descriptor)


@contextmanager
def _os_errors_as_failures(attempted: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _error(attempted, error) from error


def _error(attempted: str, error: OSError) -> DestinationError:
    return DestinationError(attempted, error.strerror or str(error), _ADVICE.get(error.errno or 0, ""))
