"""The process that a request of the kernel comes from."""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path
from typing import Final

import trio

from wheelfs.core.fetch.purpose import Purpose, purpose_of

_LOOK_S: Final = 1.0
"""Looking takes 0.1 ms, unless the process holds its memory map while it waits for us: then nothing is known of it."""
_MOST_BYTES: Final = 16 * 1024
"""Of a command line; what it is to do stands at its beginning."""


class Client:
    """A process by its number, as this process sees it; 0: unknown, as are those of containers beside ours."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    async def purpose(self) -> Purpose:
        """Return what it is about to do; takes 0.1 ms, and never more than a second.

        In a thread: the kernel reads the process's memory, which waits for a page fault of it that waits for this mount.
        """
        if not self.pid:
            return Purpose.UNKNOWN
        found = Purpose.UNKNOWN
        with trio.move_on_after(_LOOK_S):
            found = await trio.to_thread.run_sync(_look, self.pid, abandon_on_cancel=True)
        return found


def _look(pid: int) -> Purpose:
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            command = file.read(_MOST_BYTES)
    except OSError:  # it has ended, or may not be looked at
        return Purpose.UNKNOWN
    return purpose_of([os.fsdecode(word) for word in command.split(b"\0")])


CLIENT: Final[ContextVar[Client]] = ContextVar("client", default=Client(0))  # noqa: B039 - it is not changed
"""Who asks, in the task that answers it; set by frontends that know."""
