"""Drawing what was asked of an index when."""

from __future__ import annotations

from scripts.bench.programs.timeline import draw
from tests.fakes.server import Request


def test_requests_are_drawn_in_the_order_in_which_they_came_and_over_the_time_that_they_took() -> None:
    wheel = Request("GET", "/files/demo.whl", "bytes=0-99", {}, 206, 100, began_s=15.0, ended_s=20.0)
    page = Request("GET", "/simple/demo/", None, {}, 200, 7, began_s=10.0, ended_s=10.0)
    title, first, last = draw("a run", [wheel, page], 10.0, 20.0)
    assert title == "  a run: 10.000 s, 2 requests"
    assert first.split("|")[0].split() == ["0", "0", "ms", "0", "kB"]
    assert first.split("|")[1].rstrip() == "="
    assert first.endswith(" demo/ ")
    assert last.split("|")[1] == " " * 30 + "=" * 30
    assert last.endswith("demo.whl 0-99")
