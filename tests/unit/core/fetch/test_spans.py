"""`Spans` is a set of byte positions; every answer is compared with a plain set of integers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.fetch.spans import Spans

_LIMIT = 60
_interval = st.tuples(st.integers(0, _LIMIT), st.integers(0, _LIMIT)).map(lambda pair: (min(pair), max(pair)))


def _positions(intervals: list[tuple[int, int]]) -> set[int]:
    return {position for start, end in intervals for position in range(start, end)}


@given(st.lists(_interval, max_size=12))
def test_intervals_stay_sorted_disjoint_and_never_touch(intervals: list[tuple[int, int]]) -> None:
    spans = Spans.from_iterable(intervals)
    listed = list(spans)
    assert _positions(listed) == _positions(intervals)
    assert all(start < end for start, end in listed)
    assert all(before[1] < after[0] for before, after in pairwise(listed))
    assert spans.total == len(_positions(intervals))
    assert len(spans) == len(listed)


@given(st.lists(_interval, max_size=12), _interval)
def test_add_returns_the_number_of_new_bytes(intervals: list[tuple[int, int]], extra: tuple[int, int]) -> None:
    spans = Spans.from_iterable(intervals)
    before = _positions(intervals)
    assert spans.add(*extra) == len(_positions([extra]) - before)


@given(st.lists(_interval, max_size=12), _interval)
def test_missing_and_covers_agree_with_a_set(intervals: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    spans = Spans.from_iterable(intervals)
    wanted = _positions([asked]) - _positions(intervals)
    missing = spans.missing(*asked)
    assert _positions(missing) == wanted
    assert missing == list(Spans.from_iterable(missing))
    assert spans.covers(*asked) == (not wanted)


@given(st.lists(_interval, max_size=12), st.integers(0, _LIMIT + 5))
def test_available_at_counts_bytes_up_to_the_first_gap(intervals: list[tuple[int, int]], offset: int) -> None:
    here = _positions(intervals)
    run = 0
    while offset + run in here:
        run += 1
    assert Spans.from_iterable(intervals).available_at(offset) == run


def test_a_copy_is_independent() -> None:
    spans = Spans.from_iterable([(0, 4)])
    twin = spans.copy()
    assert twin == spans
    twin.add(10, 12)
    assert list(spans) == [(0, 4)]
    assert twin.total == 6
    assert twin != spans


@pytest.mark.parametrize(("start", "end"), [(5, 4), (-1, 3)])
def test_a_nonsense_interval_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Spans().add(start, end)
