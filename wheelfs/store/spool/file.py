"""One partly fetched file, open: writes in any order, reads of what is there, and the journal that remembers it."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from wheelfs.file_io import write_all
from wheelfs.store.engine.environment import store_error
from wheelfs.store.spool.journal import MAX_RECORDS, RECORD_BYTES, range_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelfs.core.fetch.spans import Spans
    from wheelfs.store.spool.claims import RangeClaims


class Journal:
    """The journal of an owned file, locked as long as it is open: appends records in one chain of checksums."""

    def __init__(self, descriptor: int, end: int, crc: int, paths: tuple[Path, Path]) -> None:
        """``end`` and ``crc``: where the valid records end, and their last checksum; ``paths``: the journal's and the data's."""
        self.descriptor = descriptor
        self.crc = crc
        self.paths = paths
        self._end = end
        self._records = end // RECORD_BYTES  # also those of earlier runs

    def append(self, record: bytes, crc: int) -> None:
        """Append a record that was made to follow `crc`; raises OSError, and then leaves no torn tail."""
        try:
            written = os.write(self.descriptor, record)
            if written != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            # A record after a torn one would never be read.
            os.truncate(self.descriptor, self._end)
            raise
        self._end += len(record)
        self.crc = crc

    def note(self, kind: bytes, offset: int = 0, length: int = 0) -> None:
        """Append a record about a range; writes beyond `MAX_RECORDS` go unrecorded."""
        if kind == b"W":
            self._records += 1
            if self._records > MAX_RECORDS:
                return
        self.append(*range_record(kind, offset, length, self.crc))


class Exchange(NamedTuple):
    """What an opener shares with others of the same file.

    ``copy_others`` is given the descriptor and what is here, copies what others have besides, and returns all that is here then.
    ``pulse`` returns a number that changes when others bring something.  ``is_kept``: whether another opener may still want what
    is here when this one closes the file.
    """

    claims: RangeClaims
    copy_others: Callable[[int, Spans], Spans]
    pulse: Callable[[], int]
    is_kept: Callable[[], bool]


class SpoolFile:
    """An open partial file.  Methods block and may be called from any thread; `spans` may be read from the event loop.

    ``size_bytes`` is None while it is not known (`Spool.open_growing`).  `close` and `delete` may be called while another thread
    reads: the descriptor is closed by its last user.
    """

    def __init__(
        self,
        descriptor: int,
        size_bytes: int | None,
        validator: str | None,
        spans: Spans,
        *,
        journal: Journal | None,
        exchange: Exchange | None = None,
    ) -> None:
        """Take over ``descriptor`` and the journal; without a journal the file is private and forgotten when closed."""
        self.fd = descriptor
        self.size_bytes = size_bytes
        self.validator = validator
        self._spans = spans
        self._journal = journal
        self._exchange = exchange
        self._pulse = 0
        self._lock = threading.Lock()  # never held while the disk is waited for: the event loop takes it, too
        self._writing = threading.Lock()
        self._users = 0
        self._closing = False
        self._at_once = hasattr(os, "RWF_NOWAIT")

    @property
    def claims(self) -> RangeClaims | None:
        """What this opener is fetching, for others to see; None where nothing is exchanged with them."""
        return None if self._exchange is None else self._exchange.claims

    @property
    def spans(self) -> Spans:
        """The bytes that are here, as an immutable value: every write makes a new one, so a reader needs no lock."""
        return self._spans

    def covers(self, offset: int, size: int) -> bool:
        """Tell whether all of the range is here."""
        return self._spans.covers(offset, offset + size)

    def set_size(self, size_bytes: int) -> None:
        """Say how long the file is, once that is known; raises ValueError when it contradicts what is known or written.

        Waits for nothing where that was said before.
        """
        if self.size_bytes == size_bytes:
            return
        with self._writing:
            if self.size_bytes is not None or any(end > size_bytes for _, end in self._spans):
                raise ValueError(f"a file of another size: {size_bytes} bytes")
            self.size_bytes = size_bytes

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write ``data`` and remember it; raises `StoreFull` and other `StoreError`, and then the range counts as missing."""
        end = offset + len(data)
        if offset < 0 or (self.size_bytes is not None and end > self.size_bytes):
            raise ValueError(f"[{offset}, {end}) is outside of {self.size_bytes} bytes")
        if not data:
            return
        with self._using("write"), self._writing:
            write_all(self.fd, data, offset)
            if self._journal is not None:
                self._journal.note(b"W", offset, end - offset)
            spans = self._spans.copy()
            spans.add(offset, end)
            self._spans = spans

    def catch_up(self) -> None:
        """Take what other openers of the file have brought; raises ValueError, `StoreFull` and other `StoreError`."""
        if self._exchange is None:
            return
        with self._using("copy"), self._writing:
            pulse, spans = self._exchange.pulse(), self._spans.copy()
            for begin, limit in self._exchange.copy_others(self.fd, spans):
                for start, end in spans.missing(begin, limit):
                    if self._journal is not None:
                        self._journal.note(b"W", start, end - start)
                    spans.add(start, end)
            self._spans, self._pulse = spans, pulse

    @property
    def is_caught_up(self) -> bool:
        """Whether other openers have brought nothing since `catch_up`; cheap enough for an event loop."""
        return self._exchange is None or self._exchange.pulse() == self._pulse

    def write_unverified(self, offset: int, data: bytes) -> None:
        """Put ``data`` where nothing was written yet, without recording it: it is in the file, and no reader is given it.

        Hashing the whole file includes it.  Raises `StoreFull` and other `StoreError`.
        """
        with self._using("write"), self._writing:
            for start, end in self._spans.missing(offset, offset + len(data)):
                write_all(self.fd, memoryview(data)[start - offset : end - offset], start)

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes of a range that is here; raises ValueError when it is not, since a hole would read as zeros."""
        if not self.covers(offset, size):
            raise ValueError(f"[{offset}, {offset + size}) is not here")
        with self._using("read"):
            parts: list[bytes] = []
            while size > 0:
                part = os.pread(self.fd, size, offset)
                if not part:
                    raise OSError(errno.EIO, "the file is shorter than what was written to it")
                parts.append(part)
                offset += len(part)
                size -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at_once(self, offset: int, size: int) -> bytes | None:
        """Return what `read` does where that waits neither for the disk nor for a writer, else None; raises ValueError, too."""
        if not self._at_once or not self._lock.acquire(blocking=False):
            return None
        try:
            if self._closing or not self.covers(offset, size):
                raise ValueError(f"[{offset}, {offset + size}) is not here")
            data = bytearray(size)
            found = os.preadv(self.fd, [data], offset, os.RWF_NOWAIT)
        except OSError as error:
            self._at_once = error.errno == errno.EAGAIN  # not every file system can tell
            return None
        finally:
            self._lock.release()
        return bytes(data) if found == size else None

    def sync(self) -> None:
        """Flush to disk, so that power loss keeps what is here now."""
        if self._journal is None:
            return
        with self._using("flush"), self._writing:
            os.fdatasync(self.fd)
            self._journal.note(b"S")
            os.fdatasync(self._journal.descriptor)

    def close(self) -> None:
        """Give the file up; what it holds stays for the next `Spool.open`.  Safe to call twice."""
        if self._exchange is not None:
            self._exchange.claims.close()
            if not self._exchange.is_kept():
                self._unlink()
        with self._lock:
            last, self._closing = not self._closing and self._users == 0, True
        if last:
            self._release()

    def delete(self) -> None:
        """Remove the file and give it up; safe to call twice.  Threads inside `read` finish undisturbed."""
        self._unlink()
        self.close()

    def _unlink(self) -> None:
        with self._lock:
            if self._journal is not None and not self._closing:
                # Journal first: a part without one is empty, a journal without its part would be a lie.
                for path in self._journal.paths:
                    path.unlink(missing_ok=True)

    @contextmanager
    def _using(self, doing: str) -> Iterator[None]:
        with self._lock:
            if self._closing:
                raise ValueError(f"{doing} a closed partial file")
            self._users += 1
        try:
            yield
        except OSError as error:
            raise store_error(f"{doing} a partial file", error) from error
        finally:
            with self._lock:
                self._users -= 1
                last = self._closing and self._users == 0
            if last:
                self._release()

    def _release(self) -> None:
        os.close(self.fd)
        if self._journal is not None:
            os.close(self._journal.descriptor)
