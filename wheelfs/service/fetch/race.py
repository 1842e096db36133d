"""Hedged requests: several sources are tried for the same bytes, and a slow one is not waited for.

The sources are the shares in their order and then the index.  The next one is asked when the one before has failed, or has not
responded within `FetchLimits.hedge_delay_s`; the first to respond delivers the bytes, and the other requests are cancelled.  So a
share that hangs costs a reader a moment and not its timeout, and several of them less than twice that.  A share that stalls in
the middle of its response is left after a part of the timeout, and the rest is asked of the others.  A source on the host of one
that has not responded yet is no alternative to it: a gateway that is slow to give a part would be made to bring the whole wheel.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.core.fetch.plan import LONGEST_TAIL_BYTES
from wheelfs.core.http.ranges import From, Range, Suffix
from wheelfs.errors import ContentChanged, OriginError, OriginMissing, OriginTimeout
from wheelfs.service.fetch.response import Patience, receive
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.service.fetch.partial_file import PartialFile, Stream
    from wheelfs.service.fetch.source import Source

log = logging.getLogger(__name__)


class _Attempt(msgspec.Struct):
    """A request to one source.  ``decided`` is set once it has failed or the response has begun."""

    source: Source
    scope: trio.CancelScope = msgspec.field(default_factory=trio.CancelScope)
    decided: trio.Event = msgspec.field(default_factory=trio.Event)
    error: Exception | None = None
    is_slow: bool = False


class _Race:
    """One request hedged over several sources; the ``winner`` responded first, whatever became of its response."""

    def __init__(
        self,
        ask: Callable[[Source, Callable[[], bool]], Awaitable[None]],
        *,
        host_of: Callable[[Source], str],
        hedge_delay_s: float,
    ) -> None:
        """``ask`` is given a source and a function to call when it responds, which returns False if another one was faster."""
        self._ask = ask
        self._host_of = host_of
        self._hedge_delay_s = hedge_delay_s
        self.winner: _Attempt | None = None
        self.attempts: list[_Attempt] = []

    async def run(self, sources: Sequence[Source]) -> None:
        """Ask until the winner's response has ended, or all have failed."""
        delay_s, left = self._hedge_delay_s, list(sources)
        async with trio.open_nursery() as nursery:
            while left and self.winner is None:
                busy = {self._host_of(attempt.source): attempt for attempt in self.attempts if not attempt.decided.is_set()}
                source = next((source for source in left if self._host_of(source) not in busy), None)
                if source is None:
                    await busy[self._host_of(left[0])].decided.wait()
                    continue
                left.remove(source)
                attempt = _Attempt(source)
                self.attempts.append(attempt)
                nursery.start_soon(self._try, attempt)
                with trio.move_on_after(delay_s):
                    await attempt.decided.wait()
                attempt.is_slow = not attempt.decided.is_set()
                if attempt.is_slow:
                    delay_s /= 2

    async def _try(self, attempt: _Attempt) -> None:
        def answered() -> bool:
            if self.winner is None:
                self.winner = attempt
                attempt.decided.set()
                for other in self.attempts:
                    if other is not attempt:
                        other.scope.cancel()
            return self.winner is attempt

        try:
            with attempt.scope:
                await self._ask(attempt.source, answered)
        except Exception as error:
            attempt.error = error
        finally:
            attempt.decided.set()


async def run_stream(partial: PartialFile, stream: Stream, wanted: ByteRequest) -> None:
    """Bring what is ``wanted`` into ``partial``; a failure ends up in ``stream.error``, never in the nursery.

    Waiters do not talk to the network themselves, so one that is cancelled takes no stream with it.
    """
    generation = partial.generation
    stream.at, stream.end = _bounds(wanted, partial.size_bytes)
    stream.has_asked = True
    partial.live.append(stream)
    try:
        if not partial.is_given_up:
            await _ask_in_turn(partial, stream, wanted, generation)
    except ContentChanged as error:
        if generation == partial.generation and not partial.is_sealing:
            partial.start_over()
        stream.error = error
    except BaseException as error:
        stream.error = failure(partial.attempted, error)
        if not isinstance(error, Exception):
            raise
    finally:
        stream.done = True
        partial.live.remove(stream)
        partial.wake()


async def _ask_in_turn(partial: PartialFile, stream: Stream, wanted: ByteRequest, generation: int) -> None:
    """Bring what is ``wanted`` from the first source that serves it; raises the index's error with what the shares said.

    An index that was faster than a share, and breaks off in its response, is left for the shares that may still have the rest.
    """
    limits, hosts, timeout_s = partial.context.limits, partial.context.hosts, partial.context.progress_timeout_s
    troubles: list[str] = []
    stalls = 0
    broken: OriginError | None = None
    try:
        while True:
            sources = [source for source in partial.sources(is_part=stream.is_part) if broken is None or source.share is not None]
            if broken is not None and not sources:
                raise broken
            if len(sources) == 1 and sources[0].share is None:
                await _ask_index(partial, sources[0], stream, wanted, generation)
                return
            # A host that is down, or is this share's own host, is no alternative to a share that stalls.
            elsewhere = {hosts.name(source.host) for source in sources if hosts.may_ask(source.host)}
            stall_s = timeout_s / (limits.stall_divisor << stalls) if len(elsewhere) > 1 else timeout_s
            race = await _raced(partial, stream, wanted, generation, sources=sources, stall_s=stall_s)
            troubles += _note_failures(partial, race)
            if race.winner is not None and race.winner.error is None:
                return
            partial.check(generation)
            broken = broken or _broken_off(race)
            for attempt in race.attempts if race.winner is None else [race.winner]:
                error, is_share = attempt.error, attempt.source.share is not None
                if error is not None and error is not broken and not (is_share and isinstance(error, OriginError)):
                    raise error
            stalls += race.winner is not None and isinstance(race.winner.error, OriginTimeout)
            if stream.new_bytes:
                wanted = From(stream.at) if stream.end is None else Range(stream.at, stream.end)
    except OriginError as error:
        if not troubles:
            raise
        raise type(error)(error.attempted, "; ".join((error.happened, *troubles)), error.advice) from None


def _broken_off(race: _Race) -> OriginError | None:
    """Return what the index broke off with in its response; not that the file is another one than before, which is an answer."""
    winner = race.winner
    if winner is None or winner.source.share is not None or not isinstance(winner.error, OriginError):
        return None
    return None if isinstance(winner.error, ContentChanged) else winner.error


async def _ask_index(partial: PartialFile, index: Source, stream: Stream, wanted: ByteRequest, generation: int) -> None:
    timeout_s = partial.context.progress_timeout_s
    async with _turn(partial, index, wanted):
        if partial.is_given_up:
            return
        with partial.context.hosts.request(
            partial.attempted,
            index.host,
            timeout_s=timeout_s,
            silence_s=timeout_s,
            on_timeout=_no_progress(partial),
            index_url=index.origin.url,
        ) as scope:
            await receive(partial, index, stream, wanted, generation, Patience(scope, timeout_s))


@asynccontextmanager
async def _turn(partial: PartialFile, source: Source, wanted: ByteRequest) -> AsyncIterator[None]:
    """Wait until an index may be asked for one more long answer, before any time is counted: others are being served.

    Tails and other small parts do not wait, nor do shares, which are hedged.
    """
    is_short = isinstance(wanted, Suffix) or (isinstance(wanted, Range) and wanted.end - wanted.start <= LONGEST_TAIL_BYTES)
    if is_short or source.share is not None:
        yield
        return
    async with partial.context.whole_streams(source.origin.name):
        yield


async def _raced(
    partial: PartialFile, stream: Stream, wanted: ByteRequest, generation: int, *, sources: Sequence[Source], stall_s: float
) -> _Race:
    # Later attempts get no extra time: the reader has one timeout for all of them.
    timeout_s = partial.context.progress_timeout_s
    deadline_s = trio.current_time() + max(timeout_s - partial.waited_s, timeout_s / 2)

    async def ask(source: Source, answered: Callable[[], bool]) -> None:
        is_share = source.share is not None
        patience_s = stall_s if is_share else timeout_s
        left_s = max(0.0, deadline_s - trio.current_time())
        async with _turn(partial, source, wanted):
            with (
                partial.context.hosts.request(
                    partial.attempted,
                    source.host,
                    timeout_s=left_s,
                    may_lack=is_share,
                    silence_s=patience_s,
                    on_timeout=_no_progress(partial),
                    index_url=source.host if is_share else source.origin.url,
                ) as scope,
                _naming_the_share(source, partial),
            ):
                await receive(partial, source, stream, wanted, generation, Patience(scope, patience_s), answered=answered)

    hosts = partial.context.hosts
    race = _Race(ask, host_of=lambda source: hosts.name(source.host), hedge_delay_s=partial.context.limits.hedge_delay_s)
    await race.run(sources)
    return race


def _no_progress(partial: PartialFile) -> OriginTimeout:
    happened = f"no progress within {partial.context.progress_timeout_s:.0f} s"
    return OriginTimeout(partial.attempted, happened, "try again; what has come is kept")


@contextmanager
def _naming_the_share(source: Source, partial: PartialFile) -> Iterator[None]:
    """Let a share's errors name the share: its client knows the file only by its sha256, the rest of us by its index."""
    try:
        yield
    except OriginError as error:
        if source.share is None:
            raise
        attempted = f"fetch {partial.ref.filename} from the share {source.share}"
        raise type(error)(attempted, error.happened, error.advice) from None


def _note_failures(partial: PartialFile, race: _Race) -> list[str]:
    """Record which shares are not to be asked first, or not at all, for the rest of the file; return what went wrong."""
    troubles: list[str] = []
    for attempt in race.attempts:
        share, error = attempt.source.share, attempt.error
        if share is None:
            continue
        if isinstance(error, OriginError):
            partial.rule_out(attempt.source.way)
            if isinstance(error, OriginMissing):
                partial.context.missing_objects.report(share, partial.ref)
            else:
                troubles.append(f"the share {share}: {error.happened}")
                log.info("%s: the share %s does not serve it: %s", partial.attempted, share, error.happened)
                partial.context.hosts.deprioritize(attempt.source.host)
        elif attempt.is_slow and race.winner not in (None, attempt):
            partial.slow.add(share)
            partial.context.hosts.deprioritize(attempt.source.host)
    return troubles


def _bounds(wanted: ByteRequest, size_bytes: int | None) -> tuple[int, int | None]:
    """Return where a response to ``wanted`` will begin and end; where a tail of a file of unknown size lies cannot be told."""
    match wanted:
        case Range(start, end):
            return start, end
        case From(start):
            return start, size_bytes
        case Suffix(length):
            return (0, 0) if size_bytes is None else (max(0, size_bytes - length), size_bytes)
    return 0, size_bytes
