"""Waiting for a lock file, within a bound: flock(2) itself waits without a limit or not at all."""

from __future__ import annotations

import fcntl
import time
from typing import Final

POLL_S: Final = 0.02


def lock_within(descriptor: int, timeout_s: float) -> bool:
    """Lock an open file exclusively and return whether that was possible in time; the kernel unlocks it when it is closed."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        else:
            return True
