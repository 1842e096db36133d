"""From an older format of the store to this build's, one version at a time.

A step changes the files of a store that no process has open; ``format`` is written when it returns.  It may be cut short at any
instant, and is then run again on what it has left.
"""

from __future__ import annotations

import fcntl
import logging
from typing import TYPE_CHECKING, Any, Final

from wheelfs.errors import StoreFormat, StoreLocked, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Fields = dict[str, Any]
    """What the ``format`` file holds."""
    Step = Callable[[Path, Fields], Fields]
    """Is given the store's directory and its fields; returns those of the next version."""

log = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1

STEPS: Final[dict[int, Step]] = {}
"""By the version that they start from.  Nothing older than version 1 was ever given out."""


def refuse_unknown(version: object, attempted: str) -> None:
    """Raise `StoreFormat` for a version that this build neither reads nor upgrades."""
    if version == FORMAT_VERSION:
        return
    if isinstance(version, int) and version < FORMAT_VERSION and all(one in STEPS for one in range(version, FORMAT_VERSION)):
        return
    is_newer = isinstance(version, int) and version > FORMAT_VERSION
    raise StoreFormat(
        attempted,
        f"it has format {version}, this wheelfs reads format {FORMAT_VERSION}",
        f"use {'a newer wheelfs' if is_newer else 'the wheelfs that made it'}, or name another directory with --store",
    )


def upgraded(path: Path, fields: Fields, attempted: str, *, readonly: bool) -> Iterator[Fields]:
    """Lead an older store to this build's version and yield the fields to write after each step; the caller locks the store.

    Raises `StoreReadOnly`, and `StoreLocked` when a process has it open: that one may know nothing of the new format.
    """
    while fields["wheelfs_store"] != FORMAT_VERSION:
        version = fields["wheelfs_store"]
        if readonly:
            advice = "open it once with this wheelfs as a user who may write to it"
            raise StoreReadOnly(attempted, f"it has the older format {version} and must be upgraded", advice)
        if is_in_use(path):
            advice = "end the mounts and commands that use it, then try again"
            raise StoreLocked(attempted, f"it has the older format {version} and is in use, so it cannot be upgraded", advice)
        log.warning("upgrading store %s from format %d to %d", path, version, version + 1)
        fields = STEPS[version](path, fields) | {"wheelfs_store": version + 1}
        yield fields


def is_in_use(path: Path) -> bool:
    """Tell whether a process has the store at ``path`` open; this one must not."""
    return any(_is_open(path / environment / "lock.mdb") for environment in ("catalog", "chunks"))


def _is_open(lock: Path) -> bool:
    """Tell whether a process has an environment open: LMDB keeps the first byte of its lock file locked as long."""
    try:
        # Closing a file drops all locks of this process on it, but this process has nothing open yet.
        with lock.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
