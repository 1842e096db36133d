"""Objects in a directory that many machines see: a cluster's file system, NFS, Lustre.

Not through obstore, whose local store flushes nothing: after a power loss its objects may be there and empty.  Nothing here needs
locks, an order of listing, or that what one machine wrote is seen by another at once.

What is made is as open as the share's directory: those who may read it can read each object, those who may write to it can add
some.  The umask of the first writer would otherwise shut out all others.

Others may write here, so nothing is trusted to be what its name says.  Writing goes from directory to directory by descriptor and
follows no link below the root: a link that takes the place of a directory would let its maker choose what we write and open up.
What is no regular file is an object without bytes, there and damaged: a FIFO opened as a file would be waited for without end.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
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
_NO_LINKS: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_AWAY: Final = frozenset({errno.ENOTCONN, errno.EHOSTDOWN, errno.ESTALE})
"""What a cluster's file system says of what lies on a server that is away, whether there is such a thing or not."""
_SICK: Final = frozenset({errno.EIO, errno.EREMOTEIO})
"""What it says of a name whose copies differ."""
_NO_FILE: Final = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR})
"""What ``open`` says of a link that is not followed, of a socket, and of a directory on some file systems."""
_REPLACED: Final = frozenset({errno.ENOENT, errno.ESTALE})
"""What a client sees whose directory was replaced by another client's, made in the same moment."""

_ATTEMPTS: Final = 5
"""Each takes another client that makes the same directory at the same moment."""
_TEMPORARY: Final = ".new-"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


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
        for attempt in range(_ATTEMPTS):
            try:
                return _bytes_of(self._root / key, start, end)
            except OSError as error:
                if error.errno in _NOTHING:
                    self._check_root(key)
                    return None
                if error.errno != errno.ESTALE or attempt == _ATTEMPTS - 1:
                    raise self._error("read", key, error) from error
        raise AssertionError("unreachable")

    def create(self, key: str, content: bytes) -> bool:
        *parents, name = key.split("/")
        for attempt in range(_ATTEMPTS):
            try:
                with self._opened_root() as root:
                    mode = stat.S_IMODE(os.fstat(root).st_mode)
                    with _opened(root, parents, mode=mode) as directory:
                        return not _is_there(directory, name) and _created(directory, name, content, mode)
            except OSError as error:
                # The directory was ours a moment ago: another client's took its place, or its handle went stale.
                if error.errno not in _REPLACED or attempt == _ATTEMPTS - 1 or not self._root.is_dir():
                    raise self._error("write", key, error) from error
        raise AssertionError("unreachable")

    def found(self, prefix: str) -> Iterator[FoundObject]:
        def raised(error: OSError) -> None:
            if error.errno not in _NOTHING:
                raise self._error("list", prefix, error) from error

        self._check_root(prefix)
        for directory, below, names in os.walk(self._root / prefix, onerror=raised):
            # Directories that a killed writer was about to name.
            left_over = [name for name in below if name.startswith(_TEMPORARY)]
            for path in (Path(directory) / name for name in (*names, *left_over)):
                try:
                    status = path.lstat()
                except OSError as error:
                    raised(error)  # it may have been deleted meanwhile
                    continue
                key = path.relative_to(self._root).as_posix()
                is_object = stat.S_ISREG(status.st_mode) or (stat.S_ISDIR(status.st_mode) and path.name in left_over)
                if is_object and key.isascii():  # all of ours are, and others may be no text at all
                    yield FoundObject(key, status.st_size, status.st_mtime)

    def delete(self, key: str) -> None:
        *parents, name = key.split("/")
        try:
            with self._opened_root() as root:
                try:
                    with _opened(root, parents) as directory:
                        _delete(directory, name)
                except FileNotFoundError:
                    return  # with the directory that it was in
        except OSError as error:
            raise self._error("delete", key, error) from error

    @contextmanager
    def _opened_root(self) -> Iterator[int]:
        root = os.open(self._root, _DIRECTORY)
        try:
            yield root
        finally:
            os.close(root)

    def _check_root(self, key: str) -> None:
        try:
            if self._root.is_dir():
                return
        except OSError as error:  # it may not be looked at
            raise self._error("read", key, error) from error
        raise self._error("read", key, FileNotFoundError(errno.ENOENT, "no such directory"))

    def _attempted(self, verb: str, key: str) -> str:
        return f"{verb} {key} in the share {self.url}"

    def _error(self, verb: str, key: str, error: OSError) -> OriginError:
        attempted, happened = self._attempted(verb, key), (error.strerror or str(error)).lower()
        if error.errno in _REFUSED:
            return OriginDenied(attempted, happened, "check read (and, for push, write) permission")
        if error.errno in _NOTHING and not (error.errno == errno.ENOTDIR and self._root.is_dir()):
            # Not that an object is missing, which is no error: all of them are away with the directory.
            advice = "is its file system mounted? if it is to be new, make the directory first"
            return OriginUnreachable(attempted, happened, advice)
        if error.errno in _NO_FILE or error.errno == errno.ENOTDIR:
            return OriginFault(
                attempted, "what has its name, or that of a directory above it, is a link or no file", "delete that"
            )
        if error.errno in _NO_ROOM:
            return OriginFault(attempted, happened, "make room there and run it again")
        if error.errno in _NO_LINKS:
            return OriginFault(attempted, happened, "only a file system with hard links can be pushed to")
        if error.errno in _AWAY:
            return OriginUnreachable(attempted, happened, "is a server of its file system away?")
        if error.errno in _SICK:
            advice = "do copies of it differ, or is a disk failing?"
            if verb == "write":
                advice += " a file system without hard links (rclone's) says this, too, and cannot be pushed to"
            return OriginFault(attempted, happened, advice)
        return OriginFault(attempted, happened)


def _bytes_of(path: Path, start: int, end: int) -> bytes:
    """Return bytes ``[start, end)`` of a regular file, none of anything else; raises OSError."""
    try:
        # Without O_NONBLOCK opening a FIFO waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        if error.errno in _NO_FILE:
            return b""
        raise
    parts: list[bytes] = []
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        while start < end and (part := os.pread(descriptor, end - start, start)):
            parts.append(part)
            start += len(part)
    finally:
        os.close(descriptor)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_there(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        # What a cluster says of a name whose copies differ.  That there is one, only the listing says for certain: a record that
        # is taken for written would leave a gap in the log.
        if error.errno != errno.EIO or name not in os.listdir(directory):
            raise
    return True


def _created(directory: int, name: str, content: bytes, mode: int) -> bool:
    """Write a file durably, and tell whether its name was free; raises OSError."""
    # A name of our own, so that no two machines ever write to one file; what a killed writer leaves is not visible.
    temporary = f"{_TEMPORARY}{secrets.token_hex(16)}"
    file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        # Readable for all, writable for none: an object never changes.
        _open_up(file, stat.S_IRUSR | stat.S_IWUSR | mode & (stat.S_IRGRP | stat.S_IROTH))
        write_all(file, content, 0)
        os.fsync(file)
        is_first = _named(directory, temporary, name, file)
    finally:
        os.close(file)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
    _flush(directory)
    return is_first


def _named(directory: int, temporary: str, name: str, file: int) -> bool:
    """Give a file its final name, and tell whether it was free.  A link, and not a rename, which replaces what is there."""
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        # sshfs says EPERM: of SFTP's answers none means that there is one.
        if error.errno != errno.EEXIST and not (error.errno == errno.EPERM and _is_there(directory, name)):
            raise
        # NFS may lose an answer and ask again: then the file that is there is this one (open(2), at O_EXCL).  A second link alone
        # does not say so: GlusterFS made one that a file of the same name on another brick hides.
        made = os.fstat(file)
        return made.st_nlink == 2 and os.path.samestat(made, os.stat(name, dir_fd=directory, follow_symlinks=False))
    return True


@contextmanager
def _opened(root: int, names: list[str], *, mode: int | None = None) -> Iterator[int]:
    """Open the directory ``names`` below ``root``, and lend it; one that is not there is made, durably, with ``mode``.

    No link is followed.  Raises OSError, `FileNotFoundError` without ``mode``.
    """
    directory = os.dup(root)
    try:
        for name in names:
            try:
                below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            except FileNotFoundError:
                if mode is None:
                    raise
                _make(directory, name, mode)
                below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = below
        yield directory
    finally:
        os.close(directory)


def _delete(directory: int, name: str) -> None:
    """Delete a file, or a directory that a killed writer was about to name: one that is not empty stays."""
    with suppress(FileNotFoundError):
        if name.startswith(_TEMPORARY):
            try:
                os.rmdir(name, dir_fd=directory)
                return
            except NotADirectoryError:
                pass
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                raise
        os.unlink(name, dir_fd=directory)


def _make(parent: int, name: str, mode: int) -> None:
    """Make a directory, durably, unless another client does so in the same moment."""
    # Under another name until it has its mode: others may want to write to it at once, and we may be killed here.
    temporary = f"{_TEMPORARY}{secrets.token_hex(16)}"
    os.mkdir(temporary, 0o700, dir_fd=parent)
    try:
        made = os.open(temporary, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            _open_up(made, mode)
        finally:
            os.close(made)
        # To rename a directory to an empty one replaces that: on it, another client may be about to make a file.
        if _is_there(parent, name):
            os.rmdir(temporary, dir_fd=parent)
            return
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        with suppress(OSError):
            os.rmdir(temporary, dir_fd=parent)
        # File systems say EEXIST, ENOTEMPTY or EPERM when another one was faster; what counts is that there is one.
        if not _is_there(parent, name):
            raise
    _flush(parent)


def _open_up(descriptor: int, mode: int) -> None:
    """Give what we have just made this mode, where its file system has modes."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        with suppress(OSError):
            os.fchmod(descriptor, mode)


def _flush(directory: int) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no fsync of directories, and need none
            raise
