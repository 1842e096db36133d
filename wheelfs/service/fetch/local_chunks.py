"""Chunks that the store has already, found and read for a file that is to be made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blake3

from wheelfs.errors import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.recipe import Chunk, Extent
    from wheelfs.store.chunks.chunk_store import ChunkStore


def located(chunks: ChunkStore, wanted: Sequence[Chunk]) -> list[Extent | None]:
    """Return for each of the wanted chunks where it lies, None where it is not here."""
    places = chunks.locate_all([chunk.digest for chunk in wanted])
    return [
        place if place is not None and place.length == chunk.length else None for chunk, place in zip(wanted, places, strict=True)
    ]


def read_own(chunks: ChunkStore, chunk: Chunk, place: Extent) -> bytes | None:
    """Return a chunk's bytes, which have its digest; None when it was collected since it was found, or is rotten."""
    try:
        content = chunks.read(place)
    except StoreDamaged:
        return None
    return content if blake3.blake3(content).digest() == chunk.digest else None
