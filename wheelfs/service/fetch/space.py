"""Whose turn it is to be fetched whole, so that all that are under way together fit into the store's limits.

A file on its way takes its room twice for a moment, as a partial file and stored, and of both the quota and the disk must have
enough before the first byte is asked for.  While there is room, files come side by side.  When something must go to make room,
it is done for one file alone: a crowd of them would drive out what has just come.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from wheelfs.core.formatting import counted
from wheelfs.errors import StoreFull
from wheelfs.store.limits import NO_LIMITS, Need

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wheelfs.service.fetch.partial_file import Partial
    from wheelfs.store.store import Store


class Room:
    """The files of one process that are being fetched whole."""

    def __init__(self, store: Store, limiter: trio.CapacityLimiter, *, bound_s: float, forget_idle: Callable[[], None]) -> None:
        """``bound_s`` is how long a file waits while no other one ends; ``forget_idle`` lets go partial files nobody uses."""
        self._store = store
        self._limiter = limiter
        self._bound_s = bound_s
        self._forget_idle = forget_idle
        self._coming: dict[int, Partial] = {}
        self._turn = trio.Lock()
        self._ended = trio.Event()

    @asynccontextmanager
    async def taken(self, partial: Partial) -> AsyncIterator[None]:
        """Have room for one file for the duration of the block, waiting for others where need be; raises `StoreFull`."""
        if self._store.limits == NO_LIMITS:
            yield
            return
        async with self._turn:
            while not await self._fits(partial):
                if not self._coming:
                    self._forget_idle()
                    await trio.to_thread.run_sync(self._store.make_room, _need(partial), partial.attempted, limiter=self._limiter)
                    break
                await self._until_one_has_ended(partial)
            self._coming[id(partial)] = partial
        try:
            yield
        finally:
            del self._coming[id(partial)]
            self._ended.set()
            self._ended = trio.Event()

    async def _fits(self, partial: Partial) -> bool:
        need = sum(map(_need, self._coming.values()), _need(partial))
        return await trio.to_thread.run_sync(self._store.has_room, need, limiter=self._limiter)

    async def _until_one_has_ended(self, partial: Partial) -> None:
        with trio.move_on_after(self._bound_s):
            await self._ended.wait()
            return
        happened = f"there is no room for it beside what is being fetched ({counted(len(self._coming), 'file')})"
        raise StoreFull(partial.attempted, happened, "try again when they are here, or raise the quota ([cache] quota)")


def _need(partial: Partial) -> Need:
    """What a file will take; nothing while its size is not known, since then nobody can tell."""
    if partial.size_bytes is None:
        return Need()
    return Need(partial.size_bytes, max(0, partial.size_bytes - partial.spans.total))
