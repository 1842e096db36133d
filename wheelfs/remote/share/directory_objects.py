"""Objects in a directory that many machines see: a cluster's file system, NFS, Lustre.

Not through obstore, whose local store flushes nothing: after a power loss its objects may be there and empty.  Nothing here needs
locks, an order of listing, or that what one machine wrote is seen by another at once.

What is made is as open as the share's directory: those who may read it can read each object, those who may write to it can add
some.  The umask of the first writer would otherwise shut out all others.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginUnreachable
from wheelfs.file_io import write_all
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.share_objects import FoundObject

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_IS_THERE: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY})
_NO_LINKS: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class DirectoryObjects:
    """Objects as files.  The directory itself has to be there: where a file system is not mounted, none is to be made up."""

    def __init__(self, directory: str) -> None:
        """``directory`` is absolute."""
        self._root = Path(directory)
        self.url = self._root.as_uri()

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        content = self.read_range(key, 0, limit_bytes + 1)
        if content is not None and len(content) > limit_bytes:
            raise ShareFormatError(f"it is larger than {limit_bytes} bytes")
        return content

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        parts: list[bytes] = []
        try:
            with (self._root / key).open("rb", buffering=0) as file:
                while start < end and (part := os.pread(file.fileno(), end - start, start)):
                    parts.append(part)
                    start += len(part)
        except OSError as error:
            if error.errno in _NOTHING:
                self._check_root(key)
                return None
            raise self._error("read", key, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def create(self, key: str, content: bytes) -> bool:
        final = self._root / key
        # A name of our own, so that no two machines ever write to one file; what a killed writer leaves is not visible.
        temporary = final.with_name(f".new-{secrets.token_hex(16)}")
        try:
            mode = stat.S_IMODE(self._root.stat().st_mode)
            if final.exists():
                return False
            self._make(final.parent, mode)
            try:
                with temporary.open("xb", buffering=0) as file:
                    # Readable for all, writable for none: an object never changes.
                    _open_up(temporary, stat.S_IRUSR | stat.S_IWUSR | mode & (stat.S_IRGRP | stat.S_IROTH))
                    write_all(file.fileno(), content, 0)
                    os.fsync(file.fileno())
                is_first = _named(temporary, final)
            finally:
                temporary.unlink(missing_ok=True)
            _flush(final.parent)
        except OSError as error:
            raise self._error("write", key, error) from error
        return is_first

    def found(self, prefix: str) -> Iterator[FoundObject]:
        def raised(error: OSError) -> None:
            if error.errno not in _NOTHING:
                raise self._error("list", prefix, error) from error

        self._check_root(prefix)
        for directory, _, names in os.walk(self._root / prefix, onerror=raised):
            for path in (Path(directory) / name for name in names):
                try:
                    status = path.lstat()
                except OSError as error:
                    raised(error)  # it may have been deleted meanwhile
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield FoundObject(path.relative_to(self._root).as_posix(), status.st_size, status.st_mtime)

    def delete(self, key: str) -> None:
        try:
            self._root.stat()
            (self._root / key).unlink(missing_ok=True)
        except OSError as error:
            raise self._error("delete", key, error) from error

    def _make(self, directory: Path, mode: int) -> None:
        """Make a directory below the root, durably."""
        if directory.is_dir():
            return
        self._make(directory.parent, mode)
        # Under another name until it has its mode: others may want to write to it at once, and we may be killed here.
        made = directory.with_name(f".new-{secrets.token_hex(16)}")
        made.mkdir()
        try:
            _open_up(made, mode)
            made.rename(directory)
        except OSError as error:
            made.rmdir()
            if error.errno not in _IS_THERE:
                raise
        _flush(directory.parent)

    def _check_root(self, key: str) -> None:
        if not self._root.is_dir():
            raise self._error("read", key, FileNotFoundError(errno.ENOENT, "no such directory"))

    def _attempted(self, verb: str, key: str) -> str:
        return f"{verb} {key} in the share {self.url}"

    def _error(self, verb: str, key: str, error: OSError) -> OriginError:
        attempted, happened = self._attempted(verb, key), (error.strerror or str(error)).lower()
        if error.errno in _REFUSED:
            return OriginDenied(attempted, happened, "check read (and, for push, write) permission")
        if error.errno in _NOTHING:
            # Not that an object is missing, which is no error: all of them are away with the directory.
            advice = "is its file system mounted? if it is to be new, make the directory first"
            return OriginUnreachable(attempted, happened, advice)
        if error.errno in _NO_ROOM:
            return OriginFault(attempted, happened, "make room there and run it again")
        if error.errno in _NO_LINKS:
            return OriginFault(attempted, happened, "only a file system with hard links can be pushed to")
        return OriginFault(attempted, happened)


def _open_up(path: Path, mode: int) -> None:
    """Give what we have just made this mode, where its file system has modes."""
    if stat.S_IMODE(path.stat().st_mode) != mode:
        with suppress(OSError):
            path.chmod(mode)


def _named(temporary: Path, final: Path) -> bool:
    """Give a file its final name, and tell whether it was free.  A link, and not a rename, which replaces what is there."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        # NFS may lose an answer and ask again: then the file that is there is this one (open(2), at O_EXCL).
        return temporary.stat().st_nlink == 2
    return True


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no fsync of directories, and need none
            raise
    finally:
        os.close(descriptor)
