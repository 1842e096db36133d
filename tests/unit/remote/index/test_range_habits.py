"""What is remembered of hosts that answer requests for a part with nonsense."""

from __future__ import annotations

from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.http.ranges import Range, Suffix, Whole
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.index.range_habits import FORGET_S, RangeHabits

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=200_000)


def test_a_host_is_asked_in_the_way_that_it_understands_until_that_is_forgotten() -> None:
    now_s = [0.0]
    habits = RangeHabits(lambda: now_s[0])
    assert habits.way("a", Suffix(5)) == Suffix(5)
    habits.made_no_sense("a", Suffix(5), "it sent the beginning")
    assert (habits.way("a", Suffix(5)), habits.way("a", Range(0, 1)), habits.way("b", Suffix(5))) == (
        None,
        Range(0, 1),
        Suffix(5),
    )
    habits.made_no_sense("a", Range(0, 1), "another part")
    assert (habits.way("a", Suffix(5)), habits.way("a", Range(0, 1)), habits.way("a", Whole())) == (Whole(), Whole(), Whole())
    now_s[0] = FORGET_S + 1
    assert habits.way("a", Suffix(5)) == Suffix(5)


async def test_nonsense_is_met_once_and_the_end_is_had_all_the_same() -> None:
    with FakeIndex(ranges="beginning") as index:
        index.add(NAME, WHEEL)
        client = HttpIndex("main", index.url, {})
        try:
            for _ in range(2):
                async with client.open_range(index.file_url(NAME), Suffix(2_000)) as reply:
                    assert reply.offset == len(WHEEL) - 2_000
                    assert b"".join([bytes(piece) async for piece in reply.chunks]) == WHEEL[-2_000:]
        finally:
            await client.aclose()
        suffixes = [one for one in index.requests if one.range is not None and one.range.startswith("bytes=-")]
        assert len(suffixes) == 1
