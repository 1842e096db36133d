"""Fetching a file by its manifest: chunks that are stored here are not requested, and received chunks are verified.

A manifest is trusted no further than the share's bytes are.  They may be served as they come, each chunk once it has its digest,
and so may stored chunks of that digest.  Whether the result is the file wanted is decided by its sha256 at the end.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import MAX_GAP_BYTES, MIN_GAP_BYTES
from wheelfs.core.fetch.spans import Spans
from wheelfs.service.fetch.byte_ranges import fetch_ranges
from wheelfs.service.fetch.manifest import learn
from wheelfs.store.chunks.lookup import locate, read_verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.model.recipe import Extent
    from wheelfs.service.fetch.demand import Demand
    from wheelfs.service.fetch.limits import FetchLimits
    from wheelfs.store.chunks.chunk_store import ChunkStore
    from wheelfs.store.spool.file import SpoolFile


async def ensure_end(demand: Demand, at_once_bytes: int) -> int:
    """Make the end of a wheel available as its manifest contains it, and return how many bytes; 0 if there is no manifest.

    And 0 for a wheel of at most ``at_once_bytes``, which is fetched whole.

    That is the central directory and the end records, without a request of their own, and a little more.
    """
    partial, context = demand.partial, demand.context
    composition = await learn(partial)
    if composition is None or composition.size_bytes <= at_once_bytes:
        return 0
    spool, size_bytes, end_bytes = partial.spool, composition.size_bytes, composition.end_bytes
    if end_bytes:
        end = composition.skeleton[-end_bytes:]
        try:
            await trio.to_thread.run_sync(spool.write, size_bytes - end_bytes, end, limiter=context.disk)
        except ValueError:  # closed meanwhile, since the file changed
            return 0
    await demand.need(max(0, size_bytes - context.limits.end_bytes), size_bytes)
    return max(context.limits.end_bytes, end_bytes)


async def fetch_parts(demand: Demand) -> int | None:
    """Fetch a file by its manifest, and return how many bytes were taken from the store; None if there is no manifest.

    What this does not bring is to be fetched in the usual way.
    """
    partial, context = demand.partial, demand.context
    composition = await learn(partial)
    if composition is None:
        return None
    spool = partial.spool
    gap_bytes = MIN_GAP_BYTES if context.delta == "always" else MAX_GAP_BYTES
    assembly = _Assembly(
        context.store.chunks, spool, composition, uses_store=context.delta != "never", gap_bytes=gap_bytes, limits=context.limits
    )
    try:
        stored_bytes = await trio.to_thread.run_sync(assembly.run, limiter=context.copying)
    except ValueError:  # closed meanwhile, since the file changed
        return 0
    partial.wake()
    missing = delta.ranges(composition.size_bytes, spool.spans, Spans(), gap_bytes=gap_bytes)
    await fetch_ranges(demand, missing, side_requests=True)
    return stored_bytes


class _Assembly:
    """Writes into a partial file what store and manifest have of it, where that is long enough to spare a request."""

    def __init__(
        self,
        chunks: ChunkStore,
        spool: SpoolFile,
        composition: Composition,
        *,
        uses_store: bool,
        gap_bytes: int,
        limits: FetchLimits,
    ) -> None:
        self._chunks = chunks
        self._spool = spool
        self._composition = composition
        self._uses_store = uses_store
        self._gap_bytes = gap_bytes
        self._limits = limits

    def run(self) -> int:
        """Return how many bytes of stored chunks were written; blocks.  Raises ValueError when the partial file is closed."""
        size_bytes, spans = self._composition.size_bytes, self._spool.spans
        stored = self._stored() if self._uses_store else {}
        # What lies between two ranges that are requested as one comes along with them.
        known = spans.copy()
        for start, end in delta.ranges(size_bytes, spans, self._composition.held(stored), gap_bytes=self._gap_bytes):
            known.add(start, end)
        return sum(self._write(start, end, stored) for start, end in known.missing(0, size_bytes))

    def _stored(self) -> dict[int, Extent]:
        numbers = iter(range(len(self._composition.manifest.lengths)))
        stored: dict[int, Extent] = {}
        while batch := list(islice(numbers, self._limits.lookup_chunks)):
            extents = locate(self._chunks, [self._composition.chunk(number) for number in batch])
            stored.update((number, extent) for number, extent in zip(batch, extents, strict=True) if extent is not None)
        return stored

    def _write(self, start: int, end: int, stored: Mapping[int, Extent]) -> int:
        """Write ``[start, end)`` except chunks that cannot be read any more; return how many bytes came from the store."""
        stored_bytes = 0
        pending = bytearray()
        at = start
        for part in self._composition.parts(start, end):
            data: bytes | None = part.skeleton
            if not data:
                data = read_verified(self._chunks, self._composition.chunk(part.chunk), stored[part.chunk])
            if pending and (data is None or len(pending) >= self._limits.copy_bytes):
                self._spool.write(at, bytes(pending))
                at, pending = at + len(pending), bytearray()
            if data is None:
                at = part.offset + self._composition.chunk(part.chunk).length
                continue
            within = data[max(0, start - part.offset) : end - part.offset]
            pending += within
            if not part.skeleton:
                stored_bytes += len(within)
        if pending:
            self._spool.write(at, bytes(pending))
        return stored_bytes
