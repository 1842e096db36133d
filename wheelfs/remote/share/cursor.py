"""The cursor of a share's change feed: up to where its log was read, as text that only this module reads.

``IDENTITY:NUMBER`` follows the log from a record on, with an ``a`` at its end while a full resync is not complete;
``IDENTITY:ROOT/SNAPSHOT/FILE`` is in the middle of a root's snapshots.  Then, where it applies: ``!KEY``, the first object that
could not be read, and ``>NUMBER``, how long the log was when it was seen last, if more was seen then.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_CURSOR: Final = re.compile(
    r"(?P<identity>[0-9a-f]{32}):"
    r"(?:(?P<number>[0-9]{1,10})(?P<resync>a?)|(?P<root>[0-9]{1,10})/(?P<snapshot>[0-9]{1,6})/(?P<file>[0-9]{1,9}))"
    r"(?:!(?P<unread>[a-z]+/[0-9a-f]{8,32}))?(?:>(?P<end>[0-9]{1,10}))?\Z",
    re.ASCII,
)


class Following(NamedTuple):
    """All before record ``number`` is reported; ``in_resync``: in a full resync that is not complete."""

    number: int
    in_resync: bool = False


class Beginning(NamedTuple):
    """Of a root's snapshots, those before ``snapshot`` are reported, and of that one ``file`` files."""

    root: int
    snapshot: int = 0
    file: int = 0


class Doubt(NamedTuple):
    """What was there and not seen: the key of the first object that could not be read, and the log's end as once seen.

    A resync that ends in doubt is no proof that what it did not name is gone.
    """

    unread: str = ""
    end: int = 0


NO_DOUBT: Final = Doubt()


class Cursor(NamedTuple):
    """Where a reader of the share with this ``identity`` stands; ``place`` is None where nothing is known."""

    identity: str
    place: Following | Beginning | None
    doubt: Doubt = NO_DOUBT

    @property
    def end(self) -> int:
        """How many records of the log are known to have been there."""
        return max(self.doubt.end, self.place.number if isinstance(self.place, Following) else 0)

    def text(self) -> str:
        """Return the cursor as text."""
        match self.place:
            case Following(number, in_resync):
                text = f"{self.identity}:{number}{'a' if in_resync else ''}"
            case Beginning(root, snapshot, file):
                text = f"{self.identity}:{root}/{snapshot}/{file}"
            case _:
                return ""
        unread = f"!{self.doubt.unread}" if self.doubt.unread else ""
        return f"{text}{unread}{f'>{self.doubt.end}' if self.doubt.end else ''}"


def parse_cursor(text: str | None) -> Cursor:
    """Return what `Cursor.text` made; one without a place for anything else."""
    found = _CURSOR.match(text or "")
    if found is None:
        return Cursor("", None)
    doubt = Doubt(found["unread"] or "", int(found["end"] or 0))
    if found["number"] is not None:
        return Cursor(found["identity"], Following(int(found["number"]), bool(found["resync"])), doubt)
    return Cursor(found["identity"], Beginning(int(found["root"]), int(found["snapshot"]), int(found["file"])), doubt)
