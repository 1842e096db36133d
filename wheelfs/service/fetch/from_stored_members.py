"""Fetching only what is new of a wheel: the members that are stored already are taken from the store.

What is taken so, `wheelfs.core.fetch.delta` says, is assumed.  It is put into the partial file without being noted as there:
no reader and no later process sees it, only the hash over the whole file does, when the file is stored.  If that is not the
promised one, the assumed bytes are still missing, and nothing else is.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import MAX_GAP_BYTES, MIN_GAP_BYTES, Entry, Piece
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.http.ranges import Range
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import ContentChanged, OriginError, StoreDamaged
from wheelfs.service.fetch.partial_file import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.context import Source
    from wheelfs.service.fetch.download import Content
    from wheelfs.store.chunks.chunk_store import ChunkStore
    from wheelfs.store.chunks.members import Stored
    from wheelfs.store.spool.file import SpoolFile

log = logging.getLogger(__name__)

ROUNDS: Final = 10
"""How often ranges that break off are resumed here, as long as they bring something; then what is missing is fetched as if
nothing had been stored."""

_COPIED_BYTES: Final = 4 * 1024 * 1024
"""Written to the partial file at once."""


@dataclass(frozen=True, slots=True)
class _Plan:
    pieces: Sequence[Piece]
    stored: Sequence[Stored]


async def fetch_parts(content: Content) -> int:
    """Bring all of a wheel that the store does not have, and return how many of its bytes are assumed: the rest of it.

    0: nothing is assumed, and whatever is missing is to be fetched in the usual way, which also tells what went wrong here.
    """
    partial, supply = content.partial, content.supply
    size_bytes = partial.size_bytes
    if size_bytes is None or not _is_candidate(content, size_bytes):
        return 0
    spool = partial.spool
    try:
        plan = await _find_plan(content, size_bytes)
    except (OriginError, zip_layout.NotAZip) as error:
        log.debug("%s in parts: %s", partial.attempted, error)
        return 0
    if plan is None or not _is_still(content, spool):
        return 0
    try:
        assumed = await trio.to_thread.run_sync(_copy, supply.store.chunks, spool, plan, limiter=supply.disk)
    except ValueError:  # closed meanwhile, since the file changed
        return 0
    gap_bytes = MIN_GAP_BYTES if supply.delta == "always" else MAX_GAP_BYTES
    await bring(content, delta.ranges(size_bytes, partial.spans, assumed, gap_bytes=gap_bytes))
    if not _is_still(content, spool) or delta.ranges(size_bytes, partial.spans, assumed, gap_bytes=0):
        return 0
    return size_bytes - partial.spans.total


async def fetch_rest(content: Content) -> None:
    """Bring what was assumed and proved wrong; what this does not bring is to be fetched in the usual way."""
    assert content.partial.size_bytes is not None
    missing = delta.ranges(content.partial.size_bytes, content.partial.spans, Spans(), gap_bytes=MIN_GAP_BYTES)
    await bring(content, missing)


def _is_candidate(content: Content, size_bytes: int) -> bool:
    """Tell whether parts may be worth a look, before anything is asked: what follows costs a round trip at least."""
    partial, supply, ref = content.partial, content.supply, content.ref
    tail_bytes = supply.tail_bytes(ref.project, size_bytes)
    missing_bytes = size_bytes - partial.spans.total
    # Without a hash nobody could tell right assumptions from wrong ones.
    if supply.delta == "never" or ref.kind != "wheel" or ref.link.sha256 is None or partial.ask_past_caches:
        return False
    if size_bytes <= tail_bytes or not missing_bytes:
        return False
    try:
        source = partial.sources()[0]
    except OriginError:
        return False
    if not supply.hosts.may_ask(source.host):
        return False
    return supply.delta == "always" or _pays(content, source, missing_bytes, [(0, 1)])


def _pays(content: Content, source: Source, missing_bytes: int, ranges: Sequence[tuple[int, int]]) -> bool:
    if source.share is not None:  # it is near, and its line is the whole lab's
        return True
    pace = content.supply.hosts.pace(source.host)
    return pace is not None and delta.pays(pace, whole_bytes=missing_bytes, ranges=ranges)


async def _find_plan(content: Content, size_bytes: int) -> _Plan | None:
    """Return what to assume, or None when that is nothing or would cost more time than it saves."""
    partial, supply = content.partial, content.supply
    search = metadata.search_directory(size_bytes, supply.tail_bytes(content.ref.project, size_bytes))
    try:
        start, end = next(search)
        while True:
            await content.need(start, end)
            data = await partial.read(start, end)
            if data is None:
                raise ContentChanged(partial.attempted, "it changed while its directory was read")
            start, end = search.send(data)
    except StopIteration as done:
        location, directory = done.value
    if partial.is_complete:  # from an origin without ranges
        return None

    def find() -> _Plan:
        found: list[Entry] = delta.entries(directory, location, zip_layout.parse_directory(directory, location))
        stored = supply.store.chunks.members.find([entry.member for entry in found])
        return _Plan(delta.match(found, [one.known for one in stored]), stored)

    plan = await trio.to_thread.run_sync(find, limiter=supply.disk)
    if not plan.pieces:
        return None
    if supply.delta == "auto":
        asked = delta.ranges(size_bytes, partial.spans, delta.covered(plan.pieces), gap_bytes=MAX_GAP_BYTES)
        if not _pays(content, partial.sources()[0], size_bytes - partial.spans.total, asked):
            return None
    return plan


def _is_still(content: Content, spool: SpoolFile) -> bool:
    """Tell whether the partial file is the one that was begun with: it is dropped when the origin's file changes."""
    return content.partial.is_open(spool)


def _copy(chunks: ChunkStore, spool: SpoolFile, plan: _Plan) -> Spans:
    """Put the stored members into the partial file; return where.  One that cannot be read any more is left out."""
    done: list[tuple[int, int]] = []
    waiting: list[bytes] = []
    start = waiting_bytes = 0

    def write() -> None:
        nonlocal waiting_bytes
        spool.assume(start, b"".join(waiting))
        waiting.clear()
        waiting_bytes = 0

    for piece in plan.pieces:
        try:
            stored = plan.stored[piece.number]
            data = [stored.small, *(chunks.read(extent) for extent in stored.extents)]
        except StoreDamaged as error:  # collected since it was found, or rotten
            log.debug("a stored member is not taken: %s", error)
            continue
        if waiting and (start + waiting_bytes != piece.start or waiting_bytes >= _COPIED_BYTES):
            write()
        if not waiting:
            start = piece.start
        waiting += [piece.head, *data, piece.trailer]
        waiting_bytes += piece.end - piece.start
        done.append((piece.start, piece.end))
    if waiting:
        write()
    return Spans.from_iterable(done)


async def bring(content: Content, ranges: Sequence[tuple[int, int]], *, lets_ask: bool = False) -> None:
    """Ask for ``ranges``, some at once, and for what broke off again; errors are left to whoever fetches the rest.

    ``lets_ask``: whoever reads may ask for his part himself from then on.
    """
    for _ in range(ROUNDS):
        queue = deque((start, end) for start, end in ranges if not content.partial.spans.covers(start, end))
        if not queue:
            return
        if not content.partial.origin_has_ranges:
            # One request tells: the answer of an origin that knows no ranges brings everything, and once is enough.
            queue = deque([queue[0]])
        outcomes: list[bool] = []
        async with trio.open_nursery() as nursery:
            for _ in range(min(delta.CONNECTIONS, len(queue))):
                nursery.start_soon(_work_off, content, queue, outcomes, lets_ask)
        if not any(outcomes):
            return


async def _work_off(content: Content, queue: deque[tuple[int, int]], outcomes: list[bool], lets_ask: bool) -> None:
    """Ask for one range after the other, until one brings nothing."""
    partial = content.partial
    while queue:
        start, end = queue.popleft()
        # The limit is the process's: waiting for a connection must not look like an origin that is silent.
        async with content.supply.parts:
            missing = partial.spans.missing(start, end)
            if not missing:
                continue
            stream = Stream()
            if lets_ask:  # not before this one is under way, which comes with the next step
                content.lets_ask()
            await partial.stream(stream, Range(missing[0][0], missing[-1][1]))
        outcomes.append(stream.new_bytes > 0)
        if not stream.new_bytes:
            return
