"""Keeping a store within its bounds: the least recently used wheels go first.

Never go those that are pinned, private or open, or that an environment needs.
"""

from __future__ import annotations

import heapq
import logging
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from wheelfs.errors import StoreFull
from wheelfs.store.coordination.leases import held
from wheelfs.store.gc.collect import collect
from wheelfs.store.limits import NOTHING, Need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.files import StoreFiles
    from wheelfs.store.limits import Limits

log = logging.getLogger(__name__)


class _Candidate(NamedTuple):
    used_at_us: int
    sha256: bytes
    size_bytes: int


def excess_bytes(store: StoreFiles, limits: Limits, need: Need = NOTHING, *, fill: float | None = None) -> int:
    """Return by how much the store would be above its limits if ``need`` were taken too; 0 when it would not.

    ``fill`` is the part of the quota, less what partly fetched files take of it, that stored files may use (None: as much as ever
    may be).  Freed pages inside the store's files count as free disk space.
    """
    excess = 0
    if limits.quota_bytes is None and not limits.min_free_bytes:
        return excess
    tuning, used_bytes = store.tuning.evict, store.used_bytes()
    if limits.quota_bytes is not None:
        slack_bytes = tuning.slack_of(limits.quota_bytes)
        beside_bytes = store.spool.usage_bytes() + store.inflated.kept_bytes
        for_files = limits.quota_bytes - slack_bytes - beside_bytes - need.spooled_bytes
        excess = max(0, used_bytes + need.stored_bytes - int(for_files * (tuning.high_water if fill is None else fill)))
    if limits.min_free_bytes:
        reusable_bytes = max(0, store.file_bytes() - used_bytes)
        total_bytes, free_bytes = store.disk_space()
        least_bytes = min(limits.min_free_bytes, int(total_bytes * tuning.min_free_part))
        excess = max(excess, least_bytes + need.stored_bytes + need.spooled_bytes - free_bytes - reusable_bytes)
    return excess


def make_room(
    store: StoreFiles, limits: Limits, need: Need = NOTHING, *, attempted: str = "keep the store within its limits"
) -> list[str]:
    """Delete until ``need`` fits with some room to spare, and return the stored files that went; nothing when it fits now.

    What is kept inflated goes first, then partly fetched files that are not open, the oldest first of all.  Blocks, for as long
    as collections take.
    Raises `StoreFull` when all that may go is not enough.
    """
    evicted: list[str] = []
    excess = excess_bytes(store, limits, need)
    if excess <= 0:
        return evicted
    if store.inflated.forget() and (excess := excess_bytes(store, limits, need)) <= 0:
        return evicted
    store.spool.trim(max(0, store.spool.usage_bytes() - int(excess / store.tuning.evict.high_water) - 1))
    if excess_bytes(store, limits, need) <= 0:
        return evicted
    # What was removed by hand before, or left by a crash, goes first.
    collect(store)
    # Nothing is evicted for what would not fit into a store without it either; a smaller quota is approached as far as can be.
    in_vain = need != NOTHING and excess_bytes(store, limits, need) > _evictable_bytes(store)
    for _ in range(0 if in_vain else store.tuning.evict.rounds):
        excess = excess_bytes(store, limits, need, fill=limits.low_water)
        if excess <= 0:
            return evicted
        round_ = list(_evict(store, excess))
        if not round_:
            break
        evicted += round_
        collect(store)
    if excess_bytes(store, limits, need) > 0:
        raise _full(store, limits, need, attempted)
    return evicted


def _full(store: StoreFiles, limits: Limits, need: Need, attempted: str) -> StoreFull:
    """Return an error that names the limit that is in the way."""
    kept = "what may go is not enough, all else is pinned, private, open or in an environment"
    remove = "remove files: wheelfs rm, wheelfs unpin, wheelfs env rm"
    if excess_bytes(store, replace(limits, min_free_bytes=0), need) > 0:
        return StoreFull(attempted, f"there is no room within the quota; {kept}", f"raise the quota ([cache] quota), or {remove}")
    happened = f"the disk is full, but for the space that is left to others ([cache] min-free); {kept}"
    return StoreFull(attempted, happened, f"free some space on the disk, or {remove}")


def _evict(store: StoreFiles, excess: int) -> Iterator[str]:
    for candidate in _least_recently_used(store):
        if excess <= 0:
            return
        gone = list(_remove(store, candidate.sha256))
        yield from gone
        excess -= candidate.size_bytes if gone else 0


def evict_unused(store: StoreFiles, before_us: int, *, dry_run: bool = False) -> Iterator[str]:
    """Remove what may go and was neither stored nor used since ``before_us``, and yield the filenames.

    Their room is given back by the next collection.  Uses are written at most once an hour, by the process that had them.
    """
    in_use = held(store.run_directory).open
    for candidate in list(_candidates(store)):
        if candidate.used_at_us < before_us and candidate.sha256 not in in_use:
            if dry_run:
                yield from (name.filename for name in store.catalog.names_of(candidate.sha256))
            else:
                yield from _remove(store, candidate.sha256)


def _remove(store: StoreFiles, sha256: bytes) -> Iterator[str]:
    names = store.catalog.names_of(sha256)
    # Checked again: it may have been pinned or opened since.
    if not _is_evictable(names) or sha256 in held(store.run_directory).open:
        return
    for name in names:
        if store.catalog.remove_name(name.key).result():
            log.info("evicted %s", name.filename)
            yield name.filename


def _evictable_bytes(store: StoreFiles) -> int:
    """Return the most that evictions could free: less, where contents share chunks."""
    in_use = held(store.run_directory).open
    return sum(candidate.size_bytes for candidate in _candidates(store) if candidate.sha256 not in in_use)


def _least_recently_used(store: StoreFiles) -> list[_Candidate]:
    in_use = held(store.run_directory).open
    evictable = (candidate for candidate in _candidates(store) if candidate.sha256 not in in_use)
    return heapq.nsmallest(store.tuning.evict.candidates, evictable)


def _candidates(store: StoreFiles) -> Iterator[_Candidate]:
    needed = store.mounted.contents()
    for sha256, content in store.catalog.contents():
        names = store.catalog.names_of(sha256)
        if sha256 not in needed and _is_evictable(names):
            came_at_us = max(name.added_at_us for name in names)
            yield _Candidate(max(came_at_us, store.catalog.used_at_us(sha256)), sha256, content.size_bytes)


def _is_evictable(names: list[StoredName]) -> bool:
    return bool(names) and not any(name.pinned or name.private for name in names)
