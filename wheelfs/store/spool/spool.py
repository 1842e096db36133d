"""Partly fetched files: sparse files with a journal of the bytes in them, so that nothing is fetched twice, even after a kill.

One process owns a partial file (a lock on its journal). A second opener, in this or another process, gets a private unnamed file,
with a copy of what the owner has brought, also of what that brings later (`SpoolFile.catch_up`): it works the same, but what it
fetches is not shared and is gone when it is closed. Waiting for the owner was rejected: it may be stopped or slow, and no reader
may depend on another process.

Why files and not LMDB: bytes come in any order and amount, most of them are thrown away at sealing, and a deleted file gives
its room back at once.
"""

from __future__ import annotations

import fcntl
import math
import os
import tempfile
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.spans import Spans
from wheelfs.errors import InternalError
from wheelfs.model.content import ContentKey
from wheelfs.store.engine.environment import store_error
from wheelfs.store.spool.file import Journal, SpoolFile
from wheelfs.store.spool.journal import MAX_JOURNAL_BYTES, Replay, boot_id, boot_record, header, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOCK_ATTEMPTS: Final = 8
"""Each retry means that an owner deleted the journal between our opening and locking it."""


class Spool:
    """The directory of partial files.  All methods block, shortly; `state` is cheap enough for an event loop."""

    def __init__(self, directory: Path, *, is_stored: Callable[[bytes], bool] = lambda _: False) -> None:
        """``directory`` exists (it need not for `state` and `usage_bytes`, which then find nothing).

        ``is_stored(key)`` tells whether a content is stored, so that its partial file is no longer needed.
        """
        self.directory = directory
        self._is_stored = is_stored

    def open(self, key: ContentKey, *, size_bytes: int, validator: str | None = None, copies: bool = True) -> SpoolFile:
        """Open the partial file of ``key`` with what earlier runs have brought.

        A file of another size starts empty, and so does one of another validator (ETag) where both are known.  ``copies``: where
        another opener owns it, what that has brought is copied, which only a hash of the content can prove to be right.  Raises
        `StoreFull`, `StoreReadOnly`, `StoreError`.
        """
        try:
            opened = self._open_owned(key, size_bytes, validator)
            return opened if opened is not None else self._private(key, size_bytes, validator, copies=copies)
        except OSError as error:
            raise store_error(f"open partial file {key.hex()}", error) from error

    def open_growing(self, key: ContentKey) -> SpoolFile:
        """Open a private file for an answer that does not tell its length; `SpoolFile.set_size` ends its growing."""
        try:
            return SpoolFile(self._unnamed(None), None, None, Spans(), journal=None)
        except OSError as error:
            raise store_error(f"open partial file {key.hex()}", error) from error

    def state(self, key: ContentKey) -> int | None:
        """Return how many bytes of ``key`` are here, by its journal, or None when there is no partial file; locks nothing."""
        found = _read_journal(self._path(key, "spans"), key)
        return None if found is None or not self._path(key, "part").exists() else found.spans.total

    def states(self) -> dict[ContentKey, int]:
        """Return how many bytes are here of each partial file, as `state` does."""
        keys = [ContentKey(bytes.fromhex(part.stem)) for _, _, part in self._partial_files()]
        return {key: here for key in keys if (here := self.state(key)) is not None}

    def usage_bytes(self) -> int:
        """Return the room that partial files take on disk."""
        return sum(size for _, size, _ in self._partial_files())

    def trim(self, max_bytes: int, *, idle_s: float = math.inf) -> int:
        """Delete unowned partial files and return how many.

        Those of stored files, those to which nothing was written for ``idle_s``, and the oldest while there are more than
        ``max_bytes``.  One of a stored file is what a process leaves that was killed between storing it and deleting its parts.
        """
        files = sorted(self._partial_files())
        abandoned_ns = time.time_ns() - idle_s * 1e9
        total = sum(size for _, size, _ in files)
        deleted = 0
        for written_ns, size, part in files:
            is_needed = total <= max_bytes and written_ns >= abandoned_ns and not self._is_stored(bytes.fromhex(part.stem))
            if not is_needed and _delete_unowned(part):
                total -= size
                deleted += 1
        return deleted

    def _path(self, key: bytes, suffix: str) -> Path:
        return self.directory / f"{key.hex()}.{suffix}"

    def _partial_files(self) -> list[tuple[int, int, Path]]:
        files: list[tuple[int, int, Path]] = []
        try:
            for part in self.directory.glob("*.part"):
                try:
                    status = part.stat()
                except FileNotFoundError:
                    continue
                files.append((status.st_mtime_ns, status.st_blocks * 512, part))
        except OSError as error:
            raise store_error(f"list partial files in {self.directory}", error) from error
        return files

    def _unnamed(self, size_bytes: int | None) -> int:
        with tempfile.TemporaryFile(dir=self.directory, prefix="private-") as file:
            descriptor = os.dup(file.fileno())
        if size_bytes is not None:
            os.truncate(descriptor, size_bytes)
        return descriptor

    def _private(self, key: ContentKey, size_bytes: int, validator: str | None, *, copies: bool) -> SpoolFile:
        def copy_owned(descriptor: int, here: Spans) -> Spans:
            with suppress(OSError):  # deleted meanwhile, or a file system that copies nothing: then nothing is here
                return self._copy_owned(key, descriptor, here, size_bytes, validator)
            return Spans()

        descriptor = self._unnamed(size_bytes)
        spans = copy_owned(descriptor, Spans()) if copies else Spans()
        return SpoolFile(descriptor, size_bytes, validator, spans, journal=None, copy_owned=copy_owned if copies else None)

    def _copy_owned(self, key: ContentKey, descriptor: int, here: Spans, size_bytes: int, validator: str | None) -> Spans:
        """Copy what the owner has and is not ``here``, and return all that the owner has."""
        with ExitStack() as closing:
            journal, part = (os.open(self._path(key, suffix), os.O_RDONLY | os.O_CLOEXEC) for suffix in ("spans", "part"))
            closing.callback(os.close, journal)
            closing.callback(os.close, part)
            before = _read_whole(journal)
            found = replay(before, key, boot_id())
            if found is None or not _fits(found, os.fstat(part).st_size, size_bytes, validator):
                return Spans()
            for begin, limit in found.spans:
                for start, end in here.missing(begin, limit):
                    while start < end:
                        start += os.copy_file_range(part, descriptor, end - start, start, start) or end
            # It only ever grows, unless the file was begun again: then what was copied may not have been there.
            return found.spans if os.pread(journal, len(before), 0) == before else Spans()

    def _open_owned(self, key: ContentKey, size_bytes: int, validator: str | None) -> SpoolFile | None:
        """Return the file as its owner, or None when another opener owns it."""
        path, part = self._path(key, "spans"), self._path(key, "part")
        journal = _lock(path, create=True)
        if journal is None:
            return None
        data = -1
        try:
            data = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            found = replay(_read_whole(journal), key, boot_id())
            if found is None or not _fits(found, os.fstat(data).st_size, size_bytes, validator):
                return SpoolFile(
                    data, size_bytes, validator, Spans(), journal=_begin(journal, data, path, part, key, size_bytes, validator)
                )
            # The torn tail goes before anything is appended; a new boot is marked before its first record.
            os.truncate(journal, found.end)
            continued = Journal(journal, found.end, found.crc, (path, part))
            if found.boot != boot_id():
                continued.append(*boot_record(found.crc, boot_id()))
            return SpoolFile(data, size_bytes, found.validator or validator, found.spans, journal=continued)
        except BaseException:
            os.close(journal)
            if data >= 0:
                os.close(data)
            raise


def _fits(found: Replay, part_bytes: int, size_bytes: int, validator: str | None) -> bool:
    same_version = validator is None or found.validator is None or validator == found.validator
    return found.size_bytes == size_bytes == part_bytes and same_version


def _begin(journal: int, data: int, path: Path, part: Path, key: bytes, size_bytes: int, validator: str | None) -> Journal:
    """Start empty.  The old claims must be gone from the disk before the bytes they describe are."""
    if os.fstat(journal).st_size:
        os.truncate(journal, 0)
        os.fsync(journal)
    os.truncate(data, 0)
    os.truncate(data, size_bytes)
    begun = Journal(journal, 0, 0, (path, part))
    begun.append(*header(key, size_bytes, validator))
    begun.append(*boot_record(begun.crc, boot_id()))
    return begun


def _lock(path: Path, *, create: bool) -> int | None:
    """Return a descriptor of the journal, locked; None when another one holds the lock."""
    for _ in range(_LOCK_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None


def _is_still(descriptor: int, path: Path) -> bool:
    """Tell whether ``path`` still names the open file: its last owner may have deleted it while we waited to open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _delete_unowned(part: Path) -> bool:
    journal_path = part.with_suffix(".spans")
    try:
        journal = _lock(journal_path, create=True)
        if journal is None:
            return False
        try:
            # The journal goes first: a part without one is empty, a journal without its part would be a lie.
            journal_path.unlink()
            part.unlink(missing_ok=True)
        finally:
            os.close(journal)
    except OSError as error:
        raise store_error(f"delete partial file {part}", error) from error
    return True


def _read_journal(path: Path, key: bytes) -> Replay | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return replay(_read_whole(descriptor), key, boot_id())
    finally:
        os.close(descriptor)


def _read_whole(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > MAX_JOURNAL_BYTES:
        raise InternalError("read a journal of the spool", f"it has {size} bytes, more than was ever written")
    return os.pread(descriptor, size, 0)
