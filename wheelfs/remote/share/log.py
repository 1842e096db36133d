"""The catalog of a share of objects: following its log, and writing to it.

A reader needs no listing: it finds records and roots by their numbers.  All methods block, may be called from any thread, and
raise `OriginError`; what is torn or foreign is skipped and logged.
"""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from wheelfs.errors import OriginDenied, OriginFault, OriginMissing
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.share_catalog import (
    MARKER_KEY,
    Batch,
    SnapshotOf,
    decode_record,
    decode_root,
    decode_snapshot,
    folded,
    identity_of,
    record_key,
    root_key,
    snapshot_key,
)
from wheelfs.model.shared import FeedPage
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.cursor import NO_DOUBT, Beginning, Cursor, Doubt, Following, parse_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.model.share_catalog import Root
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.objects import ReadObjects

log = logging.getLogger(__name__)
T = TypeVar("T")

Unseen = Literal["missing", "damaged", "unread"]
"""Why an object is not known: it is not there, it is not what it should be, or it cannot be read now."""

MAX_RECORD_BYTES: Final = 16 << 20
MAX_SNAPSHOT_BYTES: Final = 256 << 20
MARKER_BYTES: Final = 4_096
_MAX_REPORTED: Final = 1_000
"""Of a share that is all damage, more is not said."""
_MAX_RECORDS: Final = 1 << 32
"""Records have eight hex digits."""


class ShareCatalog:
    """The catalog of one share, read."""

    def __init__(self, objects: ReadObjects, limits: ShareLimits = SHARE_LIMITS) -> None:
        """``objects`` need no listing."""
        self._objects = objects
        self._limits = limits
        self._quiet = self._limits.look_around
        """Requests without changes since the identity was checked last; the first one counts."""
        self._identity = ""
        """The share's, as it was when it was looked at last."""
        self._snapshot: tuple[str, Batch] | None = None
        self._reported: set[str] = set()
        self.end = 0
        """How many records the log had when `files` read it."""
        self.passed_over = 0
        """Objects that were damaged or could not be read, each counted once."""

    def check(self) -> str:
        """Return the share's identity; raises `OriginMissing` where there is none, `OriginFault` for another version's."""
        found = self._objects.read_range(MARKER_KEY, 0, MARKER_BYTES)
        attempted = f"use the share {self._objects.url}"
        if found is None and self._is_there(record_key(0)):
            happened = f"its marker {MARKER_KEY} is not there, though its log is"
            raise OriginMissing(attempted, happened, "is a server of its file system away? else it was deleted: bring it back")
        if found is None:
            raise OriginMissing(
                attempted,
                "there is no share here",
                "run wheelfs push to create one, unless a server of its file system is away; a gateway is not a share of objects",
            )
        identity = identity_of(found)
        if identity is None:
            advice = "update wheelfs, unless a page to log in or of an error stands in its place"
            raise OriginFault(attempted, "it is of a format that this version does not know", advice)
        self._identity = identity
        return identity

    # --- following -----------------------------------------------------------------------------------------------------

    def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor``, in portions; everything, where the difference is not known."""
        known = parse_cursor(cursor)
        place = known.place
        is_due = self._quiet >= self._limits.look_around or place is None or known.identity != self._identity
        if is_due:
            identity, self._quiet = self.check(), 0
            if known.identity != identity:
                known, place = Cursor(identity, None), None
        if isinstance(place, Following):
            # What was not seen can be now: only a resync without a doubt tells what is gone.
            is_seen = 0 < known.doubt.end <= place.number or (is_due and self._is_readable(known.doubt.unread))
            if is_seen and not place.in_resync:
                return self._resync(Cursor(known.identity, place))
            return self._follow(known, place, is_due=is_due)
        # A root's snapshots go when the second one after it is made.
        if place is None or (is_due and self._is_there(root_key(place.root + 2))):
            return self._resync(known)
        return self._begin(known, place)

    def _follow(self, cursor: Cursor, place: Following, *, is_due: bool) -> FeedPage:
        batches, is_end, unread = self._records(place.number)
        # Where old records are cleared away the log goes on elsewhere; that nothing follows may mean it, too.
        is_elsewhere = not batches and (is_due or place.in_resync) and self._is_there(self._root_after(place.number))
        if is_elsewhere and (newest := self._newest_root()) * self._limits.span > place.number:
            return self._resync(cursor, newest)
        self._quiet = 0 if batches else self._quiet + 1
        files, gone = folded(batches)
        number = place.number + len(batches)
        unread = unread if place.in_resync or unread < record_key(number) else ""  # the next one is simply asked for again
        doubt = Doubt(cursor.doubt.unread or unread, cursor.doubt.end if cursor.doubt.end > number or not place.in_resync else 0)
        is_over = is_end and not (place.in_resync and batches)
        return FeedPage(
            tuple(files.values()),
            tuple(gone),
            Cursor(cursor.identity, Following(number, place.in_resync and not is_over), doubt).text(),
            more=not is_over,
            is_resync=place.in_resync,
            is_partial=place.in_resync and is_over and doubt != NO_DOUBT,
        )

    def _resync(self, cursor: Cursor, root: int | None = None) -> FeedPage:
        """Begin to report everything, from a root on, by default the newest; what was seen before is not forgotten for it."""
        root = self._newest_root() if root is None else root
        # Who stands in the middle of a root's snapshots has seen that root, and so as many records.
        end = cursor.place.root * self._limits.span if isinstance(cursor.place, Beginning) else cursor.end
        doubt = Doubt("", max(end, cursor.doubt.end))
        return self._begin(Cursor(cursor.identity, None, doubt), Beginning(root), starts_resync=True)

    def _begin(self, cursor: Cursor, place: Beginning, *, starts_resync: bool = False) -> FeedPage:
        root = self._root(place.root) or ()
        identity, doubt = cursor.identity, cursor.doubt
        if place.snapshot >= len(root):
            self._snapshot = None  # some megabytes
            reached = Cursor(identity, Following(place.root * self._limits.span, in_resync=True), doubt).text()
            return FeedPage((), (), reached, more=True, is_resync=True, starts_resync=starts_resync)
        batch = self._snapshot_of(root[place.snapshot])
        if batch is None and (newest := self._newest_root()) > place.root:
            return self._resync(cursor, newest)
        if not isinstance(batch, Batch):
            doubt = Doubt(doubt.unread or snapshot_key(root[place.snapshot].name), doubt.end)
        batch = batch if isinstance(batch, Batch) else Batch()
        files = batch.files[place.file : place.file + self._limits.portion_files]
        gone = () if place.file else batch.gone
        following = Beginning(place.root, place.snapshot, place.file + self._limits.portion_files)
        if following.file >= len(batch.files):
            following = Beginning(place.root, place.snapshot + 1)
        reached = Cursor(identity, following, doubt).text()
        return FeedPage(files, gone, reached, more=True, is_resync=True, starts_resync=starts_resync)

    def _records(self, number: int) -> tuple[list[Batch], bool, str]:
        """Return the records from ``number`` on, up to the end or some portion of them, and whether that is the end.

        Also the key of the first one that could not be read, if there is one.  That is passed over only where a later one is
        there: else it may be the end, of which a server says that it cannot tell now whether there is one.
        """
        found: list[Batch] = []
        window, said, unread, last_seen = 1, 0, "", 0
        while said < self._limits.portion_files:
            numbers = range(number + len(found), number + len(found) + window)
            for one in self._together(self._record, numbers):
                if one == "missing":
                    return found[:last_seen], True, unread
                if one == "unread":
                    unread = unread or record_key(number + len(found))
                found.append(one if isinstance(one, Batch) else Batch())
                last_seen = len(found) if one != "unread" else last_seen
                said += len(found[-1].files) + len(found[-1].gone) + 1
            window = min(2 * window, self._limits.records_at_once)
        return found[:last_seen], not last_seen, unread

    def files(self) -> list[SharedFile]:
        """Return all that the share has, each name and content once; `end` then says how many records that took."""
        newest, begin, batches = self._newest_root(), -1, list[Batch]()
        while newest > begin:
            begin = newest
            snapshots = [self._snapshot_of(one) for one in self._root(begin) or ()]
            batches = [one for one in snapshots if isinstance(one, Batch)]
            self.end, is_end = begin * self._limits.span, False
            while not is_end:
                records, is_end, _ = self._records(self.end)
                self.end += len(records)
                batches += records
            # Once more, where this took so long that what was to be read was cleared away.
            if None in snapshots or self._is_there(self._root_after(self.end)):
                newest = self._newest_root()
        return list(folded(batches)[0].values())

    # --- reading -------------------------------------------------------------------------------------------------------

    def _newest_root(self) -> int:
        """Return the number of the last root that can be read, 0 when there is none.

        They have no gaps, unless others have made some: what lies before one is looked for as if there were nothing after it.
        """
        end = _MAX_RECORDS // self._limits.span
        while True:
            there, beyond = 0, 1
            while beyond < end and self._is_there(root_key(beyond)):
                there, beyond = beyond, 2 * beyond
            beyond = min(beyond, end)
            while beyond - there > 1:
                middle = (there + beyond) // 2
                there, beyond = (middle, beyond) if self._is_there(root_key(middle)) else (there, middle)
            while there and (root := self._object(root_key(there), MAX_RECORD_BYTES, decode_root)) != "missing":
                if isinstance(root, tuple):
                    return there
                there -= 1
            if not there:
                return 0
            end = there

    def _root(self, number: int) -> Root | None:
        found = self._object(root_key(number), MAX_RECORD_BYTES, decode_root)
        return found if isinstance(found, tuple) else None

    def _record(self, number: int) -> Batch | Unseen:
        return self._object(record_key(number), MAX_RECORD_BYTES, decode_record)

    def _snapshot_of(self, one: SnapshotOf) -> Batch | Literal["unread"] | None:
        """Return a snapshot, the last one from memory; a damaged one says nothing, None is for one that is not there."""
        if self._snapshot is not None and self._snapshot[0] == one.name:
            return self._snapshot[1]
        found = self._object(snapshot_key(one.name), MAX_SNAPSHOT_BYTES, decode_snapshot)
        if found == "missing":
            self._pass_over(snapshot_key(one.name), "it is not there")
            return None
        if found == "unread":
            return "unread"
        batch = found if isinstance(found, Batch) else Batch()
        self._snapshot = one.name, batch
        return batch

    def _object(self, key: str, limit_bytes: int, decode: Callable[[bytes], T]) -> T | Unseen:
        """Read an object; one that cannot be read while the marker can is passed over, as a damaged one is."""
        for is_last in (False, True):
            try:
                encoded = self._objects.read(key, limit_bytes=limit_bytes)
                return "missing" if encoded is None else decode(encoded)
            except ShareFormatError as error:
                if is_last:
                    self._pass_over(key, error)
                    return "damaged"
                self.refuse_pages()
            except (OriginFault, OriginDenied) as error:
                self.check()
                self._pass_over(key, error)
                return "unread"
        raise AssertionError("unreachable")

    def refuse_pages(self) -> None:
        """Raise `OriginError` where what is not an object of the share may be a page that a server answers everything with.

        Be it for a while (to log in, of an error), or for all that is not there: then the log has no end.
        """
        self.check()
        key = snapshot_key(secrets.token_hex(16))
        if self._objects.read_range(key, 0, 1) is not None:
            raise OriginFault(
                f"use the share {self._objects.url}",
                f"something is there under a name made up a moment ago ({key}): its server has a page for what is not there",
                "let it answer 404 instead",
            )

    def _pass_over(self, key: str, error: object) -> None:
        if key not in self._reported and len(self._reported) < _MAX_REPORTED:
            self._reported.add(key)
            self.passed_over += 1
            log.warning("left out %s of the share %s: %s", key, self._objects.url, error)

    def _is_readable(self, key: str) -> bool:
        """Tell whether an object that could not be read can be now."""
        try:
            return bool(key) and self._objects.read_range(key, 0, 1) is not None
        except (OriginFault, OriginDenied):
            return False

    def _is_there(self, key: str) -> bool:
        """Tell whether there may be a root or record, by its first byte: one that cannot be read while the marker can counts."""
        try:
            return self._objects.read_range(key, 0, 1) is not None
        except (OriginFault, OriginDenied):
            if self._objects.read_range(MARKER_KEY, 0, 1) is None:
                raise
            return True

    def _root_after(self, number: int) -> str:
        """Return the key of the first root after a record."""
        return root_key(number // self._limits.span + 1)

    def _together(self, work: Callable[[int], T], numbers: Sequence[int]) -> list[T]:
        most = min(len(numbers), self._limits.records_at_once)
        if most <= 1:
            return list(map(work, numbers))
        with ThreadPoolExecutor(most) as threads:
            return list(threads.map(work, numbers))
