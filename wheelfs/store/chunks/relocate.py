"""Storing a recipe's chunks once more, out of blocks that are to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import blake3

from wheelfs.errors import StoreDamaged
from wheelfs.model.recipe import Chunk, ChunkList, Extent, Extents, Recipe

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from wheelfs.store.chunks.chunk_store import ChunkStore

_RUN_BYTES: Final = 4 << 20
"""How much is moved at once."""


def moved(store: ChunkStore, recipe: Recipe, doomed: Container[int]) -> Recipe | None:
    """Return a recipe of the same file that names no ``doomed`` block, or None when this one names none.

    The doomed blocks' entries must be gone from the index.  Blocks; raises `StoreDamaged`, `StoreFull` and other `StoreError`.
    """
    data = _moved(store, recipe.data, doomed)
    skeleton = _moved(store, recipe.skeleton, doomed)
    if data is None and skeleton is None:
        return None
    return Recipe(recipe.size_bytes, recipe.gaps, data or recipe.data, recipe.skeleton_bytes, skeleton or recipe.skeleton)


def places(chunks: ChunkList) -> Iterator[tuple[Chunk, Extent]]:
    """Yield each chunk with where it lies: a chunk is always whole inside one extent, which may hold its neighbours too."""
    extents = iter(chunks.extents)
    extent = Extent(0, 0, 0)
    used = 0
    for chunk in chunks:
        if used == extent.length:
            extent, used = next(extents), 0
        if used + chunk.length > extent.length:
            raise StoreDamaged("read a recipe", "a chunk lies across two extents", "run: wheelfs verify --repair")
        yield chunk, Extent(extent.block, extent.offset + used, chunk.length)
        used += chunk.length


def _moved(store: ChunkStore, chunks: ChunkList, doomed: Container[int]) -> ChunkList | None:
    if not any(block in doomed for block in chunks.extents.blocks):
        return None
    new: list[Extent] = []
    waiting: list[tuple[int, bytes, bytes]] = []
    waiting_bytes = 0

    def store_waiting() -> None:
        extents = store.append([(digest, data) for _, digest, data in waiting]).result()
        for (number, _, _), extent in zip(waiting, extents, strict=True):
            new[number] = extent
        waiting.clear()

    for number, (chunk, place) in enumerate(places(chunks)):
        new.append(place)
        if place.block in doomed:
            data = store.read(place)
            if blake3.blake3(data).digest() != chunk.digest:
                raise StoreDamaged(f"read block {place.block}", "a chunk is not what was written", "run: wheelfs verify")
            waiting.append((number, chunk.digest, data))
            waiting_bytes += len(data)
            if waiting_bytes >= _RUN_BYTES:
                store_waiting()
                waiting_bytes = 0
    store_waiting()
    return ChunkList(chunks.lengths, chunks.digests, Extents.merged(new))
