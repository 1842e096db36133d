"""The screen of ``top``: what comes now, how fast, from where, and what needed not come."""

from __future__ import annotations

import msgspec

from wheelfs.cli.commands.inspect import top_lines
from wheelfs.reports.status import Counters, MountInfo, OriginState, Status, Transfer

COMING = Transfer(filename="big-1.whl", origin="main", size_bytes=4 << 20, here_bytes=1 << 20)
FIRST = Status(
    version="9",
    store="/s",
    mounts=(MountInfo(path="/mnt/wheels", pid=7, since="2026-01-01T00:00:00Z"),),
    origins=(OriginState(name="main", url="https://a/", state="up"), OriginState(name="lab", url="https://b/", state="down")),
    counters=Counters(requests=10, fetched_bytes=1 << 20, saved_bytes=3 << 20, errors=1),
    transfers=(COMING,),
)
LATER = msgspec.structs.replace(
    FIRST,
    counters=Counters(requests=14, fetched_bytes=3 << 20, saved_bytes=3 << 20, errors=1),
    transfers=(msgspec.structs.replace(COMING, here_bytes=3 << 20),),
)


def test_the_first_screen_has_sums_and_the_next_ones_rates() -> None:
    first, later = list(top_lines(FIRST, None, 0.0)), list(top_lines(LATER, FIRST, 2.0))
    assert "network  10 requests, 1.0 MiB fetched" in first
    assert "network  1.0 MiB/s, 2.0 requests/s, 0 errors since the last screen" in later
    assert "saved    3.0 MiB not fetched, since it was here, 50 % of what was wanted" in later
    assert later[-1].split() == ["big-1.whl", "main", "75", "%", "4.0", "MiB", "1.0", "MiB", "1", "s"]
    assert first[-1].split() == ["big-1.whl", "main", "25", "%", "4.0", "MiB", "-", "-"]


def test_origins_that_are_down_come_first_and_a_long_list_is_cut() -> None:
    lines = list(top_lines(FIRST, None, 0.0))
    assert lines.index("lab     index  down") < lines.index("main    index  up")
    many = tuple(OriginState(name=f"i{number}", url="https://a/") for number in range(20))
    assert "and 12 more" in list(top_lines(msgspec.structs.replace(FIRST, origins=many), None, 0.0))


def test_a_process_that_has_ended_makes_no_rate_negative_and_unknown_sizes_are_said() -> None:
    unsized = Transfer(filename="odd-1.whl", origin="main", here_bytes=1000)
    less = msgspec.structs.replace(FIRST, counters=Counters(), mounts=(), transfers=(unsized,), silent=(8,))
    lines = list(top_lines(less, LATER, 1.0))
    assert "network  0 B/s, 0.0 requests/s, 0 errors since the last screen" in lines
    assert "serving  nothing: no mount and no gateway is running" in lines
    assert "process 8 does not answer" in lines
    others = list(top_lines(msgspec.structs.replace(less, silent=(), unasked=(9,)), None, 1.0))
    assert "serving  nothing that may be asked" in others
    assert "process 9 is another user's: only that one and root may ask how it is" in others
    assert lines[-1].split() == ["odd-1.whl", "main", "1.0", "KiB", "-", "-", "-"]
    assert "nothing is being fetched" in list(top_lines(msgspec.structs.replace(less, transfers=()), None, 0.0))
