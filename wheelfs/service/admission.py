"""Admission control: how many callers may wait for a network at once.

A caller that waits holds one of the frontend's tasks and one of the kernel's slots, and with none left every request of the mount
waits, cached ones too (docs/design/concurrency.md).  So waits on the network are admitted here, and there are fewer slots than
either has.  Callers are refused, not queued: a queued one would hold a task and a slot like a served one.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import OriginTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """Lets ``slots`` callers wait at once; a further one is refused."""

    def __init__(self, slots: int, bound_s: float = math.inf) -> None:
        """All slots are free; ``bound_s`` is the longest that one caller may wait, progress or not."""
        self._free = slots
        self._bound_s = bound_s

    @contextmanager
    def waiting(self, attempted: str) -> Iterator[None]:
        """Hold a slot during the block; raises `OriginTimeout` when none is free, or when the block takes too long."""
        if self._free <= 0:
            raise OriginTimeout(
                attempted, "too many requests wait for the network already", "try again when some of them are done"
            )
        self._free -= 1
        try:
            with trio.fail_after(self._bound_s):
                yield
        except trio.TooSlowError:
            raise OriginTimeout(
                attempted, f"it was not done within {self._bound_s:.0f} s", "try again; what has come is kept"
            ) from None
        finally:
            self._free += 1
