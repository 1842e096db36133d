"""Fetching several ranges of a file, some of them in parallel, or all that is missing.

What another process on the store is fetching of it is waited for, and taken from there (decision 0085).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.fetch import delta, plan
from wheelfs.core.fetch.claims import Ask, Stall, decide, is_near
from wheelfs.core.http.ranges import From, Range, bounds_of
from wheelfs.errors import (
    ContentChanged,
    OriginDenied,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
    OriginUnreachable,
    UsageError,
    WheelfsError,
)
from wheelfs.service.fetch.partial_file import Stream
from wheelfs.service.fetch.race import run_stream
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.service.fetch.demand import Demand
    from wheelfs.service.fetch.partial_file import PartialFile
    from wheelfs.store.spool.file import SpoolFile


FINAL: Final = (OriginUnreachable, OriginDenied, OriginMissing, OriginTimeout)
"""Errors that an immediate retry does not fix."""


class Failures:
    """Counts the requests for a file that failed in a row, until another one would not help."""

    def __init__(self, partial: PartialFile) -> None:
        self._partial = partial
        self._failures = self._changes = 0

    def note(self, error: WheelfsError | None, new_bytes: int) -> None:
        """Note how a request ended that brought ``new_bytes``; raises its error when that is enough."""
        limits = self._partial.context.limits
        if error is None and new_bytes > 0:
            self._failures = 0
            return
        error = error or OriginFault(self._partial.attempted, "the origin sent nothing new")
        if isinstance(error, FINAL) or not isinstance(error, OriginError):
            raise error
        self._changes += isinstance(error, ContentChanged)
        self._failures = 0 if new_bytes > limits.progress_bytes else self._failures + 1
        if max(self._failures, self._changes) > limits.retries:
            raise error


async def fetch_gaps(demand: Demand) -> None:
    """Fetch until nothing is missing.  Each stream brings new bytes or counts as a failure, so this ends.

    Raises `UsageError` once the file is given up, and at once: until its waiters know, no other may begin to wait.
    """
    partial, limits = demand.partial, demand.context.limits
    failures = Failures(partial)
    side_streams = 0 if partial.takes_whole_answers else limits.side_streams
    left_out = partial.coming_tail_bytes
    for later in plan.later_gaps(partial.spans, partial.size_bytes, most=side_streams, coming_tail_bytes=left_out):
        if partial.coming(later.start) is None:  # one that fails is retried in its turn
            demand.context.nursery.start_soon(run_claimed, partial, Stream(), later)
    while not demand.is_stored():
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
        stream, here_bytes = Stream(), partial.spans.total
        if await run_claimed(partial, stream, wanted):
            failures.note(stream.error, partial.spans.total - here_bytes)
        elif partial.live:  # what is stored elsewhere is taken when these have ended
            await partial.next_change()
        await partial.open()


async def fetch_ranges(
    demand: Demand, ranges: Sequence[tuple[int, int]], *, side_requests: bool = False, is_part: bool = False
) -> None:
    """Ask for ``ranges`` and resume those that break off; errors are left to the fetch of what is still missing.

    ``side_requests``: allow readers their own requests once the first range is under way.  ``is_part``: as of `Stream`.
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
                nursery.start_soon(_work_off, demand, queue, outcomes, side_requests, is_part)
        if not any(outcomes):
            return


async def _work_off(
    demand: Demand, queue: deque[tuple[int, int]], outcomes: list[bool], side_requests: bool, is_part: bool
) -> None:
    """Ask for one range after the other, until one brings nothing."""
    partial = demand.partial
    while queue:
        start, end = queue.popleft()
        # The limit is the process's: waiting for a connection must not look like a silent origin.
        async with demand.context.range_requests:
            missing = partial.spans.missing(start, end)
            if not missing:
                continue
            stream = Stream(is_part=is_part)
            if side_requests:  # not before this one is under way, or comes from elsewhere
                demand.allow_side_requests()
            has_asked = await run_claimed(partial, stream, Range(missing[0][0], missing[-1][1]))
        outcomes.append(partial.spans.available_at(missing[0][0]) > 0)
        if not outcomes[-1]:
            return
        if not has_asked:  # another process has begun to bring it: its pieces are not rounds
            queue.appendleft((start, end))


# --- what other processes fetch -------------------------------------------------------------------------------------------


async def run_claimed(partial: PartialFile, stream: Stream, wanted: ByteRequest) -> bool:
    """Run a stream for as much of ``wanted`` as no other process is fetching, and return whether that was asked for.

    Its first byte is missing.  Where another process is fetching that, it is waited for as long as something comes, and False
    returned when it is here.  Nothing is claimed while the size is not known, and of a file without a hash.  A failure ends up in
    ``stream.error``.
    """
    spool, size_bytes = partial.open_spool, partial.size_bytes
    start, end = (0, 0) if size_bytes is None else bounds_of(wanted, size_bytes)
    claims = None if spool is None or partial.asks_alone or start >= end else spool.claims
    if spool is None or claims is None:
        await run_stream(partial, stream, wanted)
        return True
    until, here = start, spool.spans
    try:
        until = await _claim(partial, spool, start, end)
        # What came before the claim was ours was not seen then.  Nothing is awaited between this and the stream's beginning.
        if until == start or await _has_come(partial, spool, start):
            return False
        free_end = until if spool.spans is here else spool.spans.missing(start, until)[0][1]
        if isinstance(wanted, Range):
            free_end = min([free_end, *(other.at for other in partial.live if other.at > start)])
        await run_stream(partial, stream, wanted if free_end == end else Range(start, free_end))
    except Exception as error:  # a full disk, say
        stream.error = failure(partial.attempted, error)
    finally:
        claims.give_back(start, until)
        stream.done = True
        partial.wake()
    return True


async def _claim(partial: PartialFile, spool: SpoolFile, start: int, end: int) -> int:
    """Claim as much of ``[start, end)`` as is free and return where that ends, once its first byte is; ``start`` if that came.

    Where nothing comes of it, ``end``: then there is no claim, and will be none on this file.
    """
    assert spool.claims is not None
    context = partial.context
    waits_for: tuple[int, int] | None = None
    stall: Stall | None = None
    while True:
        taken: list[tuple[int, int]] = []
        while isinstance(step := decide(start, end, taken), Ask):
            other = spool.claims.take(start, step.end)
            if other is None:
                return step.end
            taken.append(other)
        claim = taken[-1]
        if await _has_come(partial, spool, start):
            return start
        if not is_near(start, claim, partial.spans.available_at(claim[0]), ahead_bytes=context.limits.ahead_bytes):
            return end
        here_bytes = claim[1] - claim[0] - sum(limit - begin for begin, limit in partial.spans.missing(*claim))
        if stall is None or claim != waits_for:
            waits_for = claim
            stall = Stall(
                bound_s=context.progress_timeout_s / context.limits.stall_divisor,
                least_bytes=context.limits.progress_bytes,
                now_s=trio.current_time(),
                here_bytes=here_bytes,
            )
        if stall.is_stalled(trio.current_time(), here_bytes):
            partial.asks_alone = True
            return end
        await trio.sleep(context.limits.claims_poll_s)


async def _has_come(partial: PartialFile, spool: SpoolFile, start: int) -> bool:
    """Take what other processes have brought, and return whether that makes asking for the byte at ``start`` needless.

    It is here or coming, or one of them has stored the file, and has nothing of it in the spool any more.
    """
    if not spool.is_caught_up and not partial.is_sealing:  # what is assumed must not change while it is hashed
        with suppress(ValueError):  # closed meanwhile
            await trio.to_thread.run_sync(spool.catch_up, limiter=partial.context.disk)
            partial.wake()
    is_here = partial.spans.available_at(start) > 0 or partial.coming(start) is not None
    sha256 = partial.ref.link.sha256
    is_stored = sha256 is not None and not partial.live and partial.context.store.holds(sha256)
    return is_here or is_stored or not partial.is_open(spool)
