"""A set of byte positions, kept as half-open intervals: which bytes of a file are here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Spans:
    """Sorted, disjoint, never touching intervals ``[start, end)`` of byte offsets.  Look-ups are O(log n); it only ever grows.

    Two parallel lists rather than a list of pairs, because bisect then needs no key function: a fetch of a wheel with many
    small ranges asks ``missing`` for every read.
    """

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self) -> None:
        """Make an empty set; ``total`` is the number of bytes covered."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0

    @classmethod
    def from_iterable(cls, intervals: Iterable[tuple[int, int]]) -> Spans:
        """Make a set from ``(start, end)`` pairs in any order; they may overlap."""
        spans = cls()
        for start, end in intervals:
            spans.add(start, end)
        return spans

    def add(self, start: int, end: int) -> int:
        """Cover ``[start, end)`` and return how many of its bytes are new; an empty interval adds nothing.

        Raises ValueError when ``start`` is negative or after ``end``.
        """
        if start < 0 or end < start:
            raise ValueError(f"not an interval: [{start}, {end})")
        if start == end:
            return 0
        # Everything that overlaps or touches [start, end) is merged into it.
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        merged = 0
        for index in range(first, last):
            merged += self._ends[index] - self._starts[index]
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        new = end - start - merged
        self.total += new
        return new

    def covers(self, start: int, end: int) -> bool:
        """Tell whether every byte of ``[start, end)`` is here; true for an empty interval."""
        return start >= end or self.available_at(start) >= end - start

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of ``[start, end)`` that are not here, in order."""
        gaps: list[tuple[int, int]] = []
        index = bisect_right(self._ends, start)
        position = start
        while position < end:
            if index == len(self._starts) or self._starts[index] >= end:
                gaps.append((position, end))
                break
            if position < self._starts[index]:
                gaps.append((position, self._starts[index]))
            position = self._ends[index]
            index += 1
        return gaps

    def available_at(self, offset: int) -> int:
        """Return how many bytes are here without a gap from ``offset`` on; 0 when that byte is missing."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return 0
        return max(0, self._ends[index] - offset)

    def copy(self) -> Spans:
        """Return an independent set of the same bytes."""
        twin = Spans()
        twin._starts = self._starts.copy()
        twin._ends = self._ends.copy()
        twin.total = self.total
        return twin

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the intervals in order."""
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """Return the number of intervals (not of bytes; that is ``total``)."""
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spans):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Spans({list(self)!r})"
