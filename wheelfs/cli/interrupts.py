"""Ctrl-C for commands that wait inside of libraries."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

GRACE_S: Final = 1.0
"""What a command that is interrupted may take to clean up."""


_STDERR: Final = 2
_SHOW_CURSOR: Final = b"\x1b[?25h"


@contextmanager
def ends_when_interrupted() -> Iterator[None]:
    """End the process `GRACE_S` after Ctrl-C at the latest, for work that may be killed at any instant; not together with trio.

    Python runs signal handlers in its main thread, between two instructions, and a bucket or a file system that hangs keeps it
    from getting there: obstore repeats a request for a minute before it returns, and an executor waits for its threads.
    """
    import socket  # few commands need one, and all import this module

    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno())
    _Watching.start_in(reading)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writing.close()


class _Watching(threading.Thread):
    survives_fork: Final = True
    """Opening the store may go on in a child (`wheelfs.store.engine.process_number`), in which no thread runs but its own."""

    def __init__(self, reading: socket.socket) -> None:
        super().__init__(name="interrupts", daemon=True)
        self._reading = reading

    @classmethod
    def start_in(cls, reading: socket.socket) -> None:
        cls(reading).start()
        os.register_at_fork(after_in_child=lambda: None if reading.fileno() < 0 else cls(reading).start())

    def run(self) -> None:
        with self._reading:
            while received := self._reading.recv(64):
                if signal.SIGINT in received:
                    time.sleep(GRACE_S)
                    if os.isatty(_STDERR):  # bars have hidden the cursor, and nothing shows it again
                        os.write(_STDERR, _SHOW_CURSOR)
                    os._exit(INTERRUPTED)
