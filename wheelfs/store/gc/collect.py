"""Giving back the room of chunks that no recipe names, while everything goes on working.

What is collected are blocks: a chunk whose neighbours in its block live on stays, and may be found and used again.  Why nothing
that is needed can go is told step by step in ``docs/design/concurrency.md``, Collecting.
"""

from __future__ import annotations

import logging
import os
import time
from array import array
from contextlib import contextmanager
from itertools import compress, count
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import StoreDamaged, StoreFull, StoreLocked
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.store.chunks.relocate import moved
from wheelfs.store.coordination.leases import held
from wheelfs.store.coordination.locks import lock_within
from wheelfs.store.engine.environment import store_error
from wheelfs.store.engine.page_release import mapped_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from wheelfs.model.recipe import Extents
    from wheelfs.store.files import StoreFiles

log = logging.getLogger(__name__)

GRACE_S: Final = 60.0
"""How long files that are just being stored are waited for; when one takes longer, the next collection deletes what this one
found."""

LOCK_S: Final = 60.0

_POLL_S: Final = 0.05

_PIECE_BYTES: Final = -(-BLOCK_BYTES // 64)
"""A block's use is kept as one bit for each 64th of it: 8 bytes a block, so 80 MB for ten million."""

_CONTENTS: Final = 256
"""Recipes that are read between two looks at how much is mapped."""
_FORGOTTEN: Final = 2_000
_DELETED: Final = 128
"""How many entries, and blocks, go in one transaction: at most 2,000 pages written, or 8,300 set free."""


class Collected(msgspec.Struct, frozen=True):
    """What a collection did (or, as a dry run, would do at least): blocks deleted, those of them rewritten, their bytes.

    ``waiting`` tells that it ended early, since a file was being stored all the time.
    """

    blocks: int = 0
    rewritten: int = 0
    freed_bytes: int = 0
    waiting: bool = False


def is_due(store: StoreFiles) -> bool:
    """Tell whether enough was removed that a collection is worth it, though the room is not needed now."""
    counts, tuning = store.catalog.counts(), store.tuning.collect
    return counts.removed_bytes > max(tuning.garbage_bytes, int(counts.raw_bytes * tuning.garbage_part))


@contextmanager
def alone(store: StoreFiles, name: str, attempted: str, other: str, *, timeout_s: float = LOCK_S) -> Iterator[None]:
    """Keep every other process from having the lock ``name`` during the block; raises `StoreLocked`, which says ``other``."""
    try:
        descriptor = os.open(store.run_directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise store_error(attempted, error) from error
    try:
        if not lock_within(descriptor, timeout_s):
            raise StoreLocked(attempted, other, "try again when it has ended")
        yield
    finally:
        os.close(descriptor)


def undisturbed(store: StoreFiles, attempted: str, *, timeout_s: float = LOCK_S) -> AbstractContextManager[None]:
    """Keep every other collection on the store from running during the block; raises `StoreLocked`."""
    return alone(store, "collect.lock", attempted, "another process collects in this store", timeout_s=timeout_s)


def collect(
    store: StoreFiles,
    *,
    dry_run: bool = False,
    grace_s: float = GRACE_S,
    lock_s: float = LOCK_S,
    sparse: float | None = None,
    rewritten_bytes: int | None = None,
) -> Collected:
    """Delete the blocks that are not in use and rewrite those that hardly are; blocks, so call it in a worker thread.

    ``sparse`` is the part in use from which on a block stays (None: as tuned), ``rewritten_bytes`` the most that is rewritten.
    Raises `StoreLocked` when another collection goes on for longer than ``lock_s``.
    """
    with undisturbed(store, f"collect in store {store.path}", timeout_s=lock_s):
        removed_bytes = store.catalog.counts().removed_bytes
        if not dry_run:
            _drop_retired(store)
        # The number first, then the leases: an ingest that is not seen here gets higher numbers only.
        horizon = store.chunks.next_block()
        horizon = min([horizon, *held(store.run_directory).first_blocks()])
        marks = _marked(store, horizon)
        room_bytes = int(_room_bytes(store) * store.tuning.collect.rewritten_part)
        if rewritten_bytes is not None:
            room_bytes = min(room_bytes, rewritten_bytes)
        doomed, found = _judged(store, marks, horizon, store.tuning.collect.sparse if sparse is None else sparse, room_bytes)
        if dry_run:
            return found
        if not found.blocks:
            _note_collected(store, removed_bytes)
            return found
        _forget(store, doomed)
        if found.rewritten:
            _relocate(store, doomed)
            _drop_retired(store)
        if not _ended(store, grace_s):
            return Collected(waiting=True)
        done = _delete(store, doomed, _marked(store, horizon))
        for _ in store.chunks.members.sweep():
            _let_go(store)
        _note_collected(store, removed_bytes)
        return replace(done, rewritten=found.rewritten)


def _let_go(store: StoreFiles) -> None:
    """Keep what is mapped of the store's files small: the whole of the index and of all recipes goes by."""
    if mapped_bytes() > store.tuning.collect.mapped_bytes:
        store.release_mapping()


class _Flags:
    """One byte for each block number below ``horizon``."""

    def __init__(self, first: int, horizon: int) -> None:
        self.first = first
        self.values = bytearray(max(0, horizon - first))

    def __contains__(self, block: object) -> bool:
        return isinstance(block, int) and 0 <= block - self.first < len(self.values) and self.values[block - self.first] != 0


class _Marks:
    """Which 64ths of the blocks below ``horizon`` recipes name."""

    def __init__(self, first: int, horizon: int) -> None:
        self.first = first
        self.masks = array("Q", bytes(8 * max(0, horizon - first)))

    def add(self, extents: Extents) -> None:
        masks, first, above = self.masks, self.first, self.first + len(self.masks)
        for block, offset, length in zip(extents.blocks, extents.offsets, extents.lengths, strict=True):
            if first <= block < above:
                begin, last = offset // _PIECE_BYTES, (offset + length - 1) // _PIECE_BYTES
                masks[block - first] |= (2 << last) - (1 << begin)


def _marked(store: StoreFiles, horizon: int) -> _Marks:
    first = next((block for block, _ in store.chunks.blocks()), horizon)
    marks = _Marks(min(first, horizon), horizon)
    for encoded in _all_recipes(store):
        try:
            recipe = Recipe.decode(encoded)
        except RecipeError as error:
            log.error("a recipe is damaged and cannot be read: %s", error)
            continue
        marks.add(recipe.data.extents)
        marks.add(recipe.skeleton.extents)
    return marks


def _all_recipes(store: StoreFiles) -> Iterator[bytes]:
    """Yield the recipes in force, then those that are gone but in use: one that goes meanwhile is met in one place or both."""
    for _, encoded in _recipes(store):
        yield encoded
    for keys in store.catalog.retired_batches():
        in_use = held(store.run_directory).open
        for key in keys:
            retired = store.catalog.retired_recipe(key) if key[:32] in in_use else None
            if retired is not None:
                yield retired


def _recipes(store: StoreFiles) -> Iterator[tuple[bytes, bytes]]:
    for number, (sha256, _) in enumerate(store.catalog.contents(), 1):
        encoded = store.catalog.recipe(sha256)
        if encoded is not None:
            yield sha256, encoded
        if number % _CONTENTS == 0:
            _let_go(store)
    _let_go(store)


def _judged(store: StoreFiles, marks: _Marks, horizon: int, sparse: float, room_bytes: int) -> tuple[_Flags, Collected]:
    """Return which blocks are to go, and the sum; at most ``room_bytes`` in use are rewritten.

    Solid ones are not: as ordinary ones they would take more room.
    """
    doomed = _Flags(marks.first, horizon)
    blocks = rewritten = freed_bytes = 0
    for block, length in store.chunks.blocks():
        if block >= horizon:
            break
        used_bytes = marks.masks[block - marks.first].bit_count() * _PIECE_BYTES
        if used_bytes <= min(length * sparse, room_bytes) and not (used_bytes and store.chunks.is_solid(block)):
            room_bytes -= used_bytes
            doomed.values[block - marks.first] = 1
            blocks += 1
            rewritten += used_bytes > 0
            freed_bytes += length - used_bytes
    return doomed, Collected(blocks, rewritten, freed_bytes)


def _room_bytes(store: StoreFiles) -> int:
    """Return how much can be written: on the disk, where the reserve is, and in freed pages of the store's files."""
    _, free_bytes = store.disk_space()
    return free_bytes + store.reserve.size_bytes + max(0, store.file_bytes() - store.used_bytes())


def _forget(store: StoreFiles, doomed: _Flags) -> None:
    """Remove every entry of the index that points into a doomed block, so that no new file relies on it."""
    for batch in store.chunks.entry_batches():
        gone = [entry for entry in batch if entry[1].block in doomed]
        for start in range(0, len(gone), _FORGOTTEN):
            store.chunks.forget(gone[start : start + _FORGOTTEN]).result()
        _let_go(store)


def _relocate(store: StoreFiles, doomed: _Flags) -> None:
    """Store the chunks that are in use in doomed blocks once more, and let the recipes say so."""
    for sha256, encoded in _recipes(store):
        try:
            recipe = moved(store.chunks, Recipe.decode(encoded), doomed)
            if recipe is not None:
                store.chunks.sync()
                store.catalog.replace_recipe(sha256, encoded, recipe.encode()).result()
        except StoreFull as error:
            log.warning("no room to rewrite blocks that are partly in use: %s", error)
            return
        except (StoreDamaged, RecipeError) as error:
            # Left as it is: reading it, or `wheelfs verify`, quarantines it.
            log.error("content %s cannot be moved: %s", sha256.hex(), error)
            continue
        if recipe is not None:
            _let_go(store)  # its chunks' entries are all over the index


def _drop_retired(store: StoreFiles) -> None:
    """Forget the retired recipes that no reader uses.

    The keys first, then the leases: a reader that takes one later does not get these recipes any more.
    """
    for keys in store.catalog.retired_batches():
        in_use = held(store.run_directory).open
        store.catalog.drop_retired([key for key in keys if key[:32] not in in_use]).result()
        _let_go(store)


def _note_collected(store: StoreFiles, removed_bytes: int) -> None:
    if removed_bytes:
        store.catalog.drop_retired([], collected_bytes=removed_bytes).result()


def _ended(store: StoreFiles, grace_s: float) -> bool:
    """Wait until every ingest that is under way now has ended: it may have found chunks in blocks that are to go."""
    under_way = set(held(store.run_directory).ingests)
    deadline = time.monotonic() + grace_s
    while under_way:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
        under_way &= held(store.run_directory).ingests.keys()
    return True


def _delete(store: StoreFiles, doomed: _Flags, marks: _Marks) -> Collected:
    """Delete the doomed blocks that are not in use after all that happened meanwhile."""
    lengths: dict[int, int] = {}
    blocks = freed_bytes = 0
    for block in compress(count(doomed.first), doomed.values):
        if 0 <= block - marks.first < len(marks.masks) and marks.masks[block - marks.first]:
            continue
        length = store.chunks.block_length(block)
        if length is not None:
            lengths[block] = length
        if len(lengths) == _DELETED:
            store.chunks.delete_blocks(list(lengths)).result()
            blocks, freed_bytes, lengths = blocks + len(lengths), freed_bytes + sum(lengths.values()), {}
            _let_go(store)
    store.chunks.delete_blocks(list(lengths)).result()
    store.chunks.settle()
    return Collected(blocks + len(lengths), 0, freed_bytes + sum(lengths.values()))
