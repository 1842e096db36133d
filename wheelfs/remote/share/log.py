"""The catalog of a share of objects: following its log, and writing to it.

A reader needs no listing: it finds records and roots by their numbers.  All methods block, may be called from any thread, and
raise `OriginError`; what is torn or foreign is skipped and logged.
"""

from __future__ import annotations

import logging
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from wheelfs.errors import OriginFault, OriginMissing, OriginTimeout
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.share_catalog import (
    LOG,
    MARKER_KEY,
    SNAPSHOTS,
    Batch,
    SnapshotOf,
    decode_record,
    decode_root,
    decode_snapshot,
    encode_record,
    encode_root,
    encode_snapshot,
    folded,
    identity_of,
    marker,
    number_of,
    record_key,
    root_key,
    snapshot_key,
    split,
    staying,
)
from wheelfs.model.share_objects import is_object_name
from wheelfs.model.shared import FeedPage
from wheelfs.remote.limits import SHARE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.model.share_catalog import FileKey, Root
    from wheelfs.model.share_objects import FoundObject
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.objects import Objects, ReadObjects

log = logging.getLogger(__name__)
T = TypeVar("T")

_MAX_RECORD_BYTES: Final = 16 << 20
_MAX_SNAPSHOT_BYTES: Final = 256 << 20
_MAX_APPENDS: Final = 100_000
_MARKER_BYTES: Final = 4_096
_CURSOR: Final = re.compile(r"([0-9a-f]{32}):(?:([0-9]{1,10})(a?)|([0-9]{1,10})/([0-9]{1,6})/([0-9]{1,9}))\Z", re.ASCII)


class _Following(NamedTuple):
    """All before record ``number`` is reported; ``in_resync``: in a full resync that is not complete."""

    number: int
    in_resync: bool = False


class _Beginning(NamedTuple):
    """Of a root's snapshots, those before ``snapshot`` are reported, and of that one ``file`` files."""

    root: int
    snapshot: int = 0
    file: int = 0


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

    def check(self) -> str:
        """Return the share's identity; raises `OriginMissing` where there is none, `OriginFault` for another version's."""
        found = self._objects.read_range(MARKER_KEY, 0, _MARKER_BYTES)
        if found is None:
            raise OriginMissing(
                f"use the share {self._objects.url}",
                "there is no share here",
                "run wheelfs push to create one; a gateway is not a share of objects",
            )
        identity = identity_of(found)
        if identity is None:
            raise OriginFault(
                f"use the share {self._objects.url}", "it is of a format that this version does not know", "update wheelfs"
            )
        self._identity = identity
        return identity

    # --- following -----------------------------------------------------------------------------------------------------

    def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor``, in portions; everything, where the difference is not known."""
        identity, place = _parsed(cursor)
        is_due = self._quiet >= self._limits.look_around or place is None or identity != self._identity
        if is_due:
            now, self._quiet = self.check(), 0
            identity, place = now, place if identity == now else None
        if isinstance(place, _Following):
            batches, is_end = self._records(place.number)
            # Where old records are cleared away the log goes on elsewhere; that nothing follows may mean it, too.
            is_elsewhere = not batches and (is_due or place.in_resync) and self._is_there(self._root_after(place.number))
            newest = self._newest_root() if is_elsewhere else 0
            if newest * self._limits.span > place.number:
                return self._begin(identity, _Beginning(newest), starts_resync=True)
            self._quiet = 0 if batches else self._quiet + 1
            files, gone = folded(batches)
            is_over = is_end and not (place.in_resync and batches)
            cursor = f"{identity}:{place.number + len(batches)}{'' if is_over or not place.in_resync else 'a'}"
            return FeedPage(tuple(files.values()), tuple(gone), cursor, more=not is_over, is_resync=place.in_resync)
        # A root's snapshots go when the second one after it is made.
        if place is None or (is_due and self._is_there(root_key(place.root + 2))):
            return self._begin(identity, _Beginning(self._newest_root()), starts_resync=True)
        return self._begin(identity, place)

    def _begin(self, identity: str, place: _Beginning, *, starts_resync: bool = False) -> FeedPage:
        root = self._root(place.root) or ()
        if place.snapshot >= len(root):
            self._snapshot = None  # some megabytes
            cursor = f"{identity}:{place.root * self._limits.span}a"
            return FeedPage((), (), cursor, more=True, is_resync=True, starts_resync=starts_resync)
        batch = self._snapshot_of(root[place.snapshot])
        if batch is None and (newest := self._newest_root()) > place.root:
            return self._begin(identity, _Beginning(newest), starts_resync=True)
        batch = batch or Batch()
        files = batch.files[place.file : place.file + self._limits.portion_files]
        gone = () if place.file else batch.gone
        following = _Beginning(place.root, place.snapshot, place.file + self._limits.portion_files)
        if following.file >= len(batch.files):
            following = _Beginning(place.root, place.snapshot + 1)
        cursor = f"{identity}:{following.root}/{following.snapshot}/{following.file}"
        return FeedPage(files, gone, cursor, more=True, is_resync=True, starts_resync=starts_resync)

    def _records(self, number: int) -> tuple[list[Batch], bool]:
        """Return the records from ``number`` on, up to the end or some portion of them, and whether that is the end."""
        found: list[Batch] = []
        window, said = 1, 0
        while said < self._limits.portion_files:
            numbers = range(number + len(found), number + len(found) + window)
            for one in self._together(self._record, numbers):
                if one == "missing":
                    return found, True
                found.append(Batch() if one == "damaged" else one)
                said += len(found[-1].files) + len(found[-1].gone) + 1
            window = min(2 * window, self._limits.records_at_once)
        return found, False

    def files(self) -> list[SharedFile]:
        """Return all that the share has, each name and content once."""
        newest, begin, batches = self._newest_root(), -1, list[Batch]()
        while newest > begin:
            begin = newest
            snapshots = [self._snapshot_of(one) for one in self._root(begin) or ()]
            batches = [one for one in snapshots if one is not None]
            number, is_end = begin * self._limits.span, False
            while not is_end:
                records, is_end = self._records(number)
                number += len(records)
                batches += records
            # Once more, where this took so long that what was to be read was cleared away.
            if None in snapshots or self._is_there(self._root_after(number)):
                newest = self._newest_root()
        return list(folded(batches)[0].values())

    # --- reading -------------------------------------------------------------------------------------------------------

    def _newest_root(self) -> int:
        """Return the number of the last root that can be read, 0 when there is none: they have no gaps."""
        there, beyond = 0, 1
        while self._is_there(root_key(beyond)):
            there, beyond = beyond, 2 * beyond
        while beyond - there > 1:
            middle = (there + beyond) // 2
            there, beyond = (middle, beyond) if self._is_there(root_key(middle)) else (there, middle)
        while there and self._root(there) is None:
            there -= 1
        return there

    def _root(self, number: int) -> Root | None:
        found = self._object(root_key(number), _MAX_RECORD_BYTES, decode_root)
        return found if isinstance(found, tuple) else None

    def _record(self, number: int) -> Batch | Literal["missing", "damaged"]:
        return self._object(record_key(number), _MAX_RECORD_BYTES, decode_record)

    def _snapshot_of(self, one: SnapshotOf) -> Batch | None:
        """Return a snapshot, the last one from memory; a damaged one says nothing, None is for one that is not there."""
        if self._snapshot is not None and self._snapshot[0] == one.name:
            return self._snapshot[1]
        found = self._object(snapshot_key(one.name), _MAX_SNAPSHOT_BYTES, decode_snapshot)
        if found == "missing":
            log.warning("left out %s of the share %s: it is not there", snapshot_key(one.name), self._objects.url)
            return None
        batch = found if isinstance(found, Batch) else Batch()
        self._snapshot = one.name, batch
        return batch

    def _object(self, key: str, limit_bytes: int, decode: Callable[[bytes], T]) -> T | Literal["missing", "damaged"]:
        try:
            encoded = self._objects.read(key, limit_bytes=limit_bytes)
            return "missing" if encoded is None else decode(encoded)
        except ShareFormatError as error:
            log.warning("left out %s of the share %s: %s", key, self._objects.url, error)
        return "damaged"

    def _is_there(self, key: str) -> bool:
        """Tell whether there is a root or record, by its first byte."""
        return self._objects.read_range(key, 0, 1) is not None

    def _root_after(self, number: int) -> str:
        """Return the key of the first root after a record."""
        return root_key(number // self._limits.span + 1)

    def _together(self, work: Callable[[int], T], numbers: Sequence[int]) -> list[T]:
        most = min(len(numbers), self._limits.records_at_once)
        if most <= 1:
            return list(map(work, numbers))
        with ThreadPoolExecutor(most) as threads:
            return list(threads.map(work, numbers))


class WrittenShareCatalog(ShareCatalog):
    """The catalog of a share that can be written to."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        """Many may write at once, here and elsewhere."""
        super().__init__(objects, limits)
        self._written = objects

    def prepare(self) -> str:
        """Make the share where there is none, and `check` it.  Raises `OriginFault` where what is there would be replaced."""
        is_made = self._objects.read_range(MARKER_KEY, 0, _MARKER_BYTES) is None and self._make()
        if is_made and self._make():
            # Some servers that speak like S3 ignore the condition: writers would replace each other's records.
            self._written.delete(MARKER_KEY)
            happened = "the place replaces an object that is to be created only if it is absent"
            raise OriginFault(
                f"make the share {self._objects.url}", happened, "give a place that can do that, or update its server"
            )
        return self.check()

    def _make(self) -> bool:
        return self._written.create(MARKER_KEY, marker(secrets.token_hex(16)))

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
        identity, place = _parsed(cursor)
        number = place.number if isinstance(place, _Following) else self._newest_root() * self._limits.span
        said: list[SharedFile | FileKey] = [*gone, *files]
        for start in range(0, len(said), self._limits.record_files):
            some = said[start : start + self._limits.record_files]
            batch = Batch(
                tuple(one for one in some if not isinstance(one, tuple)), tuple(one for one in some if isinstance(one, tuple))
            )
            number = self._append(number, encode_record(batch), may_tell) + 1
        self._summarize(number, may_tell)
        return f"{identity}:{number}"

    def _append(self, number: int, encoded: bytes, may_tell: Callable[[], bool]) -> int:
        """Write a record at the end of the log, which is not before ``number``, and return its number."""
        attempted = f"write to the log of the share {self._objects.url}"
        for _ in range(_MAX_APPENDS):
            if not may_tell():
                raise OriginTimeout(attempted, "finding its end took too long", "try again")
            if self._written.create(record_key(number), encoded):
                # After the newest root but one nothing is cleared away, so a record that has one before it is at the end there.
                is_before_root = self._is_there(self._root_after(number))
                if not is_before_root and (number == 0 or self._is_there(record_key(number - 1))):
                    return number
                # No reader looks where old records were cleared away, or beyond a gap; this one does no harm there.
                newest = self._newest_root() * self._limits.span
                if newest == number:
                    return number
                number = newest
            else:
                number += 1
        raise OriginFault(attempted, "its end cannot be found", "try again")

    # --- roots ---------------------------------------------------------------------------------------------------------

    def _summarize(self, end: int, may_tell: Callable[[], bool]) -> None:
        """Write the roots that are due where the log goes up to ``end``: any writer may, and the first one wins."""
        newest = due = end // self._limits.span
        while newest and not self._is_there(root_key(newest)):
            newest -= 1
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
        if isinstance(before, str) or "missing" in records:
            return False
        said = [one for one in records if isinstance(one, Batch)]
        fresh = sum(len(one.files) + len(one.gone) for one in said)
        stay = staying(before, fresh, snapshot_files=self._limits.snapshot_files)
        merged = [self._object(snapshot_key(one.name), _MAX_SNAPSHOT_BYTES, decode_snapshot) for one in before[stay:]]
        if "missing" in merged:
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

    def _before(self, number: int) -> Root | Literal["missing", "damaged"]:
        return self._object(root_key(number), _MAX_RECORD_BYTES, decode_root) if number else ()

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


def _parsed(cursor: str | None) -> tuple[str, _Following | _Beginning | None]:
    found = _CURSOR.match(cursor or "")
    if found is None:
        return "", None
    if found[2] is not None:
        return found[1], _Following(int(found[2]), bool(found[3]))
    return found[1], _Beginning(int(found[4]), int(found[5]), int(found[6]))
