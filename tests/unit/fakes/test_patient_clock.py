"""Threads are waited for, however long they take."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from trio.testing import MockClock

BLOCKED_TIMES = 20


class Released(trio.abc.Instrument):
    """Lets the thread end once all tasks have been found blocked so many times."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self._times = 0

    def before_io_wait(self, timeout: float) -> None:
        self._times += 1
        if self._times == BLOCKED_TIMES:
            self.may_end.set()


async def test_no_deadline_passes_while_a_thread_is_at_work(autojump_clock: MockClock) -> None:
    released = Released()
    trio.lowlevel.add_instrument(released)
    began_s = trio.current_time()
    with trio.fail_after(1.0):
        assert await trio.to_thread.run_sync(released.may_end.wait)
    assert trio.current_time() == began_s
    await trio.sleep(3600.0)
    assert trio.current_time() == began_s + 3600.0
