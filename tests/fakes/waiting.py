"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S: Final = 60.0
"""Only what fails takes that long, so it is far above what a busy machine needs."""
POLL_S: Final = 0.02
_PAUSE_S: Final = 0.0005


def eventually(ready: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
    """Return once ``ready()`` is true; fail when it is still false at the deadline."""
    end_s = time.monotonic() + deadline_s
    while not ready():
        assert time.monotonic() < end_s, f"not within {deadline_s} s"
        time.sleep(POLL_S)


async def until(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Let other tasks run until ``condition()`` holds; raises `trio.TooSlowError` when it does not ``within_s`` seconds."""
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event that a test could see
            await trio.sleep(0.005)


async def reached(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Let tasks and threads go on until ``condition()`` holds, while a virtual clock stands still; ``within_s`` is real time."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {within_s} s"
        # A loop that only looks for events lets go of the interpreter's lock so often, and so shortly, that threads never get it.
        time.sleep(_PAUSE_S)  # noqa: ASYNC251 - all of this process that is not a thread is to stop for a moment
        await trio.lowlevel.checkpoint()
