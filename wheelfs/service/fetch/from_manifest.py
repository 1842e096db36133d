"""Fetching a file from a share that tells how it is made: what is here already is not asked for, and what comes is compared.

What a manifest says is believed as far as the share's bytes are: they may be shown as they come, each chunk when it has its
digest, and so may chunks of that digest out of the store.  Whether it all is the file wanted, its sha256 tells in the end.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.fetch import delta, plan
from wheelfs.core.fetch.delta import MAX_GAP_BYTES, MIN_GAP_BYTES
from wheelfs.core.fetch.spans import Spans
from wheelfs.service.fetch.from_stored_members import bring
from wheelfs.service.fetch.local_chunks import located, read_own
from wheelfs.service.fetch.manifest import learn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.model.recipe import Extent
    from wheelfs.service.fetch.download import Content
    from wheelfs.store.chunks.chunk_store import ChunkStore
    from wheelfs.store.spool.file import SpoolFile

END_BYTES: Final = 16 << 10
"""Of a wheel's end so much is here when it is opened, even where its directory is shorter: uv reads 2 KiB to look for that."""

_LOOKED_UP: Final = 10_000
_WRITTEN_BYTES: Final = 4 << 20
"""Written to the partial file at once."""


async def secure_end(content: Content) -> int:
    """Bring the end of a wheel here as its manifest tells it, and return how much that is; 0 where nobody tells.

    That is the central directory and the end records, without a request of their own, and a little more.
    """
    partial, supply = content.partial, content.supply
    composition = await learn(partial)
    if composition is None or composition.size_bytes <= plan.AT_ONCE_BYTES:
        return 0
    spool, size_bytes, end_bytes = partial.spool, composition.size_bytes, composition.end_bytes
    if end_bytes:
        end = composition.skeleton[-end_bytes:]
        try:
            await trio.to_thread.run_sync(spool.write, size_bytes - end_bytes, end, limiter=supply.disk)
        except ValueError:  # closed meanwhile, since the file changed
            return 0
    await content.need(max(0, size_bytes - END_BYTES), size_bytes)
    return max(END_BYTES, end_bytes)


async def fetch_parts(content: Content) -> int | None:
    """Bring a file in by its manifest, and return how many bytes the store had already; None where nobody tells how it is made.

    What this does not bring is to be fetched in the usual way.
    """
    partial, supply = content.partial, content.supply
    composition = await learn(partial)
    if composition is None:
        return None
    spool = partial.spool
    gap_bytes = MIN_GAP_BYTES if supply.delta == "always" else MAX_GAP_BYTES
    taking = _Taking(supply.store.chunks, spool, composition, uses_own=supply.delta != "never", gap_bytes=gap_bytes)
    try:
        taken_bytes = await trio.to_thread.run_sync(taking.run, limiter=supply.disk)
    except ValueError:  # closed meanwhile, since the file changed
        return 0
    partial.wake()
    await bring(content, delta.ranges(composition.size_bytes, spool.spans, Spans(), gap_bytes=gap_bytes), lets_ask=True)
    return taken_bytes


class _Taking:
    """Takes into a partial file what the store and the manifest have of it, in stretches that are worth not being asked for."""

    def __init__(self, chunks: ChunkStore, spool: SpoolFile, composition: Composition, *, uses_own: bool, gap_bytes: int) -> None:
        self._chunks = chunks
        self._spool = spool
        self._composition = composition
        self._uses_own = uses_own
        self._gap_bytes = gap_bytes

    def run(self) -> int:
        """Return how many bytes of chunks were taken; blocks.  Raises ValueError when the partial file is closed."""
        size_bytes, spans = self._composition.size_bytes, self._spool.spans
        own = self._own() if self._uses_own else {}
        # What lies between two ranges that are asked for as one comes along with them.
        known = spans.copy()
        for start, end in delta.ranges(size_bytes, spans, self._composition.held(own), gap_bytes=self._gap_bytes):
            known.add(start, end)
        return sum(self._take(start, end, own) for start, end in known.missing(0, size_bytes))

    def _own(self) -> dict[int, Extent]:
        numbers = iter(range(len(self._composition.manifest.lengths)))
        own: dict[int, Extent] = {}
        while some := list(islice(numbers, _LOOKED_UP)):
            places = located(self._chunks, [self._composition.chunk(number) for number in some])
            own.update((number, place) for number, place in zip(some, places, strict=True) if place is not None)
        return own

    def _take(self, start: int, end: int, own: Mapping[int, Extent]) -> int:
        """Write ``[start, end)``, but for chunks that cannot be read any more."""
        taken_bytes = 0
        waiting = bytearray()
        at = start
        for part in self._composition.parts(start, end):
            data: bytes | None = part.skeleton
            if not data:
                data = read_own(self._chunks, self._composition.chunk(part.chunk), own[part.chunk])
            if waiting and (data is None or len(waiting) >= _WRITTEN_BYTES):
                self._spool.write(at, bytes(waiting))
                at, waiting = at + len(waiting), bytearray()
            if data is None:
                at = part.offset + self._composition.chunk(part.chunk).length
                continue
            within = data[max(0, start - part.offset) : end - part.offset]
            waiting += within
            if not part.skeleton:
                taken_bytes += len(within)
        if waiting:
            self._spool.write(at, bytes(waiting))
        return taken_bytes
