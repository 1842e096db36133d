"""A file of which not everything is here yet: its bytes in the spool, and the streams that bring more.

A *stream* is one HTTP answer.  It writes into the spool and wakes whoever waits; nobody who waits talks to the network himself,
so a caller that goes away takes nothing with it.

The bytes that are here are of one *generation*: when the file turns out to be another one than before, all is thrown away and the
number grows.  A stream belongs to the generation in which it began, and writes into no other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.fetch.spans import Spans
from wheelfs.core.http.ranges import From, Range, Suffix
from wheelfs.errors import ContentChanged, OriginFault, OriginTimeout, WheelfsError
from wheelfs.service.fetch.manifest import Composed, compared
from wheelfs.service.fetch.race import ask_in_turn
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.http.ranges import Wanted
    from wheelfs.remote.origin import RangeReply
    from wheelfs.service.fetch.context import Source, Supply
    from wheelfs.service.file_refs import FileRef
    from wheelfs.store.spool.file import SpoolFile

log = logging.getLogger(__name__)

FLUSH_BYTES: Final = 256 * 1024
FLUSH_AFTER_S: Final = 0.02
"""Arriving bytes are written to the spool in pieces of this size, or this old: a hop to a thread costs 0.1 ms."""

SYNC_BYTES: Final = 64 * 1024 * 1024
"""How much power loss may cost: a kill costs nothing, since the spool's writes are in the kernel's hands at once."""

PROGRESS_BYTES: Final = 16 * 1024
"""A stream that brings less than this within the bound makes no progress (a slow-loris origin sends one byte at a time)."""

AHEAD_BYTES: Final = 2 * 1024 * 1024
"""A read less than this ahead of a running stream waits for it; one further away is asked for by itself."""

SKIP_BYTES: Final = 256 * 1024
"""A stream that comes upon so much that is here already ends; what lies behind is asked for anew.  Less is received again,
since a request costs as much as some hundred kilobytes."""

MAX_UNTOLD_BYTES: Final = 16 * 1024 * 1024 * 1024
"""An answer that does not tell its length must end some time: no package file comes near this."""

_OPENINGS: Final = 4
_NOTHING: Final = Spans()


@dataclass(slots=True)
class Stream:
    """One HTTP answer under way; ``at`` is the offset of the next byte that it will bring, ``end`` where it will end if known.

    ``new_bytes`` counts those that were not here before.
    """

    at: int = 0
    end: int | None = None
    new_bytes: int = 0
    error: WheelfsError | None = None
    done: bool = False


@dataclass(slots=True)
class Partial:
    """The bytes of one file that are here so far.  ``size_bytes`` is None until somebody knows it.

    ``ask_past_caches`` is set when what came did not have the promised hash, ``is_sealing`` while the bytes are being stored and
    must stay where they are, ``is_finished`` when they are stored.  ``origin_has_ranges`` once it has sent a part.
    ``received_bytes`` counts all that came, whatever became of it.
    """

    ref: FileRef
    supply: Supply
    size_bytes: int | None = None
    ask_past_caches: bool = False
    is_sealing: bool = False
    is_finished: bool = False
    generation: int = 0
    received_bytes: int = 0
    is_of_index: bool = False
    """Whether the last answer was the index's, and not a share's."""
    live: list[Stream] = field(default_factory=list)
    useless: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    """Shares that did not give this file, and those that others were quicker than."""
    composed: Composed | None = None
    waited_s: float = 0.0
    """How long nobody has said anything of it to who waits for it now; that is part of his one bound."""
    _etag: str | None = None
    origin_has_ranges: bool = False
    _spool: SpoolFile | None = None
    _opening: trio.Lock = field(default_factory=trio.Lock)
    _changed: trio.Event = field(default_factory=trio.Event)
    _unsynced_bytes: int = 0

    @property
    def attempted(self) -> str:
        """What fetching is called in messages."""
        return f"fetch {self.ref.filename} from {self.ref.origin}"

    # --- what is here ---------------------------------------------------------------------------------------------

    @property
    def spans(self) -> Spans:
        """The bytes that are here."""
        return _NOTHING if self._spool is None else self._spool.spans

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.size_bytes is not None and self._spool is not None and self.spans.covers(0, self.size_bytes)

    @property
    def spool(self) -> SpoolFile:
        """The open spool file; only after `open`, and when the size is known."""
        assert self._spool is not None
        return self._spool

    def is_open(self, spool: SpoolFile) -> bool:
        """Whether ``spool`` is still the spool file."""
        return self._spool is spool

    async def read(self, start: int, end: int) -> bytes | None:
        """Return bytes that are here; None when they have gone: the file was stored, or is another one than before."""
        generation, spool = self.generation, self._spool
        if spool is None or not spool.covers(start, end - start):
            return None
        try:
            data = await trio.to_thread.run_sync(spool.read, start, end - start, limiter=self.supply.disk)
        except ValueError:  # closed before the thread got to it
            return None
        return data if generation == self.generation else None

    async def open(self) -> None:
        """Open the spool file when the size is known, with what earlier runs have brought."""
        async with self._opening:  # a second opening in between would find the file taken, by us
            for _ in range(_OPENINGS):
                if self.size_bytes is None:
                    self._take_known()
                if self.size_bytes is None:
                    return
                if self._spool is not None:
                    try:
                        self._spool.set_size(self.size_bytes)
                    except ValueError:  # more has come of an answer without a length than the file has
                        self._drop()
                        continue
                    return
                generation = self.generation
                spool = await trio.to_thread.run_sync(
                    self.supply.spool, self.ref, self.size_bytes, self._etag, limiter=self.supply.disk
                )
                if generation != self.generation or self._is_unfounded(spool):
                    spool.delete()
                    continue
                self._spool = spool
                return
        raise ContentChanged(self.attempted, "it changes at its origin again and again")

    def _take_known(self) -> None:
        # After a change what is stored about the file speaks of the old one, until the new one's size overwrites it.
        if self.generation:
            self.size_bytes = self.ref.link.size_bytes
            return
        self.size_bytes = self.supply.known_size(self.ref)
        if self.ref.link.sha256 is None:
            self._etag = self.supply.known_etag(self.ref)

    def _is_unfounded(self, spool: SpoolFile) -> bool:
        """Return whether nobody can tell that bytes of an earlier run are of the file that is there now."""
        return self.ref.link.sha256 is None and spool.validator is None and spool.spans.total > 0

    def start_over(self) -> None:
        """Throw away what is here, and what was found out: the next bytes may be of another file."""
        self.generation += 1
        for stream in self.live:
            stream.end = 0  # nothing more will come of it
        self._drop()
        self.size_bytes = self.ref.link.size_bytes
        self._etag = self.composed = None
        self.wake()

    def finish(self) -> None:
        """Throw away what is here since it is stored; threads that are reading from it finish undisturbed."""
        self.is_finished, self.composed = True, None
        self._drop()

    def _drop(self) -> None:
        if self._spool is not None:
            self._spool.delete()
            self._spool = None

    def close(self) -> None:
        """Give up the spool file; what it holds stays for the next time."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    # --- waiting --------------------------------------------------------------------------------------------------

    async def next_change(self) -> None:
        """Wait until more bytes are here, or a stream has ended."""
        await self._changed.wait()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = trio.Event()

    def coming(self, offset: int) -> Stream | None:
        """Return a stream that will bring the byte at ``offset`` soon."""
        for stream in self.live:
            end = stream.at + AHEAD_BYTES if stream.end is None else min(stream.end, stream.at + AHEAD_BYTES)
            if stream.at <= offset < end:
                return stream
        return None

    # --- streams --------------------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """Return who can be asked for bytes now, the first before the others; raises `OriginUnreachable` when nobody can."""
        found = self.supply.sources(self.ref, without=self.useless, slow=self.slow, past_shares=self.ask_past_caches)
        return compared(found, self)

    async def stream(self, stream: Stream, wanted: Wanted) -> None:
        """Run one stream into the spool; how it failed ends up in ``stream.error``, never in the nursery.

        What a share does not give is asked of the next one, and of the index.
        """
        generation = self.generation
        stream.at, stream.end = _bounds(wanted, self.size_bytes)
        self.live.append(stream)
        try:
            await ask_in_turn(self, stream, wanted, generation)
        except trio.TooSlowError:
            stream.error = OriginTimeout(
                self.attempted,
                f"no progress within {self.supply.progress_bound_s:.0f} s",
                "try again; what has come is kept",
            )
        except ContentChanged as error:
            if generation == self.generation and not self.is_sealing:
                self.start_over()
            stream.error = error
        except BaseException as error:
            stream.error = failure(self.attempted, error)
            if not isinstance(error, Exception):
                raise
        finally:
            stream.done = True
            self.live.remove(stream)
            self.wake()

    async def ask(
        self,
        source: Source,
        stream: Stream,
        wanted: Wanted,
        generation: int,
        *,
        answered: Callable[[], bool] = lambda: True,
        deadline_s: float | None = None,
        stall_s: float | None = None,
    ) -> None:
        """Run one request at one source; raises its error, and `trio.TooSlowError`.

        ``answered`` is called when it answers, which it has to by ``deadline_s``, and tells whether anybody wants that answer;
        ``stall_s`` is how long the rest of it may bring nothing.  The bound on progress stands for what is None.
        """
        asked_s = trio.current_time()
        with trio.fail_at(asked_s + self.supply.progress_bound_s if deadline_s is None else deadline_s) as scope:
            # Where the sha256 is known, that decides in the end: nodes of one CDN may well give different entity tags.
            async with source.origin.open_range(source.url, wanted, validator=self._etag, fresh=self.ask_past_caches) as reply:
                if not answered():
                    return
                answered_s = trio.current_time()
                self.waited_s = 0.0
                self.is_of_index = source.share is None
                if not reply.is_whole or stream.at:  # the whole in place of a part tells that it has none
                    self.origin_has_ranges = not reply.is_whole
                self.check(generation)
                await self.adopt(reply.total_bytes, reply.etag)
                self.check(generation)
                stream.at = reply.offset
                if reply.is_whole or isinstance(wanted, Suffix):
                    stream.end = reply.total_bytes
                self.wake()
                await self._receive(stream, reply, generation, scope, stall_s or self.supply.progress_bound_s, source.host)
                self.supply.hosts.saw_answer(
                    source.host,
                    latency_s=answered_s - asked_s,
                    size_bytes=stream.at - reply.offset,
                    duration_s=trio.current_time() - answered_s,
                )
                if reply.is_whole and reply.total_bytes is None:
                    await self.adopt(stream.at, reply.etag)

    async def _receive(
        self, stream: Stream, reply: RangeReply, generation: int, scope: trio.CancelScope, stall_s: float, host: str
    ) -> None:
        scope.deadline = trio.current_time() + stall_s
        pending: list[bytes | memoryview] = []
        held = credited = 0
        flushed_s = trio.current_time()
        try:
            async for data in reply.chunks:
                pending.append(data)
                held += len(data)
                credited += len(data) or PROGRESS_BYTES  # nothing: a sign of life from one who compares what comes
                now_s = trio.current_time()
                if held >= FLUSH_BYTES or now_s - flushed_s > FLUSH_AFTER_S:
                    arrived, pending, held, flushed_s = pending, [], 0, now_s
                    await self._write(stream, arrived, generation)
                    if self.origin_has_ranges and self.spans.available_at(stream.at) >= SKIP_BYTES:
                        return
                if credited >= PROGRESS_BYTES:
                    scope.deadline, credited = trio.current_time() + stall_s, 0
                    self.supply.hosts.saw_life(host)
        finally:
            # Bytes that came before an answer broke off are as good as any; shielded, since this is also how a mount ends.
            if pending:
                with trio.CancelScope(shield=True):
                    await self._write(stream, pending, generation)

    async def _write(self, stream: Stream, pending: list[bytes | memoryview], generation: int) -> None:
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        end = stream.at + len(data)
        if end > (MAX_UNTOLD_BYTES if self.size_bytes is None else self.size_bytes):
            raise OriginFault(self.attempted, f"it sends more than {self.size_bytes or MAX_UNTOLD_BYTES} bytes")
        self.check(generation)
        if self._spool is None:
            self._spool = self.supply.spool_without_size(self.ref)
        spool = self._spool
        new_bytes = sum(gap_end - gap for gap, gap_end in spool.spans.missing(stream.at, end))
        try:
            await trio.to_thread.run_sync(spool.write, stream.at, data, limiter=self.supply.disk)
            self._unsynced_bytes += len(data)
            if self._unsynced_bytes >= SYNC_BYTES:
                self._unsynced_bytes = 0
                await trio.to_thread.run_sync(spool.sync, limiter=self.supply.disk)
        except ValueError:  # closed meanwhile, since the file changed or all of it is stored
            self.check(generation)
            if self._spool is spool:
                raise
        self.supply.counters.count_fetched(len(data))
        self.received_bytes += len(data)
        stream.at = end
        stream.new_bytes += new_bytes
        self.wake()

    def check(self, generation: int) -> None:
        """Raise `ContentChanged` when answers that began in ``generation`` are of no use any more."""
        if generation != self.generation or self.is_finished:
            raise ContentChanged(self.attempted, "the file is no longer the one that this answer is a part of")

    async def adopt(self, total_bytes: int | None, etag: str | None) -> None:
        """Take over what an answer says of the file as a whole; a size that contradicts the index's is the origin's fault."""
        is_hashless = self.ref.link.sha256 is None
        if is_hashless and etag is not None and self._etag is not None and _strong(etag) != _strong(self._etag):
            raise ContentChanged(self.attempted, "its entity tag is another one than before", "what was fetched is of no use")
        if total_bytes is None:
            return
        if self.size_bytes not in (None, total_bytes):
            happened = f"it has {total_bytes} bytes there, but {self.size_bytes} were announced"
            if self.ref.link.size_bytes is None:
                raise ContentChanged(self.attempted, happened, "what was fetched is of no use")
            raise OriginFault(self.attempted, happened)
        if self.size_bytes is None or (is_hashless and etag is not None and self._etag is None):
            self.size_bytes = total_bytes
            self._etag = etag if is_hashless else None
            self.supply.keep_size(self.ref, total_bytes, etag)
        await self.open()


def _strong(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _bounds(wanted: Wanted, size_bytes: int | None) -> tuple[int, int | None]:
    """Return where an answer to ``wanted`` is to begin and to end; of an unknown tail nobody can say that it is coming."""
    match wanted:
        case Range(start, end):
            return start, end
        case From(start):
            return start, size_bytes
        case Suffix(length):
            return (0, 0) if size_bytes is None else (max(0, size_bytes - length), size_bytes)
    return 0, size_bytes
