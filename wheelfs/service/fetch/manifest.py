"""Asking a share how a file is made, and comparing what that share sends of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import trio

from wheelfs.errors import OriginError, OriginFault
from wheelfs.service.fetch.race import PATIENCE_S, STALL_PART

if TYPE_CHECKING:
    from wheelfs.core.fetch.composition import Composition
    from wheelfs.service.fetch.context import Source
    from wheelfs.service.fetch.partial_file import Partial

log = logging.getLogger(__name__)


class Composed(NamedTuple):
    """How a file is made, as the share of that name says; None where it does not.  Nobody else's bytes are compared with it."""

    share: str
    composition: Composition | None


async def learn(partial: Partial) -> Composition | None:
    """Return how the file is made, as the share says that is to be asked for it now; None where it does not, or is none.

    A share that hangs is waited for a moment, and then comes behind the others; for longer where there are none.  Of a small file
    it is not asked.
    """
    supply, ref, patience_s = partial.supply, partial.ref, PATIENCE_S
    small_bytes = supply.tail_bytes(ref.project, partial.size_bytes)
    if ref.link.sha256 is None or (partial.size_bytes is not None and partial.size_bytes <= small_bytes):
        return None
    partial.waited_s = 0.0
    while True:
        try:
            first, *behind = partial.sources()
        except OriginError:
            return None
        # Not those that are down or were too slow themselves: else two shares that hang would take turns for ever.
        others = [one for one in behind if supply.hosts.may_ask(one.host) and one.share not in partial.slow]
        if first.share is None:
            return None
        if partial.composed is not None and partial.composed.share == first.share:
            return partial.composed.composition
        generation, asked_s = partial.generation, trio.current_time()
        try:
            # Also where there is nobody else, part of the bound is left for its bytes, which need no manifest.
            with trio.fail_after(patience_s if others else supply.progress_bound_s / STALL_PART):
                composition = await _asked(partial, first.share, first.host, ref.link.sha256)
        except trio.TooSlowError:
            partial.waited_s += trio.current_time() - asked_s
            if not others:
                return None
            partial.slow.add(first.share)
            supply.hosts.fell_behind(first.host)
            patience_s /= 2
            continue
        except OriginFault as error:
            log.info("%s", error)
            composition = None
            if others:  # nothing would tell right bytes of this one from wrong ones before the end
                partial.useless.add(first.share)
                supply.hosts.fell_behind(first.host)
                continue
        if generation != partial.generation or partial.is_finished:
            return None
        partial.composed = Composed(first.share, composition)
        if composition is not None:
            partial.origin_has_ranges = True
            await partial.adopt(composition.size_bytes, None)
        return composition if generation == partial.generation and not partial.is_finished else None


async def _asked(partial: Partial, share: str, host: str, sha256: bytes) -> Composition | None:
    """Ask one share.  That it cannot be asked is told by its bytes, which are asked for next.

    Raises `trio.TooSlowError`, and `OriginFault` for an answer that is none.
    """
    supply, attempted = partial.supply, f"ask the share {share} how {partial.ref.filename} is made"
    try:
        with supply.hosts.asking(attempted, host, may_lack=True), trio.fail_after(supply.progress_bound_s):
            composition = await supply.shares[share].composition(sha256)
    except OriginFault:
        raise
    except OriginError as error:
        log.info("%s", error)
        return None
    if composition is None:
        return None
    wire_bytes = composition.manifest.encoded_bytes
    supply.counters.count_fetched(wire_bytes)
    partial.received_bytes += wire_bytes
    if partial.size_bytes not in (None, composition.size_bytes):
        raise OriginFault(attempted, f"it speaks of a file of {composition.size_bytes} bytes, not {partial.size_bytes}")
    return composition


def compared(sources: list[Source], partial: Partial) -> list[Source]:
    """Return the sources, of which the one that told how the file is made gives no byte that was not compared."""
    share, composition = partial.composed or ("", None)
    if composition is None:
        return sources
    origin = partial.supply.shares[share].checked(composition)
    return [source._replace(origin=origin) if source.share == share else source for source in sources]
