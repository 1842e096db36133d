"""Asking a share for the manifest of a file, which says of which chunks it is made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import OriginError, OriginFault, OriginTimeout
from wheelfs.service.fetch.source import KnownManifest

if TYPE_CHECKING:
    from wheelfs.core.fetch.composition import Composition
    from wheelfs.service.fetch.partial_file import PartialFile
    from wheelfs.service.fetch.source import Source

log = logging.getLogger(__name__)


async def learn(partial: PartialFile) -> Composition | None:
    """Return the composition of the file as reported by the first candidate share.

    None if that has none or its response is invalid, if the first candidate is the index, and for small files, which are not
    worth the request.  A share that hangs is waited for as long as a hedged request, and then moved after the others; for longer
    where there are no others.
    """
    context, ref = partial.context, partial.ref
    small_bytes = context.facts.tail_bytes(ref.project, partial.size_bytes)
    if ref.link.sha256 is None or (partial.size_bytes is not None and partial.size_bytes <= small_bytes):
        return None
    if partial.goes_without_manifest:
        return None
    async with partial.asking_manifest:  # the tail and the whole of one file ask at the same time
        return await _learn(partial)


def is_of_use(partial: PartialFile) -> bool:
    """Return whether a manifest could spare bytes or requests of a wheel that its opener waits for as a whole.

    It could name chunks that are here, which other files of the project have for the most part.  And it is of use where there
    is no index: then the share is asked once more for a chunk that is wrong, and else not for a file that is.
    """
    context, ref = partial.context, partial.ref
    is_anything_here = context.unpacked.is_any or bool(context.store.catalog.stored_names(ref.project))
    return context.delta == "always" or is_anything_here or not context.sources.has_index(ref)


async def _learn(partial: PartialFile) -> Composition | None:
    context, ref = partial.context, partial.ref
    assert ref.link.sha256 is not None
    delay_s = context.limits.hedge_delay_s
    partial.waited_s = 0.0
    while True:
        try:
            first, *later = partial.sources()
        except OriginError:
            return None
        # Without those that are down or were slow themselves: otherwise two shares that hang would take turns endlessly.
        others = [source for source in later if context.hosts.may_ask(source.host) and source.share not in partial.slow]
        if first.share is None:
            return None
        if partial.manifest is not None and partial.manifest.share == first.share:
            return partial.manifest.composition
        # The index of a slow gateway is that gateway as well, and would have it bring the whole file.
        is_hedged = any(context.hosts.name(source.host) != context.hosts.name(first.host) for source in others)
        generation, asked_s = partial.generation, trio.current_time()
        try:
            # Where no other is asked, part of the timeout is still left for the share's bytes, which need no manifest.
            with trio.fail_after(delay_s if is_hedged else context.progress_timeout_s / context.limits.stall_divisor):
                composition = await _ask_share(partial, first.share, first, ref.link.sha256)
        except (trio.TooSlowError, OriginTimeout):
            partial.waited_s += trio.current_time() - asked_s
            if not is_hedged:
                return None
            partial.slow.add(first.share)
            context.hosts.deprioritize(first.host)
            delay_s /= 2
            continue
        except OriginFault as error:
            log.info("%s", error)
            composition = None
            if others:  # without a valid manifest, wrong bytes of this share would be noticed only at the end
                partial.rule_out(first.way)
                context.hosts.deprioritize(first.host)
                continue
        if not partial.is_current(generation):
            return None
        partial.manifest = KnownManifest(first.share, composition)
        if composition is not None:
            partial.origin_has_ranges = True
            await partial.adopt(composition.size_bytes, None)
        return composition if partial.is_current(generation) else None


async def _ask_share(partial: PartialFile, share: str, source: Source, sha256: bytes) -> Composition | None:
    """Ask one share.  Other errors than the following are left to the request for its bytes, which comes next.

    Raises `OriginTimeout`, and `OriginFault` for an invalid response.
    """
    context, attempted = partial.context, f"ask the share {share} how {partial.ref.filename} is made"
    try:
        with context.hosts.request(attempted, source.host, timeout_s=context.progress_timeout_s, may_lack=True):
            composition = await context.sources.shares[share].composition(sha256)
    except (OriginFault, OriginTimeout):
        raise
    except OriginError as error:
        log.info("%s", error)
        return None
    if composition is None:
        return None
    wire_bytes = composition.manifest.encoded_bytes
    context.counters.count_fetched(wire_bytes)
    partial.received_bytes += wire_bytes
    if partial.size_bytes not in (None, composition.size_bytes):
        raise OriginFault(attempted, f"it describes a file of {composition.size_bytes} bytes, not {partial.size_bytes}")
    return composition
