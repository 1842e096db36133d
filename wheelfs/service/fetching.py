"""Bringing one file here: its tail when it is opened, all of it when it is read; each byte once, however many ask.

One `Content` exists for each file that is in use and not stored.  Between two awaits a method is alone: its flags need no lock.
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
from wheelfs.service.partial import PROGRESS_BYTES, Partial, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.http_ranges import Wanted
    from wheelfs.service.files import FileRef
    from wheelfs.service.supply import Supply

log = logging.getLogger(__name__)

TAIL_BYTES: Final = 64 * 1024
"""First suffix request when nothing better is known: it holds the directory of 61 % of wheels, and METADATA too of 51 %."""

AT_ONCE_BYTES: Final = 192 * 1024
"""A file no larger than this is fetched whole instead of by its tail: a second request would cost more than the bytes."""

AHEAD_BYTES: Final = 2 * 1024 * 1024
"""A read less than this ahead of the running stream waits for it; one further away is asked for by itself."""

SIDE_BYTES: Final = 256 * 1024
"""What a read far from the stream asks for at least."""

SIDE_STREAMS: Final = 4
"""Such requests at once for one file; further ones wait."""

RETRIES: Final = 2
"""Attempts after a broken stream that brought nothing new; a stream that brought something may be resumed again."""

READ_ATTEMPTS: Final = 4
"""A read is taken up again when the bytes under it were stored or thrown away meanwhile, which cannot happen often."""

_FINAL = (OriginUnreachable, OriginDenied, OriginMissing, OriginTimeout)
"""Errors that asking again at once does not mend."""


@dataclass(slots=True)
class Content:
    """One file on its way.  ``sealed_sha256`` is set once it is verified and stored; ``users`` counts who holds it."""

    ref: FileRef
    supply: Supply
    partial: Partial
    sealed_sha256: bytes | None = None
    users: int = 0
    _tail_secured: bool = False
    _tail_lock: trio.Lock = field(default_factory=trio.Lock)
    _whole: Stream | None = None
    _fetching_whole: bool = False
    _failure: WheelfsError | None = None
    _side: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(SIDE_STREAMS))

    # --- what openers and readers call ----------------------------------------------------------------------------

    async def secure_tail(self) -> None:
        """Make sure that what resolvers read is here: end of central directory, central directory, METADATA.

        Of a file that is no wheel only the beginning of the answer is awaited, so that an absent one fails here and not
        in a later read.  Raises the origin's error.  A file that is small, or whose origin has no ranges, comes whole.
        """
        async with self._tail_lock:
            if self.sealed_sha256 is not None or self._tail_secured:
                return
            await self.partial.open()
            if self.ref.kind == "wheel":
                try:
                    await self._find_tail()
                except ContentChanged:  # what was here of the old file is gone; the new one is asked for from the start
                    await self.partial.open()
                    await self._find_tail()
            elif not self.partial.spans.total:
                self.start_whole()
                await self._until(lambda: self.partial.spans.total > 0 or self.sealed_sha256 is not None)
            self._tail_secured = True

    async def learn_size(self) -> int:
        """Return the exact size, asking the origin for the tail when nobody knows it."""
        if self.partial.size_bytes is None:
            await self.secure_tail()
        if self.partial.size_bytes is None:
            await self.until_sealed()
        size_bytes = self.partial.size_bytes
        assert size_bytes is not None, "a sealed file has a size"
        return size_bytes

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, fetching what is missing.

        While nothing outside the tail has been asked for, a read that begins in it is answered as far as it goes (a
        short read) instead of starting the fetch of the whole file: kernels and libraries read further than they need.
        """
        end = min(offset + size, await self.learn_size())
        if offset >= end:
            return b""
        for _ in range(READ_ATTEMPTS):
            if not self._covers(offset, end):
                here = self.partial.spans.available_at(offset)
                if here and not self._fetching_whole:
                    end = offset + here
                else:
                    self.start_whole()
                    await self._bring(offset, end)
            if self.sealed_sha256 is not None:
                return await self.supply.read_sealed(self.sealed_sha256, offset, end - offset)
            # The spool file may go away before the thread gets to it: sealed meanwhile, or started over.
            with suppress(ValueError):
                return await self.partial.read(offset, end)
        raise OriginFault(self.partial.attempted, "it changes at its origin again and again")

    def has(self, offset: int, size: int) -> bool:
        """Return whether a read needs no network, now or as a short read of the tail."""
        if self.partial.size_bytes is None:
            return False
        return self._covers(offset, min(offset + size, self.partial.size_bytes)) or (
            not self._fetching_whole and self.partial.spans.available_at(offset) > 0
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
            self._whole = None
            self.supply.nursery.start_soon(self._fetch_whole)

    @property
    def is_busy(self) -> bool:
        """Whether something still works on this content, so that it must not be forgotten."""
        return self.users > 0 or self._fetching_whole

    # --- the tail -------------------------------------------------------------------------------------------------

    async def _find_tail(self) -> None:
        tail_bytes = self.supply.tail_bytes(self.ref.project)
        if self.partial.size_bytes is None:
            await self._run(Suffix(tail_bytes))
            if self.sealed_sha256 is not None:
                return
            if self.partial.size_bytes is None:
                raise OriginFault(self.partial.attempted, "the origin does not tell the size")
        elif self.partial.size_bytes <= AT_ONCE_BYTES:
            await self.until_sealed()
            return
        try:
            await self._find_metadata(wheel_metadata.search(self.partial.size_bytes, tail_bytes, self.ref.project))
        except zip_layout.NotAZip as error:
            # Served all the same, as its index would; installers say what is wrong with it.
            log.warning("%s from %s is no well-formed wheel: %s", self.ref.filename, self.ref.origin, error)
        if self.partial.is_complete:
            await self.until_sealed()

    async def _find_metadata(self, search: wheel_metadata.Search) -> None:
        try:
            start, end = next(search)
            while True:
                await self._need(start, end)
                if self.sealed_sha256 is not None:
                    return
                start, end = search.send(await self.partial.read(start, end))
        except StopIteration as done:
            found: wheel_metadata.Found = done.value
            self.supply.saw_directory(self.ref.project, found.directory_bytes)
            await self.supply.keep_metadata(self.ref, found.metadata)

    async def _need(self, start: int, end: int) -> None:
        """Bring ``[start, end)`` here by one request over all of its gaps."""
        if gaps := self.partial.spans.missing(start, end):
            await self._run(Range(gaps[0][0], gaps[-1][1]))
        if not self._covers(start, end):
            raise OriginFault(self.partial.attempted, "the origin sent less than was asked for")

    async def _run(self, wanted: Wanted) -> None:
        """Run one stream to its end; when it brought the whole file, until that is stored."""
        stream = Stream()
        self.supply.nursery.start_soon(self.partial.stream, stream, wanted)
        while not stream.done:
            await self.partial.next_change()
        if stream.error is not None:
            raise stream.error
        if self.partial.is_complete:
            await self.until_sealed()

    # --- the whole ------------------------------------------------------------------------------------------------

    async def _fetch_whole(self) -> None:
        try:
            await self._fetch_and_seal()
        except ContentMismatch as error:
            self.partial.start_over()
            self._tail_secured = False
            self.supply.poison(self.ref, error)
            self._failure = error
            log.error("%s; it is quarantined", error)
        except WheelfsError as error:
            self._failure = error
            log.warning("%s", error)
        finally:
            self._fetching_whole = False
            self.partial.wake()

    async def _fetch_and_seal(self) -> None:
        try:
            await self.partial.open()
            await self._fetch_gaps()
            await self._seal()
        except ContentMismatch as error:
            log.warning("%s; fetching it once more, past caches", error)
            self.partial.start_over()
            self.partial.ask_past_caches = True
            await self.partial.open()
            await self._fetch_gaps()
            await self._seal()

    async def _fetch_gaps(self) -> None:
        attempts = 0
        while (wanted := self._next_wanted()) is not None:
            self._whole = stream = Stream()
            await self.partial.stream(stream, wanted)
            error = stream.error
            if error is None and stream.brought_bytes:
                attempts = 0
                continue
            if error is None:
                error = OriginFault(self.partial.attempted, "the origin sent nothing")
            if isinstance(error, _FINAL) or not isinstance(error, OriginError):
                raise error
            attempts = 0 if stream.brought_bytes > PROGRESS_BYTES else attempts + 1
            if attempts > RETRIES:
                raise error
            await self.partial.open()

    def _next_wanted(self) -> Wanted | None:
        size_bytes = self.partial.size_bytes
        if size_bytes is None:
            return Whole()
        gaps = self.partial.spans.missing(0, size_bytes)
        if not gaps:
            return None
        start, end = gaps[0]
        if (start, end) == (0, size_bytes):
            return Whole()
        return From(start) if end == size_bytes else Range(start, end)

    async def _seal(self) -> None:
        size_bytes = self.partial.size_bytes
        assert size_bytes is not None
        self.sealed_sha256 = await self.supply.seal(self.ref, self.partial.spool, size_bytes)
        self.partial.start_over()  # threads that are reading from it finish undisturbed

    async def _bring(self, start: int, end: int) -> None:
        """Wait for ``[start, end)``: from the running stream when it is near, else by a request of its own."""
        await self._until(lambda: self._whole is not None or self._covers(start, end))
        running = self._whole
        gaps = self._gaps(start, end)
        if not gaps:
            return
        near = running is not None and not running.done and running.at <= gaps[0][0] < running.at + AHEAD_BYTES
        if not near and self.partial.size_bytes is not None:
            async with self._side:
                if gaps := self._gaps(start, end):
                    last = min(self.partial.size_bytes, max(gaps[-1][1], gaps[0][0] + SIDE_BYTES))
                    with suppress(OriginError):  # then the whole fetch decides: it retries, and its failure is the reader's
                        await self._run(Range(gaps[0][0], last))
        await self._until(lambda: self._covers(start, end))

    # --- small things ---------------------------------------------------------------------------------------------

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``; the wait is bounded because every stream is.  Raises what the whole fetch failed with."""
        while not ready():
            if not self._fetching_whole and self._failure is not None:
                raise self._failure
            await self.partial.next_change()

    def _gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        return [] if self.sealed_sha256 is not None else self.partial.spans.missing(start, end)

    def _covers(self, start: int, end: int) -> bool:
        return self.sealed_sha256 is not None or self.partial.spans.covers(start, end)
