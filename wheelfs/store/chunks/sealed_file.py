"""Reading a sealed file: which slices of the skeleton and of which blocks make up the bytes asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Final

import zstandard

from wheelfs.errors import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Iterable

    import lmdb

    from wheelfs.model.recipe import Recipe
    from wheelfs.store.chunks.chunk_store import ChunkStore


_NOTHING: Final = memoryview(b"")


class SealedFile:
    """Random access to a stored file.  Threads may share it; everything it builds up is idempotent.

    ``read`` always copies out of LMDB's map, inside one short transaction.  Handing views out instead would tie a read
    transaction, and with it every page freed since, to how soon the caller's reply is sent; the copy of 128 KiB costs some 10 µs.
    """

    __slots__ = ("_data_starts", "_extent_starts", "_recipe", "_skeleton", "_starts", "_store", "size")

    def __init__(self, recipe: Recipe, store: ChunkStore) -> None:
        """Build the prefix sums (24 bytes a chunk); nothing is read yet."""
        self._recipe = recipe
        self._store = store
        self.size = recipe.size_bytes
        # Where element i (a gap, then a chunk) begins: in the file, and its chunk in data space.
        self._starts = _prefix_sums(map(add, recipe.gaps, recipe.data.lengths))
        self._data_starts = _prefix_sums(recipe.data.lengths)
        self._extent_starts = _prefix_sums(recipe.data.extents.lengths)
        self._skeleton: bytes | None = None if recipe.skeleton_bytes else b""

    @property
    def recipe(self) -> Recipe:
        """What it is put together from."""
        return self._recipe

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at ``offset``: fewer than ``size`` only at the end of the file.  Raises `StoreDamaged`."""
        end = min(offset + size, self.size)
        if offset < 0 or end <= offset:
            return b""
        data_start, data_end = self._data_position(offset), self._data_position(end)
        with self._store.environment.read() as transaction:
            views = self._data_views(transaction, data_start, data_end)
            if data_end - data_start == end - offset:
                return bytes(views[0]) if len(views) == 1 else b"".join(views)
            return b"".join(self._woven(transaction, offset, end, data_start, views))

    def outline(self, offset: int, size: int) -> bytes:
        """Return what `read` does, with zeros in the place of chunks, none of which is read: a ZIP's headers and directory."""
        end = min(offset + size, self.size)
        if offset < 0 or end <= offset:
            return b""
        data_start, data_end = self._data_position(offset), self._data_position(end)
        with self._store.environment.read() as transaction:
            zeros = memoryview(bytes(data_end - data_start))
            return b"".join(self._woven(transaction, offset, end, data_start, [zeros]))

    def is_warm(self, offset: int, size: int) -> bool:
        """Tell whether `read` of this range will be quick: nothing of it has to come from the disk, and little to be checked."""
        end = min(offset + size, self.size)
        if offset < 0 or end <= offset:
            return True
        data_start, data_end = self._data_position(offset), self._data_position(end)
        blocks = array("Q")
        if data_start < data_end:
            first, last = self._extents_between(data_start, data_end)
            blocks += self._recipe.data.extents.blocks[first:last]
        if self._skeleton is None and data_end - data_start != end - offset:
            if self._recipe.skeleton_bytes > self._store.tuning.quick_skeleton_bytes:
                return False
            blocks += self._recipe.skeleton.extents.blocks
        return self._store.are_at_hand(blocks)

    def _data_position(self, offset: int) -> int:
        """Return how many bytes of data space lie before ``offset`` of the file."""
        element = bisect_right(self._starts, offset) - 1
        if element >= len(self._recipe.gaps):
            return self._data_starts[-1]
        into = offset - self._starts[element] - self._recipe.gaps[element]
        return self._data_starts[element] + max(0, into)

    def _extents_between(self, start: int, end: int) -> tuple[int, int]:
        """Return the indexes ``[first, last)`` of the extents that hold ``[start, end)`` of data space; it is not empty."""
        first = bisect_right(self._extent_starts, start) - 1
        last = bisect_right(self._extent_starts, end - 1, first)
        return first, last

    def _data_views(self, transaction: lmdb.Transaction, start: int, end: int) -> list[memoryview]:
        if start == end:
            return []
        extents = self._recipe.data.extents
        view = self._store.view
        views: list[memoryview] = []
        for index in range(*self._extents_between(start, end)):
            begins = self._extent_starts[index]
            skip = max(0, start - begins)
            length = min(extents.lengths[index], end - begins) - skip
            views.append(view(transaction, extents.blocks[index], extents.offsets[index] + skip, length))
        return views

    def _woven(
        self, transaction: lmdb.Transaction, offset: int, end: int, data_position: int, views: list[memoryview]
    ) -> list[bytes | memoryview]:
        """Return slices of skeleton and of ``views`` (all data of the range, in order) as they alternate in the file.

        Half of what reading a wheel of small members costs is this loop: 250 to 1,000 turns for a MiB.
        """
        skeleton = self._skeleton if self._skeleton is not None else self._load_skeleton(transaction)
        parts: list[bytes | memoryview] = []
        append = parts.append
        skeleton_position = offset - data_position
        rest = iter(views)
        view = next(rest, _NOTHING)
        position, view_bytes = 0, len(view)
        for gap, length in zip(*self._elements(offset, end), strict=True):
            if gap:
                append(skeleton[skeleton_position : skeleton_position + gap])
                skeleton_position += gap
            stop = position + length
            while stop > view_bytes:
                if position < view_bytes:
                    append(view[position:])
                stop -= view_bytes
                view = next(rest)
                position, view_bytes = 0, len(view)
            append(view[position:stop])
            position = stop
        return parts

    def _elements(self, offset: int, end: int) -> tuple[list[int], list[int]]:
        """Return the gaps and the chunks' lengths in a range that is not empty, cut to what of them lies inside."""
        first = bisect_right(self._starts, offset) - 1
        last = bisect_left(self._starts, end, first)
        gaps = self._recipe.gaps[first:last].tolist()
        lengths = self._recipe.data.lengths[first:last].tolist()
        if last == len(self._starts):  # what follows the last chunk
            gaps.append(self.size - self._starts[-1])
            lengths.append(0)
        before = offset - self._starts[first]
        in_gap = min(before, gaps[0])
        gaps[0] -= in_gap
        lengths[0] -= before - in_gap
        after = (self.size if last == len(self._starts) else self._starts[last]) - end
        in_chunk = min(after, lengths[-1])
        lengths[-1] -= in_chunk
        gaps[-1] -= after - in_chunk
        return gaps, lengths

    def _load_skeleton(self, transaction: lmdb.Transaction) -> bytes:
        recipe = self._recipe
        frame = b"".join(self._store.view(transaction, *extent) for extent in recipe.skeleton.extents)
        try:
            # The frame states its size; it is compared before that much memory is taken.
            if zstandard.frame_content_size(frame) != recipe.skeleton_bytes:
                raise zstandard.ZstdError("another size than the recipe says")
            skeleton = zstandard.ZstdDecompressor().decompress(frame, max_output_size=recipe.skeleton_bytes)
        except zstandard.ZstdError as error:
            raise StoreDamaged(
                "read a stored file", f"its skeleton cannot be unpacked ({error})", "run: wheelfs verify"
            ) from error
        self._skeleton = skeleton
        return skeleton


def _prefix_sums(lengths: Iterable[int]) -> array[int]:
    """Return ``[0, a, a+b, ...]``: one more than there are lengths."""
    return array("Q", accumulate(lengths, initial=0))
