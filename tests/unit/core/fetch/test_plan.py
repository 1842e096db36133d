"""What is asked for next, without a network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.plan import AT_ONCE_BYTES, LONGEST_TAIL_BYTES, SIDE_BYTES, TAIL_BYTES
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.http.ranges import From, Range, Whole

SIZE = 10_000_000
intervals = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: (min(pair), max(pair))), max_size=8)


def spans(*pairs: tuple[int, int]) -> Spans:
    return Spans.from_iterable(pairs)


def test_nothing_known_means_the_whole_file() -> None:
    assert plan.next_wanted(spans(), None) == Whole()
    assert plan.next_wanted(spans(), SIZE) == Whole()


def test_the_first_gap_comes_next_and_an_open_end_is_left_open() -> None:
    assert plan.next_wanted(spans((0, 100)), SIZE) == From(100)
    assert plan.next_wanted(spans((SIZE - 100, SIZE)), SIZE) == Range(0, SIZE - 100)
    assert plan.next_wanted(spans((10, 20), (30, 40)), SIZE) == Range(0, 10)
    assert plan.next_wanted(spans((0, SIZE)), SIZE) is None


def test_gaps_behind_the_first_are_fetched_beside_it() -> None:
    here = spans((10, 20), (30, 40), (50, SIZE))
    assert plan.later_gaps(here, SIZE, most=4) == [Range(20, 30), Range(40, 50)]
    assert plan.later_gaps(here, SIZE, most=1) == [Range(20, 30)]
    assert plan.later_gaps(here, None, most=4) == []


def test_a_tail_that_is_coming_is_not_asked_for_twice() -> None:
    assert plan.next_wanted(spans(), SIZE, coming_tail_bytes=1_000) == Range(0, SIZE - 1_000)
    assert plan.next_wanted(spans((0, SIZE - 1_000)), SIZE, coming_tail_bytes=1_000) is None
    assert plan.later_gaps(spans((10, 20)), SIZE, most=4, coming_tail_bytes=1_000) == [Range(20, SIZE - 1_000)]


@given(intervals)
def test_following_the_plan_brings_every_byte_once(pairs: list[tuple[int, int]]) -> None:
    here = Spans.from_iterable(pairs)
    asked = 0
    missing = SIZE - here.total
    for _ in range(20):
        wanted = plan.next_wanted(here, SIZE)
        if wanted is None:
            break
        start = 0 if isinstance(wanted, Whole) else wanted.start if isinstance(wanted, From | Range) else -1
        end = wanted.end if isinstance(wanted, Range) else SIZE
        asked += end - start
        here.add(start, end)
    assert here.covers(0, SIZE)
    assert asked == missing


@given(intervals, st.integers(0, SIZE - 1), st.integers(1, 200_000), st.lists(st.integers(0, SIZE), max_size=3))
def test_a_side_range_covers_the_gaps_and_nothing_more_that_is_here_or_coming(
    pairs: list[tuple[int, int]], start: int, length: int, streams_at: list[int]
) -> None:
    here = Spans.from_iterable(pairs)
    gaps = here.missing(start, min(SIZE, start + length))
    if not gaps:
        return
    found = plan.side_range(here, SIZE, gaps, streams_at)
    assert found.start == gaps[0][0]
    assert gaps[-1][1] <= found.end <= min(SIZE, max(gaps[-1][1], found.start + SIDE_BYTES))
    assert here.missing(gaps[-1][1], found.end) in ([], [(gaps[-1][1], found.end)])
    assert not any(gaps[-1][1] <= at < found.end for at in streams_at)


def test_tails_follow_what_was_seen_and_what_is_known() -> None:
    assert plan.tail_bytes(seen_directory_bytes=None, size_bytes=None) == TAIL_BYTES
    assert plan.tail_bytes(seen_directory_bytes=None, size_bytes=AT_ONCE_BYTES + 1) == TAIL_BYTES
    assert plan.tail_bytes(seen_directory_bytes=None, size_bytes=12_000_000) == 12_000_000 // 128
    assert plan.tail_bytes(seen_directory_bytes=None, size_bytes=900_000_000) == 2 * TAIL_BYTES
    assert plan.tail_bytes(seen_directory_bytes=200_000, size_bytes=None) > 200_000
    assert plan.tail_bytes(seen_directory_bytes=50, size_bytes=None) == TAIL_BYTES // 2
    assert plan.tail_bytes(seen_directory_bytes=10**9, size_bytes=None) == LONGEST_TAIL_BYTES


def test_one_who_only_resolves_pays_for_less_than_one_who_installs() -> None:
    small, middle, large = 100_000, 400_000, 17_000_000
    for size_bytes in (small, middle, large):
        resolving, unknown, installing = (
            plan.tail_bytes(seen_directory_bytes=None, size_bytes=size_bytes, purpose=purpose)
            for purpose in (Purpose.RESOLVING, Purpose.UNKNOWN, Purpose.INSTALLING)
        )
        assert resolving <= unknown < installing
    assert plan.at_once_bytes(Purpose.RESOLVING) < small < plan.at_once_bytes(Purpose.UNKNOWN) < middle
    assert middle < plan.at_once_bytes(Purpose.INSTALLING) < large
    assert plan.metadata_in_tail_bytes(Purpose.RESOLVING) > middle
