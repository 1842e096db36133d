"""A file as its manifest tells it: where skeleton and chunks stand in it, and whether bytes that came are right.

Nothing is asked or read here.  A manifest is an unproven claim of its sender: the sha256 of the whole file decides.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, NamedTuple

import blake3

from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel.cutting import divided
from wheelfs.model.manifest import MAX_CHUNKS
from wheelfs.model.recipe import DIGEST_BYTES, Chunk

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from wheelfs.model.manifest import Manifest


class Comparison(NamedTuple):
    """Of some bytes the first ``good_bytes`` are right; ``is_wrong``: what follows is not, rather than not there yet."""

    good_bytes: int
    is_wrong: bool


class Element(NamedTuple):
    """An element of the file, at ``offset``: a gap's ``skeleton``, or chunk number ``chunk`` where that is empty."""

    offset: int
    skeleton: bytes
    chunk: int


class Composition:
    """A manifest and its skeleton, unpacked."""

    __slots__ = ("_gap_starts", "_starts", "manifest", "size_bytes", "skeleton")

    def __init__(self, manifest: Manifest, skeleton: bytes) -> None:
        """Build the prefix sums (16 bytes a chunk); raises ValueError when the skeleton is not as long as the manifest says."""
        if len(skeleton) != manifest.skeleton_bytes:
            raise ValueError(f"{len(skeleton)} bytes of skeleton for {manifest.skeleton_bytes}")
        self.manifest = manifest
        self.skeleton = skeleton
        self.size_bytes: int = manifest.size_bytes
        # Where element i, a gap and then a chunk, begins in the file, and its gap in the skeleton.
        self._starts: array[int] = array("Q", accumulate(map(add, manifest.gaps, manifest.lengths), initial=0))
        self._gap_starts: array[int] = array("Q", accumulate(manifest.gaps, initial=0))

    @property
    def end_bytes(self) -> int:
        """How much follows the last chunk: of a ZIP its central directory and end records."""
        return self.size_bytes - self._starts[-1]

    def chunk(self, number: int) -> Chunk:
        """Return digest and length of a chunk."""
        at = number * DIGEST_BYTES
        return Chunk(self.manifest.digests[at : at + DIGEST_BYTES], self.manifest.lengths[number])

    def widened(self, start: int, end: int) -> tuple[int, int]:
        """Return the least range around ``[start, end)`` that divides no chunk, and can be checked as a whole."""
        before = self._chunk_around(start)
        after = self._chunk_around(end)
        return (start if before is None else before[0]), (end if after is None else after[1])

    def parts(self, start: int, end: int) -> Iterator[Element]:
        """Yield, in order, the elements that have bytes in ``[start, end)``, each whole."""
        gaps, lengths, count = self.manifest.gaps, self.manifest.lengths, len(self.manifest.lengths)
        for number in range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end)):
            at, in_skeleton = self._starts[number], self._gap_starts[number]
            gap = gaps[number] if number < count else self.end_bytes
            if gap and start < at + gap:
                yield Element(at, self.skeleton[in_skeleton : in_skeleton + gap], -1)
            at += gap
            if number < count and at < end and start < at + lengths[number]:
                yield Element(at, b"", number)

    def held(self, chunks: Container[int]) -> Spans:
        """Return the bytes that can be put together from the skeleton and the chunks of these numbers."""
        runs: list[tuple[int, int]] = []
        begun = at = 0
        for number, (gap, length) in enumerate(zip(self.manifest.gaps, self.manifest.lengths, strict=True)):
            at += gap
            if number not in chunks:
                runs.append((begun, at))
                begun = at + length
            at += length
        return Spans.from_iterable([*runs, (begun, self.size_bytes)])

    def check(self, start: int, data: bytes | memoryview, *, most_chunks: int = MAX_CHUNKS + 1) -> Comparison:
        """Compare bytes that came from ``start`` on, which is nowhere inside a chunk, with skeleton and digests.

        After ``most_chunks`` chunks nothing more is compared, as if it had not come.
        """
        view = memoryview(data)
        at, end = start, start + len(view)
        gaps, count = self.manifest.gaps, len(self.manifest.lengths)
        number = bisect_right(self._starts, start) - 1
        last = number + most_chunks
        may_skip = True
        while at < end and number < last:
            if may_skip and at == self._starts[number]:
                whole = min(last, bisect_right(self._starts, end) - 1, count)
                may_skip = self._is_right(number, whole, view[at - start : self._starts[whole] - start])
                if may_skip and number < whole:
                    at, number = self._starts[whole], whole
                    continue
            gap_end = self._starts[number] + gaps[number] if number < count else self.size_bytes
            if at < gap_end:
                stop = min(gap_end, end)
                in_skeleton = self._gap_starts[number] + at - self._starts[number]
                if bytes(view[at - start : stop - start]) != self.skeleton[in_skeleton : in_skeleton + stop - at]:
                    return Comparison(at - start, is_wrong=True)
                at = stop
                continue
            if number == count:
                return Comparison(at - start, is_wrong=True)  # beyond the end of the file
            stop = self._starts[number + 1]
            if stop > end:
                break
            if blake3.blake3(view[at - start : stop - start]).digest() != self.chunk(number).digest:
                return Comparison(at - start, is_wrong=True)
            at, number = stop, number + 1
        return Comparison(at - start, is_wrong=False)

    def _is_right(self, first: int, last: int, content: memoryview) -> bool:
        """Compare the whole elements from number ``first`` to before ``last``; where they are wrong is not said."""
        sizes = zip(self.manifest.gaps[first:last], self.manifest.lengths[first:last], strict=True)
        skeleton, chunks = divided(content, sizes)
        digests = b"".join([blake3.blake3(chunk).digest() for chunk in chunks])
        return (
            skeleton == self.skeleton[self._gap_starts[first] : self._gap_starts[last]]
            and digests == self.manifest.digests[first * DIGEST_BYTES : last * DIGEST_BYTES]
        )

    def _chunk_around(self, offset: int) -> tuple[int, int] | None:
        """Return the bounds of the chunk that ``offset`` is inside of, None where it is in the skeleton or between two."""
        number = bisect_right(self._starts, offset) - 1
        if number >= len(self.manifest.lengths):
            return None
        start = self._starts[number] + self.manifest.gaps[number]
        return (start, self._starts[number + 1]) if start < offset else None
