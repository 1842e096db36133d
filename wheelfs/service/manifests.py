"""Asking a share how a file is made, and comparing what that share sends of it."""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import trio

from wheelfs.errors import OriginError, OriginFault, OriginMissing
from wheelfs.service.asking import PATIENCE_S

if TYPE_CHECKING:
    from wheelfs.core.composition import Composition
    from wheelfs.service.partial import Partial
    from wheelfs.service.supply import Source

log = logging.getLogger(__name__)


class Composed(NamedTuple):
    """How a file is made, and the name of the share that says so; nobody else's bytes are compared with it."""

    share: str
    composition: Composition


async def learn(partial: Partial) -> Composition | None:
    """Return how the file is made, as the share says that is to be asked for it now; None where it does not tell, or is none.

    A share that hangs is waited for as long as for its bytes, and then comes behind the others.  Of a small file it is not asked.
    """
    supply, ref, patience_s = partial.supply, partial.ref, PATIENCE_S
    small_bytes = supply.tail_bytes(ref.project, partial.size_bytes)
    if ref.link.sha256 is None or (partial.size_bytes is not None and partial.size_bytes <= small_bytes):
        return None
    attempted = f"ask how {ref.filename} is made"
    while True:
        try:
            first, *others = partial.sources()
        except OriginError:
            return None
        if first.share is None:
            return None
        if partial.composed is not None and partial.composed.share == first.share:
            return partial.composed.composition
        generation, bound_s = partial.generation, supply.progress_bound_s
        try:
            # That it let somebody wait counts only when there was nobody else to ask.
            with trio.fail_after(patience_s if others else inf), supply.hosts.asking(attempted, first.host, may_lack=True):
                with trio.fail_after(bound_s):
                    composition = await supply.shares[first.share].composition(ref.link.sha256)
            if composition is not None and partial.size_bytes not in (None, composition.size_bytes):
                raise OriginFault(attempted, f"it says that the file has {composition.size_bytes} bytes")
        except trio.TooSlowError:
            if not others:
                return None
            partial.slow.add(first.share)
            supply.hosts.fell_behind(first.host)
            patience_s /= 2
        except OriginError as error:
            log.info("%s: the share %s is of no use: %s", partial.attempted, first.share, error)
            partial.useless.add(first.share)
            if not isinstance(error, OriginMissing):
                supply.hosts.fell_behind(first.host)
        else:
            if generation != partial.generation or partial.is_finished or composition is None:
                return None
            wire_bytes = composition.manifest.encoded_bytes
            supply.counters.count_fetched(wire_bytes)
            partial.received_bytes += wire_bytes
            partial.composed = Composed(first.share, composition)
            partial.origin_has_ranges = True
            await partial.adopt(composition.size_bytes, None)
            return composition


def compared(sources: list[Source], partial: Partial) -> list[Source]:
    """Return the sources, of which the one that told how the file is made gives no byte that was not compared."""
    composed = partial.composed
    if composed is None:
        return sources
    shares = partial.supply.shares
    return [
        source._replace(origin=shares[composed.share].checked(composed.composition)) if source.share == composed.share else source
        for source in sources
    ]
