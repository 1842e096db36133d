"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S: Final = 20.0
POLL_S: Final = 0.02


def eventually(ready: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
    """Return once ``ready()`` is true; fail when it is still false at the deadline."""
    end_s = time.monotonic() + deadline_s
    while not ready():
        assert time.monotonic() < end_s, f"not within {deadline_s} s"
        time.sleep(POLL_S)
