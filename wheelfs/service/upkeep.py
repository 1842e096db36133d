"""What a running service does for its store in the background: memory, dead readers, the spool, the quota, garbage."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.service.tasks import failure
from wheelfs.store.allocator import give_back
from wheelfs.store.engine.page_release import mapped_bytes

if TYPE_CHECKING:
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)


class UpkeepLimits(msgspec.Struct, frozen=True):
    """How often the store is looked after, and how much it may hold for long."""

    mapped_bytes: int = 32 << 20
    """Mapped pages of the store count as this process's memory once touched; above this they go back to the page cache."""

    burst_s: float = 0.25
    """This much processor time since the last rest was a burst of work, of which free memory and mapped pages are left."""

    quiet_s: float = 0.05
    """A process that takes less of it between two looks is at rest."""

    poll_s: float = 1.0
    """How often that memory is looked at, in a small file of /proc."""

    store_s: float = 60.0
    """How often slots of dead readers are freed (py-lmdb asks for about a minute), and the spool and the quota are checked."""

    profiles_s: float = 10.0
    """How often it is written what was opened of environments, where that is new."""

    spool_bytes: int = 4 << 30
    """Space for files of which only a part was ever wanted; those that were untouched longest go first."""

    abandoned_s: float = 30 * 86_400.0
    """A partial file that was untouched for a month is not going to be completed."""


UPKEEP_LIMITS: Final = UpkeepLimits()
"""What a running wheelfs uses."""


class Rest:
    """Whether the process has come to rest after a burst of work: then is the time to give back what that has left.

    Told by its processor time, and not by its memory, which stands still in the midst of work too, where an index is slow.
    """

    def __init__(self, limits: UpkeepLimits) -> None:
        self._limits = limits
        self._seen_s = self._rested_s = 0.0

    def has_come(self, used_s: float) -> bool:
        """Tell, once for a burst, given the processor time that the process has taken so far; asked once a look."""
        is_quiet = used_s - self._seen_s < self._limits.quiet_s
        has_worked = used_s - self._rested_s > self._limits.burst_s
        self._seen_s = used_s
        if is_quiet and has_worked:
            self._rested_s = used_s
        return is_quiet and has_worked


async def keep_in_order(store: Store, downloads: DownloadPool, limits: UpkeepLimits) -> None:
    """Look after the store until cancelled; what fails is logged and tried again."""
    async with trio.open_nursery() as nursery:
        await _keep_in_order(store, downloads, limits, nursery)


async def _solidify(store: Store) -> None:
    """Make solid what is due, which may take an hour: beside all else, so that quota and memory are looked at meanwhile."""
    try:
        await trio.to_thread.run_sync(store.solidify_if_due)
    except Exception as error:
        log.warning("%s", failure("keep what is not used solid", error))


async def _keep_in_order(store: Store, downloads: DownloadPool, limits: UpkeepLimits, nursery: trio.Nursery) -> None:
    checked_s = noted_s = -limits.store_s
    was_idle = False
    rest = Rest(limits)
    while True:
        try:
            if trio.current_time() - checked_s >= limits.store_s:
                checked_s = trio.current_time()
                await trio.to_thread.run_sync(store.check_readers)
                store.chunks.solid.forget()
                await trio.to_thread.run_sync(partial(store.spool.trim, limits.spool_bytes, idle_s=limits.abandoned_s))
                await trio.to_thread.run_sync(store.keep_limits)
                if was_idle and downloads.is_idle:
                    await trio.to_thread.run_sync(store.collect_if_due)
                    nursery.start_soon(_solidify, store)
                was_idle = downloads.is_idle
            if trio.current_time() - noted_s >= limits.profiles_s:
                noted_s = trio.current_time()
                await trio.to_thread.run_sync(store.mounted.profiles.flush)
            if rest.has_come(time.process_time()):
                await trio.to_thread.run_sync(store.release_mapping)
                await trio.to_thread.run_sync(give_back)
            elif mapped_bytes() > limits.mapped_bytes:
                await trio.to_thread.run_sync(store.release_mapping)
        except Exception as error:
            log.warning("%s", failure("keep the store in order", error))
        await trio.sleep(limits.poll_s)
