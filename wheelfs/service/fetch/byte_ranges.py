"""Fetching several ranges of a file, some of them in parallel."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import delta
from wheelfs.core.http.ranges import Range
from wheelfs.service.fetch.partial_file import Stream
from wheelfs.service.fetch.race import run_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.demand import Demand


async def fetch_ranges(demand: Demand, ranges: Sequence[tuple[int, int]], *, side_requests: bool = False) -> None:
    """Ask for ``ranges`` and resume those that break off; errors are left to the fetch of what is still missing.

    ``side_requests``: allow readers their own requests once the first range is under way.
    """
    partial = demand.partial
    for _ in range(demand.context.limits.range_rounds):
        queue = deque((start, end) for start, end in ranges if not partial.spans.covers(start, end))
        if not queue:
            return
        if not partial.origin_has_ranges:
            # One request shows it: an origin without range support responds with the whole file, and once is enough.
            queue = deque([queue[0]])
        outcomes: list[bool] = []
        async with trio.open_nursery() as nursery:
            for _ in range(min(delta.CONNECTIONS, len(queue))):
                nursery.start_soon(_work_off, demand, queue, outcomes, side_requests)
        if not any(outcomes):
            return


async def _work_off(demand: Demand, queue: deque[tuple[int, int]], outcomes: list[bool], side_requests: bool) -> None:
    """Ask for one range after the other, until one brings nothing."""
    partial = demand.partial
    while queue:
        start, end = queue.popleft()
        # The limit is the process's: waiting for a connection must not look like a silent origin.
        async with demand.context.range_requests:
            missing = partial.spans.missing(start, end)
            if not missing:
                continue
            stream = Stream()
            if side_requests:  # not before this one is under way, which happens in the next step
                demand.allow_side_requests()
            await run_stream(partial, stream, Range(missing[0][0], missing[-1][1]))
        outcomes.append(stream.new_bytes > 0)
        if not stream.new_bytes:
            return
