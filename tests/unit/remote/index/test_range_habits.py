"""What is remembered of hosts that answer requests for a part with nonsense."""

from __future__ import annotations

import pytest

from tests.fakes.faults import Fault, Status
from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.http.ranges import Range, Suffix, Whole
from wheelfs.errors import OriginDenied
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.index.range_habits import FORGET_S, RangeHabits
from wheelfs.remote.limits import HttpLimits

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


@pytest.mark.parametrize("status", [403, 404, 412, 500])
async def test_a_part_that_is_refused_is_had_from_the_whole_and_that_is_remembered_unless_it_was_a_failure(
    status: int,
) -> None:
    with FakeIndex() as index:
        index.add(NAME, WHEEL)
        index.faults.append(Fault(lambda _method, _path: index.requests[-1].range is not None, Status(status), times=None))
        client = HttpIndex("main", index.url, {}, limits=HttpLimits(first_pause_s=0.0))
        try:
            for _ in range(3):
                async with client.open_range(index.file_url(NAME), Range(0, 9)) as reply:
                    assert b"".join([bytes(piece) async for piece in reply.chunks]).startswith(WHEEL[:9])
        finally:
            await client.aclose()
        refused = sum(one.range is not None for one in index.requests)
        assert refused == (3 * 3 if status == 500 else 1)


async def test_a_file_that_is_refused_whole_says_nothing_about_ranges() -> None:
    with FakeIndex() as index:
        index.add(NAME, WHEEL)
        index.faults.append(Fault(NAME, Status(403), times=2))
        client = HttpIndex("main", index.url, {})
        try:
            with pytest.raises(OriginDenied):
                async with client.open_range(index.file_url(NAME), Range(0, 9)):
                    pass
            async with client.open_range(index.file_url(NAME), Range(0, 9)) as reply:
                assert reply.total_bytes == len(WHEEL)
                assert not reply.is_whole
        finally:
            await client.aclose()
