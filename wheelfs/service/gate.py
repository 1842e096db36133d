"""How many callers may wait for a network at once.

A caller that waits holds one of the frontend's tasks and one of the kernel's slots, and with none left every request of the mount
waits, cached ones too (docs/design/concurrency.md).  So waits on the network pass this gate, which has fewer places than either.
There is no queue behind it: a queued caller would hold a task and a slot like a served one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheelfs.errors import OriginTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gate:
    """Lets ``places`` callers wait at once; a further one is refused."""

    def __init__(self, places: int) -> None:
        """Make a gate with all places free."""
        self._free = places

    @contextmanager
    def waiting(self, attempted: str) -> Iterator[None]:
        """Hold a place during the block; raises `OriginTimeout` when there is none."""
        if self._free <= 0:
            raise OriginTimeout(
                attempted, "too many requests wait for the network already", "try again when some of them are done"
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
