"""Fetching only what is new in a wheel: members that are stored already are copied from the store.

What is copied in this way is speculative (see `wheelfs.core.fetch.delta`).  It is written into the partial file without being
recorded as present: no reader and no later process sees it before the hash of the whole file is checked, when it is sealed.  If
that is not the announced one, the speculative bytes are still missing, and nothing else is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import MAX_GAP_BYTES, MIN_GAP_BYTES, Piece, PlacedMember
from wheelfs.core.fetch.rate import pays
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import ContentChanged, OriginError, StoreDamaged
from wheelfs.service.fetch.byte_ranges import fetch_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.demand import Demand
    from wheelfs.service.fetch.source import Source
    from wheelfs.store.chunks.chunk_store import ChunkStore
    from wheelfs.store.chunks.members import Stored
    from wheelfs.store.spool.file import SpoolFile

log = logging.getLogger(__name__)


class _Plan(msgspec.Struct, frozen=True):
    pieces: Sequence[Piece]
    stored: Sequence[Stored]


async def fetch_parts(demand: Demand) -> int:
    """Fetch what the store lacks of a wheel, and return how many of its bytes are speculative: all the others.

    0: nothing is speculative.  What is missing then is to be fetched in the usual way, which also reports what went wrong here.
    """
    partial, context = demand.partial, demand.context
    size_bytes = partial.size_bytes
    if size_bytes is None or not _is_candidate(demand, size_bytes):
        return 0
    spool = partial.spool
    try:
        plan = await _find_plan(demand, size_bytes)
    except (OriginError, zip_layout.NotAZip) as error:
        log.debug("%s in parts: %s", partial.attempted, error)
        return 0
    if plan is None or not partial.is_open(spool):
        return 0
    try:
        speculative = await trio.to_thread.run_sync(
            _copy, context.store.chunks, spool, plan, context.limits.copy_bytes, limiter=context.disk
        )
    except ValueError:  # closed meanwhile, since the file changed
        return 0
    gap_bytes = MIN_GAP_BYTES if context.delta == "always" else MAX_GAP_BYTES
    await fetch_ranges(demand, delta.ranges(size_bytes, partial.spans, speculative, gap_bytes=gap_bytes))
    if not partial.is_open(spool) or delta.ranges(size_bytes, partial.spans, speculative, gap_bytes=0):
        return 0
    return size_bytes - partial.spans.total


async def fetch_rest(demand: Demand) -> None:
    """Fetch what was speculative and proved wrong; what this does not bring is to be fetched in the usual way."""
    assert demand.partial.size_bytes is not None
    missing = delta.ranges(demand.partial.size_bytes, demand.partial.spans, Spans(), gap_bytes=MIN_GAP_BYTES)
    await fetch_ranges(demand, missing)


def _is_candidate(demand: Demand, size_bytes: int) -> bool:
    """Return whether parts may be worth it, before anything is requested: finding out costs at least one round trip."""
    partial, context, ref = demand.partial, demand.context, demand.ref
    tail_bytes = context.facts.tail_bytes(ref.project, size_bytes)
    missing_bytes = size_bytes - partial.spans.total
    # Without a hash, right guesses could not be told from wrong ones.
    if context.delta == "never" or ref.kind != "wheel" or ref.link.sha256 is None or partial.ask_past_caches:
        return False
    if size_bytes <= tail_bytes or not missing_bytes:
        return False
    try:
        source = partial.sources()[0]
    except OriginError:
        return False
    if not context.hosts.may_ask(source.host):
        return False
    if context.delta == "always" or source.share is not None:
        return True
    # Wheels of a project have members in common, those of others hardly any.
    is_new = not context.store.catalog.stored_names(ref.project)
    return not is_new and _pays(demand, source, missing_bytes, [(0, 1)])


def _pays(demand: Demand, source: Source, missing_bytes: int, ranges: Sequence[tuple[int, int]]) -> bool:
    if source.share is not None:  # it is near, and its line is shared by the whole lab
        return True
    rate = demand.context.hosts.rate(source.host)
    return rate is not None and pays(rate, whole_bytes=missing_bytes, ranges=ranges)


async def _find_plan(demand: Demand, size_bytes: int) -> _Plan | None:
    """Return what to copy from the store, or None when that is nothing or would cost more time than it saves."""
    partial, context = demand.partial, demand.context
    search = metadata.search_directory(size_bytes, context.facts.tail_bytes(demand.ref.project, size_bytes))
    try:
        start, end = next(search)
        while True:
            await demand.need(start, end)
            data = await partial.read(start, end)
            if data is None:
                raise ContentChanged(partial.attempted, "it changed while its directory was read")
            start, end = search.send(data)
    except StopIteration as done:
        location, directory = done.value
    if partial.is_complete:  # from an origin without ranges
        return None

    def find() -> _Plan:
        found: list[PlacedMember] = delta.entries(directory, location, zip_layout.parse_directory(directory, location))
        stored = context.store.chunks.members.find([entry.member for entry in found])
        return _Plan(delta.match(found, [member.known for member in stored]), stored)

    plan = await trio.to_thread.run_sync(find, limiter=context.disk)
    if not plan.pieces:
        return None
    if context.delta == "auto":
        wanted = delta.ranges(size_bytes, partial.spans, delta.covered(plan.pieces), gap_bytes=MAX_GAP_BYTES)
        if not _pays(demand, partial.sources()[0], size_bytes - partial.spans.total, wanted):
            return None
    return plan


def _copy(chunks: ChunkStore, spool: SpoolFile, plan: _Plan, copy_bytes: int) -> Spans:
    """Write the stored members into the partial file, except those that cannot be read any more; return where."""
    done: list[tuple[int, int]] = []
    pending: list[bytes] = []
    start = pending_bytes = 0

    def write() -> None:
        nonlocal pending_bytes
        spool.write_unverified(start, b"".join(pending))
        pending.clear()
        pending_bytes = 0

    for piece in plan.pieces:
        try:
            stored = plan.stored[piece.number]
            data = [stored.small, *(chunks.read(extent) for extent in stored.extents)]
        except StoreDamaged as error:  # collected since it was found, or damaged
            log.debug("a stored member is not copied: %s", error)
            continue
        if pending and (start + pending_bytes != piece.start or pending_bytes >= copy_bytes):
            write()
        if not pending:
            start = piece.start
        pending += [piece.head, *data, piece.trailer]
        pending_bytes += piece.end - piece.start
        done.append((piece.start, piece.end))
    if pending:
        write()
    return Spans.from_iterable(done)
