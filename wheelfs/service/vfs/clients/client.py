"""The process that a request of the kernel comes from."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from pathlib import Path
from typing import Final

import msgspec
import trio

from wheelfs.core.fetch.purpose import Purpose, purpose_of

_LOOK_S: Final = 1.0
"""Looking takes 0.1 ms, unless the process holds its memory map while it waits for us: then nothing is known of it."""
_MOST_BYTES: Final = 16 * 1024
"""Of a command line; what it is to do stands at its beginning."""
_LOOKS: Final = trio.CapacityLimiter(8)
"""Looks at once, in threads of their own: the page fault that a stuck one waits for is answered with the threads of all."""
_PROCESS: Final = re.compile(rb"^Tgid:\s*(\d+)", re.MULTILINE)


class Process(msgspec.Struct, frozen=True):
    """A process, and what it is about to do; its ``number`` is 0 where nothing is known of it."""

    number: int = 0
    purpose: Purpose = Purpose.UNKNOWN


class Client:
    """Who asks, by its number as this process sees it; 0: unknown, as are those of containers beside ours."""

    def __init__(self, thread: int) -> None:
        """``thread``: the kernel names the thread that asks, and not its process; of uv, every request may come from another."""
        self._thread = thread

    async def purpose(self) -> Purpose:
        """Return what it is about to do; see `process`."""
        return (await self.process()).purpose

    async def process(self) -> Process:
        """Return the process that asks; takes 0.1 ms, and never more than a second.

        In a thread: the kernel reads the process's memory, which waits for a page fault of it that waits for this mount.
        """
        found = Process()
        if self._thread:
            with trio.move_on_after(_LOOK_S):
                found = await trio.to_thread.run_sync(_look, self._thread, abandon_on_cancel=True, limiter=_LOOKS)
        return found


def _look(thread: int) -> Process:
    place = Path("/proc", str(thread))
    try:
        with (place / "cmdline").open("rb") as file:
            command = file.read(_MOST_BYTES)
        number = _PROCESS.search((place / "status").read_bytes())
    except OSError:  # it has ended, or may not be looked at
        return Process()
    return Process(int(number[1]) if number else thread, purpose_of([os.fsdecode(word) for word in command.split(b"\0")]))


CLIENT: Final[ContextVar[Client]] = ContextVar("client", default=Client(0))  # noqa: B039 - it is not changed
"""Who asks, in the task that answers it; set by frontends that know."""
