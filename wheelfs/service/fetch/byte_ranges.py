"""Fetching several ranges of a file, some of them in parallel, or all that is missing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.fetch import delta, plan
from wheelfs.core.http.ranges import From, Range
from wheelfs.errors import (
    ContentChanged,
    OriginDenied,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
    OriginUnreachable,
    UsageError,
)
from wheelfs.service.fetch.partial_file import Stream
from wheelfs.service.fetch.race import run_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.demand import Demand


FINAL: Final = (OriginUnreachable, OriginDenied, OriginMissing, OriginTimeout)
"""Errors that an immediate retry does not fix."""


async def fetch_gaps(demand: Demand) -> None:
    """Fetch until nothing is missing.  Each stream brings new bytes or counts as a failure, so this ends.

    Raises `UsageError` once the file is given up, and at once: until its waiters know, no other may begin to wait.
    """
    partial, limits = demand.partial, demand.context.limits
    failures = changes = 0
    side_streams = 0 if partial.takes_whole_answers else limits.side_streams
    left_out = partial.coming_tail_bytes
    for later in plan.later_gaps(partial.spans, partial.size_bytes, most=side_streams, coming_tail_bytes=left_out):
        if partial.coming(later.start) is None:  # one that fails is retried in its turn
            demand.context.nursery.start_soon(run_stream, partial, Stream(), later)
    while True:
        left_out = partial.coming_tail_bytes
        wanted = plan.next_wanted(partial.spans, partial.size_bytes, coming_tail_bytes=left_out)
        if wanted is None and not left_out:
            return
        if partial.is_given_up:
            raise UsageError(partial.attempted, "the installer that was to read it has ended", "what has come is kept")
        demand.allow_side_requests()
        start = wanted.start if isinstance(wanted, From | Range) else 0
        if wanted is None or partial.coming(start) is not None:
            await partial.next_change()
            continue
        stream = Stream()
        await run_stream(partial, stream, wanted)
        error = stream.error
        if error is None and not stream.new_bytes:
            error = OriginFault(partial.attempted, "the origin sent nothing new")
        if error is not None:
            if isinstance(error, FINAL) or not isinstance(error, OriginError):
                raise error
            changes += isinstance(error, ContentChanged)
            failures = 0 if stream.new_bytes > limits.progress_bytes else failures + 1
        else:
            failures = 0
        if max(failures, changes) > limits.retries:
            assert error is not None
            raise error
        await partial.open()


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
