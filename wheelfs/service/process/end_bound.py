"""A process that is told to end ends within some seconds, whatever its threads do.

A thread that hashes a file of gigabytes, or reads from a disk that hangs, cannot be interrupted, and trio waits for it.  Nothing
is lost with the process: what it has acknowledged is durable, and what it has fetched is found by the next one, as after a kill.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import FrameType

    import trio

log = logging.getLogger(__name__)

END_S: Final = 4.5
"""From the signal on: supervisors and users count to five, and some of that is for the machine."""

_SHOWN: Final = 8
"""Threads that are named in the log."""


class EndBound:
    """Ends this process ``limit_s`` after `begin`, unless the block is left before."""

    def __init__(self, limit_s: float = END_S) -> None:
        """To be used as a context, around all that is to be closed."""
        self._limit_s = limit_s
        self._begun = False
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()

    async def begin_at(self, shutdown: trio.Event) -> None:
        """Begin when ``shutdown`` is set."""
        await shutdown.wait()
        self.begin()

    def begin(self) -> None:
        """Begin; once is enough."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._run, name="end", daemon=True).start()

    def _run(self) -> None:
        if not self._is_over.wait(self._limit_s):
            log.warning("ending without waiting for what still runs after %.1f s: %s", self._limit_s, "; ".join(_still_running()))
            os._exit(0)


def _still_running() -> list[str]:
    """Return where the threads of this process are, except those that wait for them, each with the innermost place of ours."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    waiting = (threading.get_ident(), threading.main_thread().ident)
    places = [
        f"{names.get(ident, ident)} at {_place(one)}" for ident, one in sys._current_frames().items() if ident not in waiting
    ]
    return places[:_SHOWN]


def _place(frame: FrameType) -> str:
    at: FrameType | None = frame
    while at is not None and f"{os.sep}wheelfs{os.sep}" not in at.f_code.co_filename:
        at = at.f_back
    shown = at or frame
    return f"{shown.f_code.co_qualname} ({shown.f_code.co_filename}:{shown.f_lineno})"
