"""Finding and reading chunks in the store for a file that is assembled from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blake3

from wheelfs.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.recipe import Chunk, Extent
    from wheelfs.store.chunks.chunk_store import ChunkStore


def locate(chunks: ChunkStore, wanted: Sequence[Chunk]) -> list[Extent | None]:
    """Return the location of each of the wanted chunks, None for one that is not stored."""
    extents = chunks.locate_all([chunk.digest for chunk in wanted])
    return [
        extent if extent is not None and extent.length == chunk.length else None
        for chunk, extent in zip(wanted, extents, strict=True)
    ]


def read_verified(chunks: ChunkStore, chunk: Chunk, extent: Extent) -> bytes | None:
    """Return a chunk's bytes, checked against its digest; None when they cannot be read.

    It was collected since it was located, is damaged, or is in a solid block that this Python cannot make again.
    """
    try:
        content = chunks.read(extent)
    except StoreError:
        return None
    return content if blake3.blake3(content).digest() == chunk.digest else None
