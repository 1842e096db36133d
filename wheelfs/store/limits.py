"""How much a store may hold, keep in memory and wait for."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What the user allows: ``quota_bytes`` in the store's directory, and ``min_free_bytes`` to be left on its disk."""

    quota_bytes: int | None = None
    min_free_bytes: int = 0
    low_water: float = 0.8
    """How much of the quota is full after an eviction: a collection reads all recipes, too much for every wheel."""
    solid_unused_s: int = 0
    """What was not used for so long is made solid in the background (0: nothing)."""


NO_LIMITS: Final = Limits()


class Need(NamedTuple):
    """What is about to be taken: in the store's files, and by partly fetched files, which go when they are stored."""

    stored_bytes: int = 0
    spooled_bytes: int = 0

    def __add__(self, other: object) -> Need:
        """Both at the same time."""
        return Need(*map(sum, zip(self, other, strict=True))) if isinstance(other, Need) else NotImplemented


NOTHING: Final = Need()


class ReadTuning(msgspec.Struct, frozen=True):
    """What reading keeps in memory, and does in the caller's thread."""

    kept_recipes_bytes: int = 32 << 20
    """Decoded recipes kept for the next open; a large wheel's is about 3 MB, a usual one's below 50 KB."""

    checked_blocks: int = 24
    """Blocks in memory that may be checked without leaving the caller's thread: 6 MiB, some 3 ms.

    A worker thread would be slower: on two processors the first reading of a wheel took 1.6 times as long, handing the GIL to
    and fro (docs/design/decisions/0010).  What threads are for is waiting for the disk.
    """

    quick_skeleton_bytes: int = 1 << 20
    """Unpacked in the caller's thread, in a millisecond; that of a wheel of 10,000 members is about as large."""


class CollectTuning(msgspec.Struct, frozen=True):
    """When a collection is worth its while, and how much it rewrites."""

    sparse: float = 0.5
    """A block of which no more than this is in use is rewritten: what is written for it is at most what it gives back."""

    rewritten_part: float = 0.25
    """Of the room that is left, no more is rewritten than this: it is given back at the end of a collection, and on a full disk
    deleting needs some, too."""

    garbage_bytes: int = 64 << 20
    garbage_part: float = 0.1
    """This much must have been removed since the last collection, in bytes and as a part of what is left, for one to be made
    unasked: it reads every recipe twice."""

    mapped_bytes: int = 64 << 20
    """What of the store's files stays in this process' memory during a walk through all of them; it may briefly double."""


class EvictTuning(msgspec.Struct, frozen=True):
    """How close to the user's limits a store is kept."""

    high_water: float = 0.85
    """How much of the quota may be in use: freed pages lie scattered, so after many turnovers LMDB's file was 1.05 to 1.14 times
    as large as what is in use (measured; a little more in a store of few wheels), and it is the file that the quota is about."""

    slack_part: float = 0.05
    slack_bytes: int = 16 << 20
    """Left free, of small quotas a part: what one transaction writes comes before what it replaces can be used again.  The
    reserve for deleting takes up to half of it."""

    min_free_part: float = 0.05
    """No more of a disk than this is kept free, whatever the configuration says in bytes: it may be a small one."""

    rounds: int = 50
    """Each round evicts what would be enough if nothing were shared, then collects and looks again."""

    candidates: int = 4_096
    """The least recently used contents that one round looks at."""

    def slack_of(self, quota_bytes: int) -> int:
        """Return what is left free of a quota."""
        return min(int(quota_bytes * self.slack_part), self.slack_bytes)


class ReserveTuning(msgspec.Struct, frozen=True):
    """How much of the disk is kept for deleting on a full one.

    A transaction of a collection writes a page for each of up to 2,000 entries of an index; what it replaces is used again from
    the next but one on.
    """

    least_bytes: int = 256 << 10
    most_bytes: int = 24 << 20
    catalog_part: float = 2.0
    """Of the catalog's size, in between: no more pages can be written than there are, in each of the two transactions."""


class Tuning(msgspec.Struct, frozen=True):
    """What no user configures.  Passed in, so that tests choose their own."""

    read: ReadTuning = ReadTuning()
    collect: CollectTuning = CollectTuning()
    evict: EvictTuning = EvictTuning()
    reserve: ReserveTuning = ReserveTuning()
    writer_lock_s: float = 30.0
    """How long opening waits for another process' write: 100 times our longest transaction (16 MiB), on a slow disk."""


TUNING: Final = Tuning()
