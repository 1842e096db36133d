"""Partly fetched files: sparse files with a journal of the bytes in them, so that nothing is fetched twice, even after a kill.

One process owns a partial file (a lock on its journal).  A second opener, in this or another process, is a *guest*: it has a file
and a journal of its own, beside the owner's.  Each takes from the others what they have brought (`SpoolFile.catch_up`), and says
what it is fetching (`SpoolFile.claims`); none writes into another's file.  So whatever becomes of one of them, the others have
true bytes, and need not wait for it.

Why files and not LMDB: bytes come in any order and amount, most of them are thrown away at sealing, and a deleted file gives
its room back at once.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import tempfile
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.spans import Spans
from wheelfs.file_io import write_all
from wheelfs.model.content import ContentKey
from wheelfs.store.engine.environment import store_error
from wheelfs.store.spool.claims import RangeClaims
from wheelfs.store.spool.file import Exchange, Journal, SpoolFile
from wheelfs.store.spool.journal import MAX_JOURNAL_BYTES, Replay, boot_id, boot_record, header, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

_LOCK_ATTEMPTS: Final = 8
"""Each retry means that an owner deleted the journal between our opening and locking it."""
_COPY_BYTES: Final = 1 << 20
_GUESTS: Final = ("", *(str(number) for number in range(32)))
"""The owner, and guests that exchange what they bring; a further one has a file that none else sees.

Their names are known, since a directory may have 60,000, which takes 70 ms of an event loop to list; to look at these, 0.1 ms.
"""


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

        A file of another size starts empty, and so does one of another validator (ETag) where both are known.  ``copies``: what
        other openers have brought is taken, now and later, which only a hash of the content can prove to be right; without, only
        what has been left over of the same validator is.  Raises `StoreFull`, `StoreReadOnly`, `StoreError`.
        """
        try:
            for guest in _GUESTS if copies else _GUESTS[:1]:
                opened = self._open_as(self._paths(key, guest), key, size_bytes, validator, copies=copies)
                if opened is not None:
                    break
            else:
                return SpoolFile(self._unnamed(size_bytes), size_bytes, validator, Spans(), journal=None)
        except OSError as error:
            raise store_error(f"open partial file {key.hex()}", error) from error
        try:
            opened.catch_up()
        except BaseException:
            opened.close()
            raise
        return opened

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
        keys = {_key_of(part) for _, _, part in self._partial_files()}
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
            is_needed = total <= max_bytes and written_ns >= abandoned_ns and not self._is_stored(_key_of(part))
            if not is_needed and _delete_unowned(part):
                total -= size
                deleted += 1
        return deleted

    def _path(self, key: bytes, suffix: str) -> Path:
        return self.directory / f"{key.hex()}.{suffix}"

    def _paths(self, key: bytes, guest: str = "") -> tuple[Path, Path]:
        """Return the journal and the data file of the owner, or of a guest."""
        if guest:  # an older build takes what ends in .part for an owner's
            return self._path(key, f"{guest}.spans"), self._path(key, f"{guest}.guest")
        return self._path(key, "spans"), self._path(key, "part")

    def _partial_files(self) -> list[tuple[int, int, Path]]:
        files: list[tuple[int, int, Path]] = []
        try:
            for part in (*self.directory.glob("*.part"), *self.directory.glob("*.guest")):
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

    # --- several openers --------------------------------------------------------------------------------------------

    def _copy_others(
        self, key: ContentKey, own: Path, descriptor: int, here: Spans, size_bytes: int, validator: str | None
    ) -> Spans:
        """Copy what other openers of ``key`` have and is not ``here``, and return all that they have.

        Files that guests have left over are of no use then, but for one that could not be copied: it is next time, or is trimmed.
        """
        spans = here.copy()
        for journal, part in self._others(key, own):
            try:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    for start, end in _copy(key, journal, part, descriptor, spans, size_bytes, validator):
                        spans.add(start, end)
            except OSError as error:  # a full disk, say
                log.info("what is in %s is not copied now: %s", part, error)
                continue
            if part.suffix == ".guest":
                _delete_unowned(part)
        return spans

    def _others(self, key: ContentKey, own: Path) -> Iterator[tuple[Path, Path]]:
        """Yield journal and data of each other opener, and what has been left over of them."""
        for guest in _GUESTS:
            journal, part = self._paths(key, guest)
            if journal != own and journal.exists():
                yield journal, part

    def _open_as(
        self, paths: tuple[Path, Path], key: ContentKey, size_bytes: int, validator: str | None, *, copies: bool
    ) -> SpoolFile | None:
        """Return the file with these names, or None when another opener has them."""
        path, part = paths
        journal = _lock(path, create=True)
        if journal is None:
            return None
        data = -1
        try:
            data = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            found = replay(_read_whole(journal), key, boot_id())
            if (
                found is None
                or not (copies or found.validator)
                or not _fits(found, os.fstat(data).st_size, size_bytes, validator)
            ):
                continued, spans = _begin(journal, data, path, part, key, size_bytes, validator), Spans()
            else:
                # The torn tail goes before anything is appended; a new boot is marked before its first record.
                os.truncate(journal, found.end)
                continued, spans = Journal(journal, found.end, found.crc, paths), found.spans
                if found.boot != boot_id():
                    continued.append(*boot_record(found.crc, boot_id()))
                validator = found.validator or validator
        except BaseException:
            os.close(journal)
            if data >= 0:
                os.close(data)
            raise
        if not copies:
            return SpoolFile(data, size_bytes, validator, spans, journal=continued)

        def copy_others(descriptor: int, here: Spans) -> Spans:
            return self._copy_others(key, path, descriptor, here, size_bytes, validator)

        journals = [str(other) for guest in _GUESTS if (other := self._paths(key, guest)[0]) != path]

        def pulse() -> int:
            return sum(map(_size_bytes, journals))

        owned = self._path(key, "part")
        exchange = Exchange(RangeClaims(owned), copy_others, pulse, is_kept=lambda: part == owned or owned.exists())
        return SpoolFile(data, size_bytes, validator, spans, journal=continued, exchange=exchange)


def _key_of(part: Path) -> ContentKey:
    return ContentKey(bytes.fromhex(part.name.partition(".")[0]))


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a third of the time
    except OSError:
        return 0


def _copy(
    key: ContentKey, journal_path: Path, part_path: Path, target: int, here: Spans, size_bytes: int, validator: str | None
) -> Spans:
    """Copy what another opener has and is not ``here`` into ``target``, and return all that it has."""
    with ExitStack() as closing:
        journal = os.open(journal_path, os.O_RDONLY | os.O_CLOEXEC)
        closing.callback(os.close, journal)
        part = os.open(part_path, os.O_RDONLY | os.O_CLOEXEC)
        closing.callback(os.close, part)
        before = _read_whole(journal)
        found = replay(before, key, boot_id())
        if found is None or not _fits(found, os.fstat(part).st_size, size_bytes, validator):
            return Spans()
        for begin, limit in found.spans:
            for start, end in here.missing(begin, limit):
                # Not by the kernel alone (copy_file_range): Pythons that are built for an old glibc cannot ask for it, and file
                # systems fail in their own ways, one of which is to say that nothing was left to copy.
                for at in range(start, end, _COPY_BYTES):
                    data = os.pread(part, min(_COPY_BYTES, end - at), at)
                    if at + len(data) < min(at + _COPY_BYTES, end):
                        return Spans()
                    write_all(target, data, at)
        # It only ever grows, unless the file was begun again, or deleted and made again between our opening of journal and data:
        # then what was copied may not have been there.
        is_same = os.pread(journal, len(before), 0) == before and _is_still(journal, journal_path)
        return found.spans if is_same else Spans()


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
    return b"" if size > MAX_JOURNAL_BYTES else os.pread(descriptor, size, 0)
