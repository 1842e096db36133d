"""Which members may be solid: none of a history's wheels takes longer to be made again than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.solid.choosing import Candidate, affordable

SIZES = st.lists(st.integers(1, 1_000), min_size=1, max_size=6)


def test_all_are_solid_where_there_is_time_for_them() -> None:
    assert affordable([Candidate(1.0, [0]), Candidate(2.0, [0, 1])], [700, 700], bytes_s=100) == [0, 1]


def test_what_most_wheels_have_stays_as_it_is_first() -> None:
    common, own, other = Candidate(2.0, [0, 1]), Candidate(2.0, [0]), Candidate(2.0, [1])
    assert affordable([common, own, other], [600, 600], bytes_s=100) == [1, 2]


def test_what_is_solid_already_counts() -> None:
    assert affordable([Candidate(2.0, [0])], [700], bytes_s=100) == [0]
    assert affordable([Candidate(2.0, [0])], [700], spent_s=[2.0], bytes_s=100) == []


@given(SIZES, st.data())
def test_no_wheel_takes_longer_than_it_may(sizes: list[int], data: st.DataObject) -> None:
    wheels = st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=len(sizes), unique=True)
    candidates = data.draw(st.lists(st.builds(Candidate, st.floats(0.001, 10), wheels), max_size=12))
    left = affordable(candidates, sizes, bytes_s=100)
    for wheel, size in enumerate(sizes):
        taken_s = sum(candidates[number].seconds for number in left if wheel in candidates[number].wheels)
        assert taken_s <= size / 100 + 1e-9
