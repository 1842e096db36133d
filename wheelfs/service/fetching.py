"""Bringing one file's bytes here: its tail when it is opened, all of it when it is read; each byte once, however many ask.

One `Content` exists for each content that is not stored yet and in use.  Bytes arrive through *streams* (one HTTP answer each) that
write into the spool and wake whoever waits; nobody who waits talks to the network himself, so a caller that goes away
takes nothing with it.  Between two awaits a method is alone: the spans, flags and events below need no lock.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core import wheel_metadata, zip_layout
from wheelfs.core.http_ranges import From, Range, Suffix, Whole
from wheelfs.errors import (
    ContentChanged,
    ContentMismatch,
    OriginDenied,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
    OriginUnreachable,
    WheelfsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.http_ranges import Wanted
    from wheelfs.service.files import FileRef
    from wheelfs.service.supply import Supply
    from wheelfs.store.spool_file import SpoolFile

log = logging.getLogger(__name__)

TAIL_BYTES: Final = 64 * 1024
"""First suffix request when nothing better is known: holds the directory of 61 % of wheels and METADATA too of 51 % (docs/design/decisions/0004)."""

AT_ONCE_BYTES: Final = 192 * 1024
"""A file no larger than this is fetched whole instead of by its tail: a second request would cost more than the bytes."""

AHEAD_BYTES: Final = 2 * 1024 * 1024
"""A read less than this ahead of the running stream waits for it; one further away is asked for by itself."""

SIDE_BYTES: Final = 256 * 1024
"""What a read far from the stream asks for at least."""

SIDE_STREAMS: Final = 4
"""Such requests at once for one file; further ones wait."""

FLUSH_BYTES: Final = 256 * 1024
FLUSH_AFTER_S: Final = 0.02
"""Arriving bytes are written to the spool in pieces of this size, or this old: a hop to a thread costs 0.1 ms."""

PROGRESS_BYTES: Final = 16 * 1024
"""A stream that brings less than this within the bound makes no progress (a slow-loris origin sends one byte at a time)."""

RETRIES: Final = 2
"""Attempts after a broken stream that brought nothing new; a stream that brought something may be resumed again."""


@dataclass(slots=True)
class _Stream:
    """One HTTP answer under way.  ``at`` and ``end`` are the next offset it will bring and where it stops (None: not known yet)."""

    at: int = 0
    end: int | None = None
    brought_bytes: int = 0
    error: WheelfsError | None = None
    done: bool = False


@dataclass(slots=True)
class Content:
    """The bytes of one file that is not (or was not, when this was made) stored.

    ``size_bytes`` is None until somebody knows it.  ``sealed_sha256`` is set once the whole file is verified and in the store.
    """

    ref: FileRef
    supply: Supply
    size_bytes: int | None = None
    sealed_sha256: bytes | None = None
    users: int = 0
    _spool: SpoolFile | None = None
    _tail_secured: bool = False
    _tail_lock: trio.Lock = field(default_factory=trio.Lock)
    _changed: trio.Event = field(default_factory=trio.Event)
    _whole: _Stream | None = None
    _fetching_whole: bool = False
    _failure: WheelfsError | None = None
    _fresh: bool = False
    """Ask past caches: set after content that did not match its hash."""
    _side: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(SIDE_STREAMS))

    # --- what openers and readers call ---------------------------------------------------------------------------

    async def secure_tail(self) -> None:
        """Make sure that what resolvers read is here: end of central directory, central directory, METADATA.

        A file that is no wheel is only asked for its first byte's worth of an answer, so that an absent one fails here and not
        in a later read.  Raises the origin's error; a file that is small, or whose origin has no ranges, comes whole.
        """
        async with self._tail_lock:
            if self.sealed_sha256 is not None or self._tail_secured:
                return
            self._open_spool_if_size_is_known()
            if self.ref.kind == "wheel":
                try:
                    await self._find_tail()
                except ContentChanged:  # what was here of the old file is gone; the new one is asked for from the start
                    self._open_spool_if_size_is_known()
                    await self._find_tail()
            elif not self._spans_total():
                self.start_whole()
                await self._until(lambda: self._spans_total() > 0 or self.sealed_sha256 is not None)
            self._tail_secured = True

    async def learn_size(self) -> int:
        """Return the exact size, asking the origin for the tail when nobody knows it."""
        if self.size_bytes is None:
            await self.secure_tail()
        if self.size_bytes is None:
            raise OriginFault(f"find the size of {self.ref.filename}", "its origin does not tell")
        return self.size_bytes

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes from the spool, fetching what is missing; only for content that is not sealed.

        While nothing outside the tail has been asked for, a read that begins in it is answered as far as it goes (a
        short read) instead of starting the fetch of the whole file: kernels and libraries read further than they need.
        """
        if self.size_bytes is None:
            await self.learn_size()
        assert self.size_bytes is not None
        end = min(offset + size, self.size_bytes)
        if offset >= end:
            return b""
        if not self._covers(offset, end):
            here = self._spool.spans.available_at(offset) if self._spool is not None else 0
            if here and not self._fetching_whole:
                end = offset + here
            else:
                self.start_whole()
                await self._bring(offset, end)
        if self.sealed_sha256 is not None:
            return await self.supply.read_sealed(self.sealed_sha256, offset, end - offset)
        assert self._spool is not None
        return await trio.to_thread.run_sync(self._spool.read, offset, end - offset, limiter=self.supply.disk)

    def has(self, offset: int, size: int) -> bool:
        """Return whether a read needs no network, now or as a short read of the tail."""
        if self.size_bytes is None or self._spool is None:
            return False
        return self._covers(offset, min(offset + size, self.size_bytes)) or (
            not self._fetching_whole and self._spool.spans.available_at(offset) > 0
        )

    async def until_sealed(self) -> None:
        """Wait until the whole file is verified and stored."""
        self.start_whole()
        await self._until(lambda: self.sealed_sha256 is not None)

    def start_whole(self) -> None:
        """Start fetching all that is missing in the background, once."""
        if not self._fetching_whole and self.sealed_sha256 is None:
            self._fetching_whole = True
            self._failure = None
            self.supply.nursery.start_soon(self._fetch_whole)

    @property
    def is_busy(self) -> bool:
        """Whether something still works on this content, so that it must not be forgotten."""
        return self.users > 0 or self._fetching_whole or (self._whole is not None and not self._whole.done)

    @property
    def present_bytes(self) -> int:
        """How much of the file is here."""
        return self._spans_total()

    def close(self) -> None:
        """Give up the spool file; what it holds stays for the next time."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    # --- the tail -------------------------------------------------------------------------------------------------

    async def _find_tail(self) -> None:
        tail_bytes = self.supply.tail_bytes(self.ref.project)
        if self.size_bytes is None:
            await self._run(Suffix(tail_bytes))
            if self.sealed_sha256 is not None:
                return
            if self.size_bytes is None:
                raise OriginFault(self._attempted(), "the origin does not tell the size")
        elif self.size_bytes <= AT_ONCE_BYTES:
            await self.until_sealed()
            return
        try:
            await self._find_metadata(wheel_metadata.search(self.size_bytes, tail_bytes, self.ref.project))
        except zip_layout.NotAZip as error:
            # Served all the same, as its index would; installers say what is wrong with it.
            log.warning("%s from %s is no well-formed wheel: %s", self.ref.filename, self.ref.origin, error)
        if self._covers(0, self.size_bytes):
            await self.until_sealed()

    async def _find_metadata(self, search: wheel_metadata.Search) -> None:
        try:
            start, end = next(search)
            while True:
                await self._need(start, end)
                if self.sealed_sha256 is not None:
                    return
                start, end = search.send(await self._spooled(start, end))
        except StopIteration as done:
            found: wheel_metadata.Found = done.value
            self.supply.saw_directory(self.ref.project, found.directory_bytes)
            await self.supply.keep_metadata(self.ref, found.metadata)

    async def _need(self, start: int, end: int) -> None:
        """Bring ``[start, end)`` here by one request over all of its gaps."""
        if self._spool is not None and (gaps := self._spool.spans.missing(start, end)):
            await self._run(Range(gaps[0][0], gaps[-1][1]))
        if not self._covers(start, end):
            raise OriginFault(self._attempted(), "the origin sent less than was asked for")

    async def _run(self, wanted: Wanted) -> None:
        """Run one stream to its end, or until it turned out to bring the whole file and that is done."""
        stream = _Stream()
        self.supply.nursery.start_soon(self._stream, stream, wanted)
        while not stream.done:
            await self._changed.wait()
        if stream.error is not None:
            raise stream.error
        if self.size_bytes is not None and self._covers(0, self.size_bytes):
            await self.until_sealed()

    # --- the whole ------------------------------------------------------------------------------------------------

    async def _fetch_whole(self) -> None:
        try:
            self._open_spool_if_size_is_known()
            await self._fetch_gaps()
            await self._seal()
        except ContentMismatch as error:
            self._on_mismatch(error)
        except WheelfsError as error:
            self._failure = error
            log.warning("%s", error)
        finally:
            self._fetching_whole = False
            self._wake()

    async def _fetch_gaps(self) -> None:
        attempts = 0
        while True:
            wanted = self._next_wanted()
            if wanted is None:
                return
            self._whole = stream = _Stream()
            await self._stream(stream, wanted)
            if stream.error is None and stream.brought_bytes:
                attempts = 0
                continue
            if stream.error is None:
                stream.error = OriginFault(self._attempted(), "the origin sent nothing")
            if isinstance(stream.error, OriginUnreachable | OriginDenied | OriginMissing | OriginTimeout) or not isinstance(
                stream.error, OriginError
            ):
                raise stream.error
            attempts = 0 if stream.brought_bytes > PROGRESS_BYTES else attempts + 1
            if attempts > RETRIES:
                raise stream.error

    def _next_wanted(self) -> Wanted | None:
        if self.size_bytes is None or self._spool is None:
            return Whole()
        gaps = self._spool.spans.missing(0, self.size_bytes)
        if not gaps:
            return None
        start, end = gaps[0]
        if (start, end) == (0, self.size_bytes):
            return Whole()
        return From(start) if end == self.size_bytes else Range(start, end)

    async def _seal(self) -> None:
        assert self._spool is not None
        assert self.size_bytes is not None
        spool = self._spool
        self.sealed_sha256 = await self.supply.seal(self.ref, spool, self.size_bytes)
        # Readers that are inside spool.read in a thread keep the file open; it is unlinked now and closed with the last user.
        spool.delete()

    def _start_over(self) -> None:
        if self._spool is not None:
            self._spool.delete()
            self._spool = None
        self._tail_secured = False

    def _on_mismatch(self, error: ContentMismatch) -> None:
        self._start_over()
        if self._fresh:
            log.error("%s; it is quarantined", error)
            self.supply.poison(self.ref, error)
            self._failure = error
            return
        log.warning("%s; fetching it once more, past caches", error)
        self._fresh = True
        self._failure = error
        self.supply.nursery.start_soon(self._fetch_again)

    async def _fetch_again(self) -> None:
        self.start_whole()

    async def _bring(self, start: int, end: int) -> None:
        """Wait for ``[start, end)``: from the running stream when it is near, else by a request of its own."""
        await self._until(lambda: self._whole is not None or self._covers(start, end) or self.sealed_sha256 is not None)
        if self.sealed_sha256 is not None or self._spool is None:
            await self._until(lambda: self._covers(start, end))
            return
        gaps = self._spool.spans.missing(start, end)
        running = self._whole
        if not gaps:
            return
        near = running is not None and not running.done and running.at <= gaps[0][0] < running.at + AHEAD_BYTES
        if not near and self.size_bytes is not None:
            async with self._side:
                gaps = self._spool.spans.missing(start, end)
                if gaps:
                    with suppress(OriginError):  # then the whole fetch decides: it retries, and its failure is the reader's
                        await self._run(Range(gaps[0][0], min(self.size_bytes, max(gaps[-1][1], gaps[0][0] + SIDE_BYTES))))
        await self._until(lambda: self._covers(start, end))

    # --- streams --------------------------------------------------------------------------------------------------

    async def _stream(self, stream: _Stream, wanted: Wanted) -> None:
        """Run one HTTP request into the spool; errors end up in ``stream.error``, never in the nursery."""
        bound_s = self.supply.progress_bound_s
        try:
            with self.supply.hosts.asking(self._attempted(), self.ref.link.url):
                with trio.fail_after(bound_s) as scope:
                    origin = self.supply.origin(self.ref)
                    self.supply.counters.count_request()
                    async with origin.open_range(
                        self.ref.link.url, wanted, validator=self._validator(), fresh=self._fresh
                    ) as reply:
                        self._adopt(reply.total_bytes, reply.etag)
                        stream.at = reply.offset
                        self._wake()
                        pending: list[bytes] = []
                        held = credited = 0
                        flushed_s = trio.current_time()
                        async for data in reply.chunks:
                            pending.append(data)
                            held += len(data)
                            now_s = trio.current_time()
                            if held >= FLUSH_BYTES or now_s - flushed_s > FLUSH_AFTER_S:
                                await self._write(stream, pending)
                                pending, held, flushed_s = [], 0, now_s
                            credited += len(data)
                            if credited >= PROGRESS_BYTES:
                                scope.deadline, credited = trio.current_time() + bound_s, 0
                        await self._write(stream, pending)
                        if reply.is_whole and reply.total_bytes is None:
                            self._adopt(stream.at, reply.etag)
        except trio.TooSlowError:
            stream.error = OriginTimeout(
                self._attempted(), f"no progress within {bound_s:.0f} s", "try again; what has come is kept"
            )
        except ContentChanged as error:
            self._start_over()
            stream.error = error
        except WheelfsError as error:
            stream.error = error
        finally:
            stream.done = True
            self._wake()

    async def _write(self, stream: _Stream, pending: list[bytes]) -> None:
        if not pending:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        if self._spool is None:
            self._spool = self.supply.spool_without_size(self.ref)
        await trio.to_thread.run_sync(self._spool.write, stream.at, data, limiter=self.supply.disk)
        self.supply.counters.count_fetched(len(data))
        stream.at += len(data)
        stream.brought_bytes += len(data)
        self._wake()

    def _adopt(self, total_bytes: int | None, etag: str | None) -> None:
        """Take over what an answer says of the file as a whole; a size that contradicts the index's is the origin's fault."""
        if total_bytes is None:
            return
        if self.size_bytes is None:
            self.size_bytes = total_bytes
            self.supply.keep_size(self.ref, total_bytes, etag)
            self._open_spool_if_size_is_known()
        elif self.size_bytes != total_bytes:
            raise OriginFault(self._attempted(), f"it has {total_bytes} bytes there, but the index says {self.size_bytes}")

    def _open_spool_if_size_is_known(self) -> None:
        if self.size_bytes is None:
            self.size_bytes = self.supply.known_size(self.ref)
        if self.size_bytes is not None and self._spool is None:
            self._spool = self.supply.spool(self.ref, self.size_bytes)
        elif self.size_bytes is not None and self._spool is not None:
            self._spool.set_size(self.size_bytes)

    # --- small things ---------------------------------------------------------------------------------------------

    async def _spooled(self, start: int, end: int) -> bytes:
        assert self._spool is not None
        return await trio.to_thread.run_sync(self._spool.read, start, end - start, limiter=self.supply.disk)

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``; the wait is bounded because every stream is.  Raises what the whole fetch failed with."""
        while not ready():
            if not self._fetching_whole and self._failure is not None:
                raise self._failure
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _covers(self, start: int, end: int) -> bool:
        return self.sealed_sha256 is not None or (self._spool is not None and self._spool.spans.covers(start, end))

    def _spans_total(self) -> int:
        return 0 if self._spool is None else self._spool.spans.total

    def _validator(self) -> str | None:
        return None if self._spool is None else self._spool.validator

    def _attempted(self) -> str:
        return f"fetch {self.ref.filename} from {self.ref.origin}"
