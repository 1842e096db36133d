"""When contents were last used, kept coarsely: eviction asks for days, and a write for each open would cost a disk flush."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from wheelfs.core.bounded_cache import BoundedCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.store.catalog.catalog import Catalog

COARSE_US: Final = 3_600 * 1_000_000
"""A content's use is written at most once an hour."""
_REMEMBERED: Final = 100_000
"""What was noted longer ago than by so many others is written once more: harmless."""


class LastUses:
    """Collects uses in memory; `flush` writes the new ones, together.  Methods may be called from any thread."""

    def __init__(self, catalog: Catalog, clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self._catalog = catalog
        self._clock_us = clock_us
        self._noted: BoundedCache[bytes, int] = BoundedCache(_REMEMBERED)
        self._pending: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def note(self, sha256: bytes) -> None:
        """A content is used now; costs no more than a look into a table."""
        now_us = self._clock_us()
        with self._lock:
            noted_us = self._noted.get(sha256)
            if noted_us is not None and now_us - noted_us < COARSE_US:
                return
            self._noted.put(sha256, now_us)
            self._pending[sha256] = now_us

    def flush(self) -> None:
        """Write what is new; blocks until it is durable."""
        with self._lock:
            pending, self._pending = self._pending, {}
        if pending:
            self._catalog.note_used(pending).result()
