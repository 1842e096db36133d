"""Large members of wheels, inflated: what the kernel has dropped of one is read again without inflating all of it.

They are unnamed files beside the partial ones, gone with the process, or with their last reader once they are not kept.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_BYTES: Final = 1 << 30
"""The shared objects of torch and what it needs, for a CPU."""
QUOTA_PART: Final = 8
"""No more of a quota than this part: it is a copy of what is stored."""


class _Kept(NamedTuple):
    file: BinaryIO
    size_bytes: int


class InflatedFiles:
    """The least recently used ones go first.  Methods may be called from any thread."""

    def __init__(self, directory: Path, quota_bytes: int | None = None) -> None:
        """Make files in ``directory``, and keep as many as ``quota_bytes``, the store's, allows."""
        self._directory = directory
        most = MOST_BYTES if quota_bytes is None else min(MOST_BYTES, quota_bytes // QUOTA_PART)
        self._kept: BoundedCache[int, _Kept] = BoundedCache(most, weight=lambda kept: kept.size_bytes)
        self._lock = threading.Lock()

    @property
    def kept_bytes(self) -> int:
        """How much of the disk they take."""
        return self._kept.weight

    def get(self, key: int) -> BinaryIO | None:
        """Return a file that is kept."""
        with self._lock:
            kept = self._kept.get(key)
        return None if kept is None else kept.file

    def make(self, attempted: str, write: Callable[[BinaryIO], None]) -> BinaryIO:
        """Return a new file that ``write`` has filled; blocks.

        Where the disk is full what is kept makes room for it, once.  Raises `StoreFull` and other `StoreError`.
        """
        for is_last in (False, True):
            try:
                import tempfile  # every store imports this module, and only environments inflate members

                file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115  # closed with its last reader
                write(file)
                file.flush()
                return file
            except OSError as error:
                if is_last or not self.forget():
                    raise store_error(attempted, error) from error
        raise AssertionError("unreachable")

    def keep(self, key: int, file: BinaryIO, size_bytes: int) -> None:
        """Keep a file for later readers, within the limit."""
        with self._lock:
            self._kept.put(key, _Kept(file, size_bytes))

    def forget(self) -> bool:
        """Keep none any longer, and tell whether there were some; those that are open stay until they are closed."""
        with self._lock:
            had_some = len(self._kept) > 0
            self._kept.clear()
        return had_some
