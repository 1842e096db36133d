"""Which of several sources gives bytes: the shares in their order and then the index, and whoever lets wait is not waited for.

The next source is asked when the one before has failed, or has not answered within a moment; the first that answers gives the
bytes, and the others are given up.  So a share that hangs costs a reader a moment and not its time-out, and several of them cost
less than twice that.  A share that stalls in the middle of its answer is left after a part of the bound, and what it has not
brought is asked of the others.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.http.ranges import From, Range
from wheelfs.errors import OriginError, OriginMissing, OriginTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from wheelfs.core.http.ranges import Wanted
    from wheelfs.service.fetch.context import Source
    from wheelfs.service.fetch.partial_file import Partial, Stream

log = logging.getLogger(__name__)

PATIENCE_S: Final = 1.0
"""How long the first source may be silent before the next one is asked as well; each further one gets half of the one before.

A gateway in the same building answers within milliseconds, a busy one within some tenths of a second."""

STALL_PART: Final = 4
"""A share that has begun to answer may stall for this part of the bound, the next one for half of that: together they take less
than the bound, however many there are."""


@dataclass(slots=True)
class _Contender:
    source: Source
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    decided: trio.Event = field(default_factory=trio.Event)
    error: Exception | None = None
    is_slow: bool = False


class _Race:
    """One question to several sources; the ``winner`` is the one that answered, whatever became of its answer."""

    def __init__(self, ask: Callable[[Source, Callable[[], bool]], Awaitable[None]]) -> None:
        """``ask`` is given a source, and what to call when it answers: False tells that another one has before."""
        self._ask = ask
        self.winner: _Contender | None = None
        self.contenders: list[_Contender] = []

    async def run(self, sources: Sequence[Source]) -> None:
        """Ask until the winner's answer has ended, or all have failed."""
        patience_s = PATIENCE_S
        async with trio.open_nursery() as nursery:
            for source in sources:
                contender = _Contender(source)
                self.contenders.append(contender)
                nursery.start_soon(self._contend, contender)
                with trio.move_on_after(patience_s):
                    await contender.decided.wait()
                if self.winner is not None:
                    break
                contender.is_slow = not contender.decided.is_set()
                if contender.is_slow:
                    patience_s /= 2

    async def _contend(self, contender: _Contender) -> None:
        def answered() -> bool:
            if self.winner is None:
                self.winner = contender
                contender.decided.set()
                for other in self.contenders:
                    if other is not contender:
                        other.scope.cancel()
            return self.winner is contender

        try:
            with contender.scope:
                await self._ask(contender.source, answered)
        except Exception as error:
            contender.error = error
        finally:
            contender.decided.set()


async def ask_in_turn(partial: Partial, stream: Stream, wanted: Wanted, generation: int) -> None:
    """Bring what is ``wanted`` from whoever gives it; raises the index's error, and what the shares said, when nobody does."""
    troubles: list[str] = []
    stalls = 0
    try:
        while True:
            sources = partial.sources()
            if len(sources) == 1 and sources[0].share is None:
                with partial.supply.hosts.asking(partial.attempted, sources[0].host, silent_s=partial.supply.progress_bound_s):
                    await partial.ask(sources[0], stream, wanted, generation)
                return
            bound_s = partial.supply.progress_bound_s
            hosts = partial.supply.hosts
            # Who is down, or is the same machine, is nobody to go to from one who stalls.
            elsewhere = {hosts.name(source.host) for source in sources if hosts.may_ask(source.host)}
            race = await _raced(
                partial,
                stream,
                wanted,
                generation,
                sources=sources,
                stall_s=bound_s / (STALL_PART << stalls) if len(elsewhere) > 1 else bound_s,
            )
            troubles += _passed_over(partial, race, bound_s)
            if race.winner is not None and race.winner.error is None:
                return
            partial.check(generation)
            for one in race.contenders if race.winner is None else [race.winner]:
                if one.error is not None and not (one.source.share is not None and _is_expected(one.error)):
                    raise one.error
            stalls += race.winner is not None and isinstance(race.winner.error, trio.TooSlowError | OriginTimeout)
            if stream.new_bytes:
                wanted = From(stream.at) if stream.end is None else Range(stream.at, stream.end)
    except OriginError as error:
        if not troubles:
            raise
        raise type(error)(error.attempted, "; ".join((error.happened, *troubles)), error.advice) from None


async def _raced(
    partial: Partial, stream: Stream, wanted: Wanted, generation: int, *, sources: Sequence[Source], stall_s: float
) -> _Race:
    # Whoever is asked later than the first has no more time: the reader has one bound for all of them.
    bound_s = partial.supply.progress_bound_s
    deadline_s = trio.current_time() + max(bound_s - partial.waited_s, bound_s / 2)

    async def ask(source: Source, answered: Callable[[], bool]) -> None:
        attempted, is_share = partial.attempted, source.share is not None
        silent_s = stall_s if is_share else bound_s
        with (
            partial.supply.hosts.asking(attempted, source.host, may_lack=is_share, silent_s=silent_s),
            _told_of(source, partial),
        ):
            await partial.ask(source, stream, wanted, generation, answered=answered, deadline_s=deadline_s, stall_s=silent_s)

    race = _Race(ask)
    await race.run(sources)
    return race


@contextmanager
def _told_of(source: Source, partial: Partial) -> Iterator[None]:
    """Tell of a share's errors as what they are: it knows the file by its sha256 only, the rest of us by its index."""
    try:
        yield
    except OriginError as error:
        if source.share is None:
            raise
        attempted = f"fetch {partial.ref.filename} from the share {source.share}"
        raise type(error)(attempted, error.happened, error.advice) from None


def _passed_over(partial: Partial, race: _Race, bound_s: float) -> list[str]:
    """Note which shares are not to be asked first, or not at all, for the rest of the file; return what troubled them."""
    troubles: list[str] = []
    for one in race.contenders:
        share, error = one.source.share, one.error
        if share is None:
            continue
        if error is not None and _is_expected(error):
            partial.useless.add(share)
            if isinstance(error, OriginMissing):
                partial.supply.losses.missed(share, partial.ref)
            else:
                happened = error.happened if isinstance(error, OriginError) else f"no progress within {bound_s:.0f} s"
                troubles.append(f"the share {share}: {happened}")
                log.info("%s: the share %s does not give it: %s", partial.attempted, share, happened)
                partial.supply.hosts.fell_behind(one.source.host)
        elif one.is_slow and race.winner not in (None, one):
            partial.slow.add(share)
            partial.supply.hosts.fell_behind(one.source.host)
    return troubles


def _is_expected(error: Exception) -> bool:
    return isinstance(error, OriginError | trio.TooSlowError)
