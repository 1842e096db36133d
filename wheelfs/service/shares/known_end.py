"""How long a share's log was when this store saw it last: who sees less now does not see all of the share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import OriginMissing
from wheelfs.remote.share.cursor import parse_cursor

if TYPE_CHECKING:
    from wheelfs.store.store import Store


def known_end(store: Store, identity: str) -> int:
    """Return the most records that the store has seen of the log of the share with this identity; 0 where it saw none."""
    cursors = map(parse_cursor, store.shared.cursors())
    return max((cursor.end for cursor in cursors if cursor.identity == identity), default=0)


def refuse_less(attempted: str, end: int, known: int) -> None:
    """Raise `OriginMissing` where the log, which was ``known`` records long, ends at ``end``."""
    if end < known:
        happened = f"its log ends after {end:,} records, and had {known:,} when it was seen here before"
        raise OriginMissing(attempted, happened, "is a server of its file system away? run it again when all of it is there")
