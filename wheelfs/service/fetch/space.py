"""Space for files that are fetched whole, reserved so that all of them together fit into the store's limits.

While it is being sealed a file exists twice, in the spool and in the store; quota and disk must fit both copies before the first
byte is requested.  While there is space, files are fetched side by side.  When something has to be evicted, it is done for one
file alone: many at once would evict each other.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.formatting import counted
from wheelfs.errors import StoreFull
from wheelfs.store.limits import NO_LIMITS, Need

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wheelfs.service.fetch.partial_file import PartialFile
    from wheelfs.store.store import Store

UNCHECKED_BYTES: Final = 16 << 20
"""What parts of files may take before the store is looked at again: that reads a directory of up to 60,000 names."""


class SpaceReservations:
    """The reservations of one process."""

    def __init__(self, store: Store, limiter: trio.CapacityLimiter, *, timeout_s: float, forget_idle: Callable[[], None]) -> None:
        """``timeout_s`` is how long a file waits while no other one ends; ``forget_idle`` closes unused partial files."""
        self._store = store
        self._limiter = limiter
        self._timeout_s = timeout_s
        self._forget_idle = forget_idle
        self._reserved: dict[int, PartialFile] = {}
        self._unchecked_bytes = 0
        self._turn = trio.Lock()
        self._ended = trio.Event()

    @asynccontextmanager
    async def reserve(self, partial: PartialFile) -> AsyncIterator[None]:
        """Reserve space for one file during the block, waiting for other files if necessary; raises `StoreFull`."""
        if self._store.limits == NO_LIMITS:
            yield
            return
        async with self._turn:
            while not await self._fits(partial):
                if not self._reserved:
                    self._forget_idle()
                    await trio.to_thread.run_sync(self._store.make_room, _need(partial), partial.attempted, limiter=self._limiter)
                    break
                await self._until_one_has_ended(partial)
            self._reserved[id(partial)] = partial
        try:
            yield
        finally:
            del self._reserved[id(partial)]
            self._ended.set()
            self._ended = trio.Event()

    async def make_for_part(self, partial: PartialFile, start: int, end: int) -> None:
        """Make space for ``[start, end)`` of a file of which no more is wanted; raises `StoreFull`."""
        need = Need(0, sum(limit - begin for begin, limit in partial.spans.missing(start, end)))
        self._unchecked_bytes += need.spooled_bytes
        if self._unchecked_bytes < UNCHECKED_BYTES or self._store.limits == NO_LIMITS:
            return
        async with self._turn:
            if not await trio.to_thread.run_sync(self._store.has_room, need, limiter=self._limiter):
                self._forget_idle()
                await trio.to_thread.run_sync(self._store.make_room, need, partial.attempted, limiter=self._limiter)
        self._unchecked_bytes = 0

    async def _fits(self, partial: PartialFile) -> bool:
        need = sum(map(_need, self._reserved.values()), _need(partial))
        return await trio.to_thread.run_sync(self._store.has_room, need, limiter=self._limiter)

    async def _until_one_has_ended(self, partial: PartialFile) -> None:
        with trio.move_on_after(self._timeout_s):
            await self._ended.wait()
            return
        happened = f"there is no room for it beside what is being fetched ({counted(len(self._reserved), 'file')})"
        more = "free some space on the disk" if self._store.limits.quota_bytes is None else "raise the quota ([cache] quota)"
        raise StoreFull(partial.attempted, happened, f"try again when they are here, or {more}")


def _need(partial: PartialFile) -> Need:
    """Return what a file will take; nothing while its size is unknown."""
    if partial.size_bytes is None:
        return Need()
    return Need(partial.size_bytes, max(0, partial.size_bytes - partial.spans.total))
