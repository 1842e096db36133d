"""What ``gc``, ``stats`` and ``verify`` report of the store; fields may be added, never renamed."""

from __future__ import annotations

import msgspec


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection gave back, inside of the store's files, which never shrink; or what it would, as a dry run.

    ``waiting``: nothing was deleted this time, since a file was being stored all the while.  ``unused``: the files that were
    removed before, since nothing has used them for so long; as a dry run their room is not in ``freed_bytes``.
    ``solid_wheels``: how many wheels got members that are kept solid, and ``solid_members`` how many these are.
    """

    dry_run: bool
    blocks: int
    rewritten_blocks: int
    freed_bytes: int
    waiting: bool = False
    unused: tuple[str, ...] = ()
    solid_wheels: int = 0
    solid_members: int = 0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds and takes, in bytes.

    ``wheels``: contents of any kind.  ``raw_bytes``: their sizes summed.  ``stored_bytes``: what is in use of the store's files;
    ``file_bytes``: those files, so the most that was ever in use.  ``spool_bytes``: partly fetched files beside them.  ``ratio``:
    stored to raw.  ``fetched_bytes``, ``saved_bytes``, ``needed_bytes`` and ``delta_saved_bytes`` are sums over the running
    mounts, as in `Counters`.
    """

    wheels: int
    raw_bytes: int
    stored_bytes: int
    file_bytes: int
    spool_bytes: int
    ratio: float | None
    fetched_bytes: int
    saved_bytes: int
    needed_bytes: int = 0
    delta_saved_bytes: int = 0


class ProjectStats(msgspec.Struct, frozen=True, kw_only=True):
    """The same of one project; what it shares with other projects counts in each."""

    project: str
    wheels: int
    raw_bytes: int
    stored_bytes: int
    ratio: float | None


class DamagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged file; ``obstacle`` says why it could not be repaired, where that was tried."""

    filename: str
    reason: str
    repaired: bool = False
    obstacle: str | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification; ``ok``: nothing is damaged, or all of it was repaired."""

    ok: bool
    checked_wheels: int
    damaged: tuple[DamagedFile, ...] = ()
