"""Bringing one file here: its tail when it is opened, all of it when it is read; each byte once, however many readers there are.

One `Download` exists for each file that is in use and not stored.  Fetching the tail and fetching the whole are one background
job each, and all waiters share its outcome.  Between two awaits a method runs alone: its fields need no lock.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.http.ranges import Range, Suffix
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import ContentChanged, ContentMismatch, OriginError, OriginFault, UsageError, WheelfsError
from wheelfs.service.fetch import from_manifest, from_stored_members
from wheelfs.service.fetch.byte_ranges import fetch_gaps, run_claimed
from wheelfs.service.fetch.manifest import is_of_use
from wheelfs.service.fetch.partial_file import PartialFile, Stream
from wheelfs.service.tasks import Work, begin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.fetch.space import SpaceReservations
    from wheelfs.service.file_refs import FileRef

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Download:
    """One file that is being fetched; a `wheelfs.service.fetch.demand.Demand`.

    ``sealed_sha256`` is set once it is verified and stored; ``local_bytes`` then says how much of it came out of the store.
    ``users`` counts its holders; ``tidy`` is called when a background job has ended.  ``is_reported``: a user says how it fails.
    """

    ref: FileRef
    context: FetchContext
    partial: PartialFile
    space: SpaceReservations
    tidy: Callable[[Download], None]
    sealed_sha256: bytes | None = None
    local_bytes: int = 0
    users: int = 0
    is_reported: bool = False
    _names: dict[tuple[str, str, str], FileRef] = field(default_factory=dict)
    _tail: Work | None = None
    _tail_generation: int = -1
    _tail_spans: Spans = field(default_factory=Spans)
    _whole: Work | None = None
    _whole_began: bool = False
    _was_read_on: bool = False
    _side_requests: trio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._side_requests = trio.Semaphore(self.context.limits.side_streams)

    # --- what openers and readers call ----------------------------------------------------------------------------

    @property
    def has_tail(self) -> bool:
        """Whether `ensure_tail` has nothing to do."""
        return self.sealed_sha256 is not None or self._tail_generation == self.partial.generation

    def is_tail(self, offset: int) -> bool:
        """Return whether a byte was here for those who open the file, and may be read by one who wants no more than METADATA."""
        return self._tail_spans.available_at(offset) > 0

    async def ensure_tail(self, purpose: Purpose = Purpose.UNKNOWN) -> None:
        """Make sure that what resolvers read is here: end of central directory, central directory, METADATA.

        Of a file that is no wheel only the beginning of the response is awaited, so that an absent one fails here.  Raises the
        origin's error.  A file that is small, or whose origin has no ranges, is fetched whole.  ``purpose`` of the one who opens
        it says what small is, and how long a tail is asked for.
        """
        if self.has_tail:
            return
        if self._tail is None or self._tail.done:
            size_bytes = self.partial.size_bytes or self.context.facts.size_of(self.ref)
            if purpose is Purpose.INSTALLING and from_stored_members.is_worth_a_look(self, size_bytes):
                purpose = Purpose.RESOLVING  # bytes that came with a long tail would not be copied from what is stored
            if self.ref.kind == "wheel" and size_bytes is not None and size_bytes > plan.at_once_bytes(purpose):
                self.partial.coming_tail_bytes = self.context.facts.tail_bytes(self.ref.project, size_bytes, purpose)
            self._tail = self._begin(partial(self._fetch_tail, purpose))
        await self._tail.wait()

    async def learn_size(self) -> int:
        """Return the exact size, asking the origin for the tail when it is unknown."""
        for _ in range(self.context.limits.read_attempts):
            if self.partial.size_bytes is None:
                await self.ensure_tail()
            if self.partial.size_bytes is None:
                await self.until_sealed()
            if self.partial.size_bytes is not None:
                return self.partial.size_bytes
        raise self._changes_too_often()

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, fetching what is missing.

        While no reader has asked for anything outside the tail, a read that begins in it is answered as far as it goes (a
        short read) instead of starting the fetch of the whole file: kernels and libraries read further than they need.
        """
        for _ in range(self.context.limits.read_attempts):
            end = min(offset + size, await self.learn_size())
            if offset >= end:
                return b""
            if not self._covers(offset, end):
                here = self.partial.spans.available_at(offset)
                if here and not self.is_read_on:
                    end = offset + here
                else:
                    with self.partial.awaiting(end):
                        await self._fetch_for_reader(offset, end)
            if self.sealed_sha256 is not None:
                return await self.context.read_sealed(self.sealed_sha256, offset, end - offset)
            data = await self.partial.read(offset, end)
            if data is not None:
                return data
        raise self._changes_too_often()

    def has(self, offset: int, size: int) -> bool:
        """Return whether a read needs no network, now or as a short read of the tail."""
        if self.partial.size_bytes is None:
            return False
        return self._covers(offset, min(offset + size, self.partial.size_bytes)) or (
            not self.is_read_on and self.partial.spans.available_at(offset) > 0
        )

    async def until_sealed(self) -> None:
        """Wait until the whole file is verified and stored."""
        await self.start_whole().wait()

    def start_whole(self) -> Work:
        """Start fetching all that is missing in the background, once."""
        if self._whole is None or (self._whole.done and self.sealed_sha256 is None):
            self._whole_began = False
            self._whole = self._begin(self._fetch_whole)
        return self._whole

    def add_name(self, ref: FileRef) -> None:
        """Record another name of the same content; an idle download then uses its URL, since URLs may expire."""
        if len(self._names) < self.context.limits.max_names:
            self._names.setdefault((ref.origin, ref.project, ref.filename), ref)
        if not self.is_busy or (ref.origin == self.ref.origin and ref.filename == self.ref.filename):
            self.ref = self.partial.ref = ref

    @property
    def is_busy(self) -> bool:
        """Whether something still works on this file, so that the download must not be forgotten."""
        return self.users > 0 or self.is_fetching_whole or bool(self.partial.live) or self.is_fetching_tail

    @property
    def is_fetching_tail(self) -> bool:
        """Whether the tail is being fetched."""
        return self._tail is not None and not self._tail.done

    @property
    def is_fetching_whole(self) -> bool:
        """Whether the whole file is being fetched."""
        return self._whole is not None and not self._whole.done

    @property
    def is_read_on(self) -> bool:
        """Whether the whole file is being fetched for a reader, and not ahead of one."""
        return self._was_read_on and self.is_fetching_whole

    # --- what the ways of fetching in parts call (`Demand`) -------------------------------------------------------

    def is_stored(self) -> bool:
        """Return whether all of it is stored, by another process perhaps."""
        is_idle = self.partial.size_bytes is not None and not self.partial.live and not self.partial.is_sealing
        if self.sealed_sha256 is None and is_idle and (sha256 := self.ref.link.sha256) and self.context.store.holds(sha256):
            self._sealed_as(sha256, self._names.values(), self.partial.size_bytes or 0)
        return self.sealed_sha256 is not None

    def allow_side_requests(self) -> None:
        """Let readers make requests of their own beside the fetch of the whole, since that is planned now."""
        self._whole_began = True
        self.partial.wake()

    async def ask(self, wanted: ByteRequest, *, is_part: bool = False) -> bool:
        """Run one stream to its end; raises its error.  False where another process brings the same, and that begins to come."""
        self.context.nursery.start_soon(run_claimed, self.partial, stream := Stream(is_part=is_part), wanted)
        while not stream.done:
            await self.partial.next_change()
        if stream.error is not None:
            raise stream.error.with_traceback(None)
        return stream.has_asked

    async def need(self, start: int, end: int, *, is_part: bool = False) -> None:
        """Bring ``[start, end)`` here by streams under way and by requests, whose answers may be short (RFC 9110, 15.3.7)."""
        attempts = 0
        while attempts <= self.context.limits.read_attempts and (gaps := self._gaps(start, end)):
            if (coming := self.partial.coming(gaps[0][0])) is not None:
                attempts += 1
                with self.partial.awaiting(end):
                    await self._until_done(coming, start, end)
                continue  # what another process brings comes in any number of pieces, and each ends a wait
            attempts += await self.ask(Range(gaps[0][0], gaps[-1][1]), is_part=is_part)
            if self._gaps(start, end) == gaps and self.partial.coming(gaps[0][0]) is None and not self.is_stored():
                break
        if not self._covers(start, end):
            raise OriginFault(self.partial.attempted, "the origin sent less than was asked for")

    # --- the tail -------------------------------------------------------------------------------------------------

    async def _fetch_tail(self, purpose: Purpose) -> None:
        await self.partial.open()
        if self.ref.kind != "wheel":
            if not self.partial.spans.total:
                with self.partial.awaiting(1):
                    await self._until(lambda: self.partial.spans.total > 0, self.start_whole())
        else:
            try:
                await self._find_tail(purpose)
            except ContentChanged:  # what was here of the old file is gone; the new one is requested from the start
                await self.partial.open()
                await self._find_tail(purpose)
        self._tail_generation, self._tail_spans = self.partial.generation, self.partial.spans.copy()

    async def _find_tail(self, purpose: Purpose) -> None:
        # Where page and server disagree about the size, only the digest of the whole is believed.
        if self.partial.takes_whole_answers or self.partial.is_size_disputed:
            return await self._whole_instead()
        facts, at_once_bytes = self.context.facts, plan.at_once_bytes(purpose)
        if self.partial.size_bytes is not None and self.partial.size_bytes <= at_once_bytes:
            self.partial.goes_without_manifest = not is_of_use(self.partial)
        tail_bytes = await from_manifest.ensure_end(self, at_once_bytes)
        tail_bytes = tail_bytes or facts.tail_bytes(self.ref.project, self.partial.size_bytes, purpose)
        if self.partial.size_bytes is None:
            await self.ask(Suffix(tail_bytes))
            if self.partial.size_bytes is None:
                raise OriginFault(self.partial.attempted, "the origin does not tell the size")
        elif self.partial.size_bytes <= at_once_bytes:
            await self._whole_instead()
        if self.sealed_sha256 is None and self.partial.size_bytes is not None:
            try:
                await self._find_metadata(metadata.search(self.partial.size_bytes, tail_bytes, self.ref.project))
            except zip_layout.NotAZip as error:
                # Installers would take an older version without a word.  Whether the file is so or this answer, the whole tells.
                log.warning("%s: its end makes no sense (%s); fetching it once more, past caches", self.partial.attempted, error)
                self.partial.ask_past_caches = True
                self.partial.start_over()
                await self._whole_instead()
        if self.sealed_sha256 is None and self.partial.is_complete and not self.is_fetching_whole:
            await self._whole_instead()

    async def _whole_instead(self) -> None:
        """Let the fetch of the whole bring the tail, too."""
        self.partial.coming_tail_bytes = 0
        self.partial.wake()
        await self.until_sealed()

    async def _find_metadata(self, search: metadata.Search) -> None:
        generation = self.partial.generation
        found: tuple[int, int] | metadata.Found = next(search)
        while not isinstance(found, metadata.Found):
            start, end = found
            await self.need(start, end)
            data = await self.partial.read(start, end)
            if self.sealed_sha256 is not None:
                return  # it is read from the stored file when it is requested
            if data is None:
                raise ContentChanged(self.partial.attempted, "it changed while its directory was read")
            if len(data) <= self.context.limits.parse_at_once_bytes:
                found = metadata.step(search, data)
            else:
                found = await trio.to_thread.run_sync(metadata.step, search, data, abandon_on_cancel=True)
        self.context.facts.saw_directory(self.ref.project, found.directory_bytes)
        if generation == self.partial.generation:
            await self.context.facts.keep_metadata(self.ref, found.metadata)

    # --- the whole ------------------------------------------------------------------------------------------------

    async def _fetch_whole(self) -> None:
        self.context.facts.check_quarantine(self.ref)  # who has it open from before is refused, too, and prolongs nothing
        try:
            try:
                await self._fetch_and_seal()
            except ContentMismatch as error:
                log.warning("%s; fetching it once more, past caches", error)
                self.partial.ask_past_caches = True  # first: no opener may ask the caches again meanwhile
                self.partial.start_over()
                await self._fetch_and_seal()
        except ContentMismatch as error:
            log.error("%s; it is quarantined", error)
            await self.context.facts.quarantine(self.ref, error)
            self.partial.start_over()  # last: readers may have asked for more of it meanwhile
            raise
        except WheelfsError as error:
            log.log(logging.DEBUG if self.is_reported or isinstance(error, UsageError) else logging.WARNING, "%s", error)
            raise

    async def _fetch_and_seal(self) -> None:
        await self.partial.open()
        async with self.space.reserve(self.partial):
            stored_bytes = await from_manifest.fetch_parts(self)
            if stored_bytes is None and await self._seal_with_stored_members():
                return
            await fetch_gaps(self)
            await self._seal(stored_bytes or 0)

    async def _seal_with_stored_members(self) -> bool:
        """Fetch what the store lacks and seal the file; False when all of it must come from its origin after all."""
        if not (speculative_bytes := await from_stored_members.fetch_parts(self)):
            return False
        try:
            await self._seal(speculative_bytes)
        except ContentMismatch:
            log.info("%s: what is stored is packed otherwise; fetching %d bytes more", self.partial.attempted, speculative_bytes)
            await from_stored_members.fetch_rest(self)
            return False
        return True

    async def _seal(self, local_bytes: int) -> None:
        if self.sealed_sha256 is not None:  # by another process
            return
        size_bytes = self.partial.size_bytes or 0
        names = dict(self._names)
        self.partial.is_sealing = True
        try:
            await self.partial.check_is_wheel()
            await self.partial.compare_with_earlier()
            sha256 = await self.context.seal(list(names.values()), self.partial.spool, size_bytes, self.partial.validators)
        finally:
            self.partial.is_sealing = False
        self.local_bytes = local_bytes
        self.context.counters.count_brought(size_bytes, local_bytes)
        self._sealed_as(sha256, [self._names[late] for late in self._names.keys() - names.keys()], size_bytes)

    def _sealed_as(self, sha256: bytes, late: Iterable[FileRef], size_bytes: int) -> None:
        """Go by the stored content from now on, and keep the names that it was not stored under."""
        self.sealed_sha256 = sha256
        self.partial.finish()
        for ref in late:
            self.context.keep_name(ref, sha256, size_bytes)

    async def _fetch_for_reader(self, start: int, end: int) -> None:
        """Wait for ``[start, end)``: from a running stream that is near, else by a request of its own."""
        self._was_read_on = True
        whole = self.start_whole()
        await self._until(lambda: self._whole_began or self._covers(start, end), whole)
        may_ask = True
        while not whole.done and (gaps := self._gaps(start, min(end, self.partial.size_bytes or end))):
            coming = self.partial.coming(gaps[0][0])
            if coming is not None:
                await self._until_done(coming, start, end)
            elif may_ask and self.partial.size_bytes is not None and not self.partial.takes_whole_answers:
                async with self._side_requests:
                    gaps = self._gaps(gaps[0][0], gaps[-1][1])
                    if gaps and self.partial.coming(gaps[0][0]) is None:
                        may_ask = False
                        with suppress(OriginError):  # the fetch of the whole decides: it retries, and its failure is the reader's
                            reached = [stream.at for stream in self.partial.live]
                            await self.ask(plan.side_range(self.partial.spans, self.partial.size_bytes, gaps, reached))
            else:
                await self._until(lambda: self._covers(start, end), whole)
        await self._until(lambda: self._covers(start, end), whole)

    def _begin(self, job: Callable[[], Awaitable[None]]) -> Work:
        return begin(self.context.nursery, job, self.partial.attempted, self._job_ended)

    def _job_ended(self) -> None:
        if self._tail is not None and self._tail.done:
            self.partial.coming_tail_bytes = 0
        self.partial.wake()
        self.tidy(self)

    async def _until(self, ready: Callable[[], bool], work: Work) -> None:
        """Wait until ``ready()`` or until ``work`` is done; raises its error."""
        while not ready():
            if work.done:
                return work.check()
            await self.partial.next_change()

    async def _until_done(self, stream: Stream, start: int, end: int) -> None:
        """Wait until ``[start, end)`` is here, or ``stream`` has ended."""
        while not stream.done and not self._covers(start, end):
            await self.partial.next_change()

    def _gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        return [] if self.sealed_sha256 is not None else self.partial.spans.missing(start, end)

    def _covers(self, start: int, end: int) -> bool:
        return self.sealed_sha256 is not None or self.partial.spans.covers(start, end)

    def _changes_too_often(self) -> ContentChanged:
        return ContentChanged(self.partial.attempted, "it changes at its origin again and again")
