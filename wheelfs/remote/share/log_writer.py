"""Writing to the log of a share of objects: its marker, records at its end, and roots.

All methods block, may be called from any thread, and raise `OriginError`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from wheelfs.errors import OriginDenied, OriginFault, OriginTimeout
from wheelfs.model.share_catalog import (
    LOG,
    MARKER_KEY,
    SNAPSHOTS,
    Batch,
    SnapshotOf,
    decode_root,
    decode_snapshot,
    encode_record,
    encode_root,
    encode_snapshot,
    folded,
    marker,
    number_of,
    record_key,
    root_key,
    snapshot_key,
    split,
    staying,
)
from wheelfs.model.share_objects import is_object_name
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.cursor import Cursor, Following, parse_cursor
from wheelfs.remote.share.log import MARKER_BYTES, MAX_RECORD_BYTES, MAX_SNAPSHOT_BYTES, ShareCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.model.share_catalog import FileKey, Root
    from wheelfs.model.share_objects import FoundObject
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.log import Unseen
    from wheelfs.remote.share.objects import Objects

_MAX_APPENDS: Final = 100_000


class WrittenShareCatalog(ShareCatalog):
    """The catalog of a share that can be written to."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        """Many may write at once, here and elsewhere."""
        super().__init__(objects, limits)
        self._written = objects
        self._is_tried = False

    def prepare(self) -> str:
        """Make the share where there is none, and `check` it.  Raises `OriginFault` where what is there would be replaced."""
        found = self._objects.read_range(MARKER_KEY, 0, MARKER_BYTES)
        is_made = False
        if found is None:
            if next(iter(self._written.found(LOG)), None) is not None:
                self.check()  # its advice fits, unless the marker has come meanwhile
            else:
                found = marker(secrets.token_hex(16))
                is_made = self._written.create(MARKER_KEY, found)
        # Some servers that speak like S3 ignore the condition: writers would replace each other's records.  Every writer tries it
        # once, with the bytes that are there: a share may have been made by one that was killed before it could try.
        if found is not None and not self._is_tried and self._written.create(MARKER_KEY, found):
            if is_made:
                self._written.delete(MARKER_KEY)
            happened = "the place replaces an object that is to be created only if it is absent"
            raise OriginFault(
                f"write to the share {self._objects.url}", happened, "give a place that can do that, or update its server"
            )
        identity = self.check()
        self._is_tried = True
        return identity

    def append(
        self,
        cursor: str | None,
        files: Sequence[SharedFile],
        gone: Sequence[FileKey] = (),
        *,
        may_tell: Callable[[], bool],
    ) -> str:
        """Announce files, whose manifests are there, and files that are gone.

        ``cursor`` is what `events` or this returned last: the end of the log is looked for from there on.  Returns the end.
        ``may_tell`` is called before each record; where it returns False `OriginTimeout` is raised.
        """
        known = parse_cursor(cursor)
        number = known.place.number if isinstance(known.place, Following) else self._newest_root() * self._limits.span
        said: list[SharedFile | FileKey] = [*gone, *files]
        for start in range(0, len(said), self._limits.record_files):
            some = said[start : start + self._limits.record_files]
            batch = Batch(
                tuple(one for one in some if not isinstance(one, tuple)), tuple(one for one in some if isinstance(one, tuple))
            )
            number = self._append(number, encode_record(batch), may_tell) + 1
        self._summarize(number, may_tell)
        return Cursor(known.identity, Following(number)).text()

    def _append(self, number: int, encoded: bytes, may_tell: Callable[[], bool]) -> int:
        """Write a record at the end of the log, which is not before ``number``, and return its number."""
        attempted = f"write to the log of the share {self._objects.url}"
        is_taken = False  # the one before: then it is there, whether it can be read or not
        for _ in range(_MAX_APPENDS):
            if not may_tell():
                raise OriginTimeout(attempted, "finding its end took too long", "try again")
            if self._written.create(record_key(number), encoded):
                # After the newest root but one nothing is cleared away, so a record that has one before it is at the end there.
                is_before_root = self._has(self._root_after(number))
                if not is_before_root and (number == 0 or is_taken or self._has(record_key(number - 1))):
                    return number
                # No reader looks where old records were cleared away, or beyond a gap; this one does no harm there.
                newest = self._newest_root() * self._limits.span
                if newest == number:
                    return number
                number, is_taken = newest, False
            else:
                number, is_taken = number + 1, True
        raise OriginFault(attempted, "its end cannot be found", "try again")

    def _has(self, key: str) -> bool:
        """Tell whether there is a root or record; unlike `_is_there` raises where that is not certain."""
        return self._objects.read_range(key, 0, 1) is not None

    # --- roots ---------------------------------------------------------------------------------------------------------

    def _summarize(self, end: int, may_tell: Callable[[], bool]) -> None:
        """Write the roots that are due where the log goes up to ``end``: any writer may, and the first one wins."""
        newest = due = end // self._limits.span
        try:
            while newest and not self._has(root_key(newest)):
                newest -= 1
        except (OriginFault, OriginDenied):
            return  # whether there is one is not known: the next writer may see it
        for number in range(newest + 1, due + 1):
            if not self._make_root(number, may_tell):
                return

    def _make_root(self, number: int, may_tell: Callable[[], bool]) -> bool:
        """Write a root; returns False where it takes too long, or something is not seen (yet).

        What a root leaves out is lost to its readers.  The next writer makes it.
        """
        base, before = number - 1, self._before(number - 1)
        while before == "damaged":
            base, before = base - 1, self._before(base - 1)
        records = self._together(self._record, range(base * self._limits.span, number * self._limits.span))
        if isinstance(before, str) or "missing" in records or "unread" in records:
            return False
        said = [one for one in records if isinstance(one, Batch)]
        fresh = sum(len(one.files) + len(one.gone) for one in said)
        stay = staying(before, fresh, snapshot_files=self._limits.snapshot_files)
        merged = [self._object(snapshot_key(one.name), MAX_SNAPSHOT_BYTES, decode_snapshot) for one in before[stay:]]
        if "missing" in merged or "unread" in merged:
            return False
        files, gone = folded([*(one for one in merged if isinstance(one, Batch)), *said])
        root = list(before[:stay])
        for batch in split(files, gone if stay else set(), snapshot_files=self._limits.snapshot_files):
            encoded = encode_snapshot(batch)
            # A name of its own, even if there is one that says the same: that one may be about to be cleared away.
            root.append(SnapshotOf(secrets.token_hex(16), len(batch.files), len(batch.gone)))
            self._written.create(snapshot_key(root[-1].name), encoded)
        if not may_tell():  # by now the snapshots may have been cleared away, as what no root names
            return False
        self._written.create(root_key(number), encode_root(tuple(root)))
        return True

    def _before(self, number: int) -> Root | Unseen:
        return self._object(root_key(number), MAX_RECORD_BYTES, decode_root) if number else ()

    def superseded(self) -> Iterator[FoundObject]:
        """Yield the records and snapshots that are not needed by readers who start now or know the root before the newest.

        Roots are few and small, and are found by their numbers: they stay.
        """
        newest = self._newest_root()
        if newest < 2:
            return
        needed = {one.name for number in (newest - 1, newest) for one in self._root(number) or ()}
        for found in self._written.found(LOG):
            number = number_of(found.key.rpartition("/")[2])
            if number is not None and number < (newest - 1) * self._limits.span:
                yield found
        for found in self._written.found(SNAPSHOTS):
            name = found.key.rpartition("/")[2]
            if is_object_name(name) and name not in needed:
                yield found
