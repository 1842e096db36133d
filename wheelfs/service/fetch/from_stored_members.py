"""Fetching only what is new in a wheel: members that are stored are copied, and those that are unpacked are packed.

What is made in this way is speculative (see `wheelfs.core.fetch.delta`).  It is written into the partial file without being
recorded as present: no reader and no later process sees it before the hash of the whole file is checked, when it is sealed.  If
that is not the announced one, the speculative bytes are still missing, and nothing else is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import trio

from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import MAX_GAP_BYTES, MIN_GAP_BYTES, Piece, PlacedMember
from wheelfs.core.fetch.plan import AT_ONCE_BYTES
from wheelfs.core.fetch.rate import COPY_BYTES_S, PACK_BYTES_S, pays
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import ContentChanged, InvalidInput, OriginError, StoreError
from wheelfs.service.fetch.byte_ranges import fetch_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.demand import Demand
    from wheelfs.service.fetch.source import Source
    from wheelfs.service.unpacked.local_wheel import LocalWheel
    from wheelfs.store.chunks.chunk_store import ChunkStore
    from wheelfs.store.chunks.members import Stored
    from wheelfs.store.spool.file import SpoolFile

log = logging.getLogger(__name__)


class _Plan(msgspec.Struct, frozen=True):
    pieces: Sequence[Piece]
    stored: Sequence[Stored]
    found: Sequence[PlacedMember]


async def fetch_parts(demand: Demand) -> int:
    """Fetch what is not here of a wheel, and return how many of its bytes are speculative: all the others.

    0: nothing is speculative.  What is missing then is to be fetched in the usual way, which also reports what went wrong here.
    Raises `InvalidInput` where a wheel is to be made of unpacked files, and too little of it is there.
    """
    partial = demand.partial
    spool = partial.spool if partial.size_bytes is not None else None
    missing = await _speculate(demand)
    if missing is None or spool is None:
        return 0
    await fetch_ranges(demand, missing.requests)
    assert partial.size_bytes is not None
    if not partial.is_open(spool) or delta.ranges(partial.size_bytes, partial.spans, missing.speculative, gap_bytes=0):
        return 0
    return partial.size_bytes - partial.spans.total


async def missing_bytes(demand: Demand) -> int | None:
    """Return how many bytes `fetch_parts` would ask for, having fetched the directory; None where it would do nothing."""
    missing = await _speculate(demand)
    return None if missing is None else sum(end - start for start, end in missing.requests)


class _Missing(NamedTuple):
    requests: list[tuple[int, int]]
    speculative: Spans


async def _speculate(demand: Demand) -> _Missing | None:
    """Put what is likely to be in the file into its partial file, and return the rest; None where that does not pay."""
    partial, context = demand.partial, demand.context
    size_bytes = partial.size_bytes
    if size_bytes is None or not _may_be_made_of_parts(demand):
        return None
    local = None
    if context.unpacked.is_any and _may_pay(demand, size_bytes, is_new=False, copy_bytes_s=PACK_BYTES_S):
        local = await trio.to_thread.run_sync(context.unpacked.of, demand.ref, limiter=context.looking)
    if not _is_candidate(demand, size_bytes, local):
        return None
    spool = partial.spool
    try:
        plan = await _find_plan(demand, size_bytes, local)
    except (OriginError, zip_layout.NotAZip) as error:
        log.debug("%s in parts: %s", partial.attempted, error)
        return None
    if plan is None or not partial.is_open(spool):
        return None
    try:
        speculative = await trio.to_thread.run_sync(
            _copy, context.store.chunks, spool, plan, context.limits.copy_bytes, limiter=context.copying
        )
        if local is not None:
            here = Spans.from_iterable([*speculative, *partial.spans])
            arguments = plan.found, here, spool.write_unverified
            rebuilt = await trio.to_thread.run_sync(local.rebuild, *arguments, limiter=context.packing)
            speculative = Spans.from_iterable([*speculative, *rebuilt])
    except ValueError:  # closed meanwhile, since the file changed
        return None
    if local is not None and local.is_asked_for and 2 * speculative.total < size_bytes:
        happened = f"of its {size_bytes} bytes only {speculative.total} can be made of what is unpacked"
        raise InvalidInput(partial.attempted, happened, f"fetch it: wheelfs fetch {demand.ref.project}")
    if not speculative.total:
        return None
    gap_bytes = MIN_GAP_BYTES if context.delta == "always" else MAX_GAP_BYTES
    return _Missing(delta.ranges(size_bytes, partial.spans, speculative, gap_bytes=gap_bytes), speculative)


async def fetch_rest(demand: Demand) -> None:
    """Fetch what was speculative and proved wrong; what this does not bring is to be fetched in the usual way."""
    assert demand.partial.size_bytes is not None
    missing = delta.ranges(demand.partial.size_bytes, demand.partial.spans, Spans(), gap_bytes=MIN_GAP_BYTES)
    await fetch_ranges(demand, missing)


def is_worth_a_look(demand: Demand, size_bytes: int | None) -> bool:
    """Return whether so many members of a wheel may be stored that it is worth a request, as far as that is known before one."""
    context, ref = demand.context, demand.ref
    if size_bytes is None or size_bytes <= AT_ONCE_BYTES or not _may_be_made_of_parts(demand):
        return False
    return context.unpacked.is_any or bool(context.store.catalog.stored_names(ref.project))


def _may_be_made_of_parts(demand: Demand) -> bool:
    partial, ref = demand.partial, demand.ref
    if partial.goes_without_manifest:  # for the same reasons
        return False
    # Without a hash, right guesses could not be told from wrong ones.
    return demand.context.delta != "never" and ref.kind == "wheel" and ref.link.sha256 is not None and not partial.ask_past_caches


def _is_candidate(demand: Demand, size_bytes: int, local: LocalWheel | None) -> bool:
    """Return whether parts may be worth it, before anything is requested: finding out costs at least one round trip."""
    if size_bytes <= _tail_bytes(demand, size_bytes, local):
        return False
    # Wheels of a project have members in common, those of others hardly any.
    is_new = local is None and not demand.context.store.catalog.stored_names(demand.ref.project)
    return _may_pay(demand, size_bytes, is_new=is_new, copy_bytes_s=_copy_bytes_s(local))


def _may_pay(demand: Demand, size_bytes: int, *, is_new: bool, copy_bytes_s: float) -> bool:
    partial, context = demand.partial, demand.context
    missing_bytes = size_bytes - partial.spans.total
    if not missing_bytes:
        return False
    try:
        source = partial.sources()[0]
    except OriginError:
        return False
    if not context.hosts.may_ask(source.host):
        return False
    if context.delta == "always" or source.share is not None:
        return True
    return not is_new and _pays(demand, source, missing_bytes, [(0, 1)], copy_bytes_s=copy_bytes_s)


def _tail_bytes(demand: Demand, size_bytes: int, local: LocalWheel | None) -> int:
    return demand.context.facts.tail_bytes(demand.ref.project, size_bytes) if local is None else local.tail_bytes


def _copy_bytes_s(local: LocalWheel | None) -> float:
    return COPY_BYTES_S if local is None else PACK_BYTES_S


def _pays(demand: Demand, source: Source, missing_bytes: int, ranges: Sequence[tuple[int, int]], *, copy_bytes_s: float) -> bool:
    if source.share is not None:  # it is near, and its line is shared by the whole lab
        return True
    rate = demand.context.hosts.rate(source.host)
    return rate is not None and pays(rate, whole_bytes=missing_bytes, ranges=ranges, copy_bytes_s=copy_bytes_s)


async def _find_plan(demand: Demand, size_bytes: int, local: LocalWheel | None) -> _Plan | None:
    """Return what to copy from the store, or None when that is nothing or would cost more time than it saves.

    What is unpacked (``local``) is not in it: which members can be made of that is found out by making them.
    """
    partial, context = demand.partial, demand.context
    while partial.coming_tail_bytes:  # it holds the directory, most likely
        await partial.next_change()
    gaps = partial.spans.missing(0, size_bytes)
    here_bytes = size_bytes - (gaps[-1][1] if gaps else 0)  # of its end; most likely all of the directory
    search = metadata.search_directory(size_bytes, here_bytes or _tail_bytes(demand, size_bytes, local))
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
        return _Plan(delta.match(found, [member.known for member in stored]), stored, found)

    plan = await trio.to_thread.run_sync(find, limiter=context.disk)
    if local is not None:
        return plan
    if not plan.pieces:
        return None
    if context.delta == "auto":
        wanted = delta.ranges(size_bytes, partial.spans, delta.covered(plan.pieces), gap_bytes=MAX_GAP_BYTES)
        missing = size_bytes - partial.spans.total
        if not _pays(demand, partial.sources()[0], missing, wanted, copy_bytes_s=COPY_BYTES_S):
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
        except StoreError as error:  # collected since it was found, damaged, or solid and this Python has another zlib
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
