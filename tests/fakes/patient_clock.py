"""A virtual clock that stands still while threads are at work: how long these take says nothing about the time that is tested."""

from __future__ import annotations

from typing import Final

from trio.testing import MockClock, active_thread_count

_ASK_AGAIN_S: Final = 0.001


def patient_clock() -> MockClock:
    """Return a clock that jumps to the next deadline once all tasks are blocked and no thread of trio's runs.

    trio's own takes a task that waits for a thread for one that is idle, and jumps past a deadline that a busy machine's thread
    has not met yet (its documentation of ``autojump_threshold`` says so).
    """
    clock = MockClock(autojump_threshold=0)
    jump = clock._autojump

    def jump_if_idle() -> None:
        busy = active_thread_count() > 0
        clock.autojump_threshold = _ASK_AGAIN_S if busy else 0
        if not busy:
            jump()

    clock._autojump = jump_if_idle  # type: ignore[method-assign]  # trio has no public way
    return clock
