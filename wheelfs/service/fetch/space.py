"""Space for files that are fetched whole, reserved so that all of them together fit into the store's limits.

While it is being sealed a file exists twice, in the spool and in the store; quota and disk must fit both copies before the first
byte is requested.  While there is space, files are fetched side by side.  When something has to be evicted, it is done by one
after the other, for all that are reserved together: many at once would evict each other.
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

EVICT_DIVISOR: Final = 4
"""What is stored is evicted for a file when no other one has ended within the bound on progress divided by this: HTTP clients
give up what brings nothing within a time like that bound, and those that are being fetched may be large and slow."""


class SpaceReservations:
    """The reservations of one process."""

    def __init__(self, store: Store, limiter: trio.CapacityLimiter, *, timeout_s: float, forget_idle: Callable[[], None]) -> None:
        """``timeout_s`` is how long a file waits while no other brings anything; ``forget_idle`` closes unused partial files."""
        self._store = store
        self._limiter = limiter
        self._timeout_s = timeout_s
        self._forget_idle = forget_idle
        self._reserved: dict[int, PartialFile] = {}
        self._unchecked_bytes = 0
        self._turn = trio.Lock()
        self._parts_turn = trio.Lock()
        self._ended = trio.Event()

    @asynccontextmanager
    async def reserve(self, partial: PartialFile) -> AsyncIterator[None]:
        """Reserve space for one file during the block, waiting for other files if necessary; raises `StoreFull`."""
        if self._store.limits == NO_LIMITS:
            yield
            return
        async with self._turn:
            ended = self._ended  # from before it is looked: what ends meanwhile counts
            while not await self._fits(partial):
                if not await self._is_soon(ended):
                    try:
                        await self._make_room(self._need_with(partial), partial)
                        break
                    except StoreFull:
                        if not self._reserved and not ended.is_set():
                            raise
                    await self._until_one_has_ended(ended, partial)
                ended = self._ended
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
        async with self._parts_turn:  # another one: a whole file may wait in its own for minutes
            if not await trio.to_thread.run_sync(self._store.has_room, need, limiter=self._limiter):
                await self._make_room(need, partial)
        self._unchecked_bytes = 0

    def _need_with(self, partial: PartialFile) -> Need:
        return sum(map(_need, self._reserved.values()), _need(partial))

    async def _fits(self, partial: PartialFile) -> bool:
        return await trio.to_thread.run_sync(self._store.has_room, self._need_with(partial), limiter=self._limiter)

    async def _make_room(self, need: Need, partial: PartialFile) -> None:
        self._forget_idle()
        await trio.to_thread.run_sync(self._store.make_room, need, partial.attempted, limiter=self._limiter)

    async def _is_soon(self, ended: trio.Event) -> bool:
        """Wait a little for another file's end, and return whether it came; False at once where there is no other."""
        with trio.move_on_after(self._timeout_s / EVICT_DIVISOR if self._reserved else 0):
            await ended.wait()
        return ended.is_set()

    async def _until_one_has_ended(self, ended: trio.Event, partial: PartialFile) -> None:
        """Wait for it as long as one brings anything: how long that may take is bounded where it is fetched."""
        received_bytes = -1
        while received_bytes != (received_bytes := self._received_bytes()):
            with trio.move_on_after(self._timeout_s):
                await ended.wait()
                return
        happened = f"there is no room for it beside what is being fetched ({counted(len(self._reserved), 'file')})"
        more = "free some space on the disk" if self._store.limits.quota_bytes is None else "raise the quota ([cache] quota)"
        raise StoreFull(partial.attempted, happened, f"try again when they are here, or {more}")

    def _received_bytes(self) -> int:
        return sum(partial.received_bytes for partial in self._reserved.values())


def _need(partial: PartialFile) -> Need:
    """Return what a file will take; nothing while its size is unknown."""
    if partial.size_bytes is None:
        return Need()
    return Need(partial.size_bytes, max(0, partial.size_bytes - partial.spans.total))
