"""``wheelfs gc --share``: deleting from a share of objects what nothing there needs, while others read it and push to it.

No lock is taken: what is to go is condemned first, which pushers respect, and deleted by a run a grace period later.
"""

from __future__ import annotations

import logging
import time
from itertools import groupby
from typing import TYPE_CHECKING, Final

from wheelfs.core.share_gc_plan import ShareContents, is_manifest, plan
from wheelfs.core.times import rfc3339_seconds
from wheelfs.errors import OriginFault, UsageError
from wheelfs.model.condemned import LAPSE_S, MARGIN_S, RUN_S, Condemnations, Condemned
from wheelfs.model.share_objects import manifest_key
from wheelfs.reports.shares import ShareCollection
from wheelfs.service.shares.condemned_view import running_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelfs.core.share_gc_plan import Plan
    from wheelfs.model.share_objects import FoundObject
    from wheelfs.remote.share.gc import ShareGarbage

log = logging.getLogger(__name__)

_AT_ONCE: Final = 8
"""Objects that are deleted between two looks at the time: as many as the share deletes at once."""
_LIST_KEYS: Final = 100_000
"""Keys in one list of what is condemned: some 6 MB."""
_END_NOTES: Final = 4
"""Of a volume whose servers have a quarter each, the one that is away has all of them once in 256 times."""


def collect(
    share: ShareGarbage,
    *,
    grace_s: float,
    dry_run: bool,
    known_end: Callable[[str], int] = lambda _identity: 0,
    running_s: Callable[[], float] = running_s,
) -> ShareCollection:
    """Condemn what nothing needs, and delete what was condemned ``grace_s`` ago; raises `OriginError`, `UsageError`.

    ``known_end`` says of a share's identity how long its log was when it was seen here before.  A dry run writes nothing, and so
    goes by this machine's clock.  ``running_s`` also goes on while the machine sleeps.
    """
    if grace_s < MARGIN_S:
        raise UsageError(
            f"collect the garbage of {share.url}",
            f"a grace period of less than {MARGIN_S / 3_600:.0f} hour would let what is being pushed be deleted",
            "give --grace 1h or more",
        )
    end = known_end(share.check())
    return _Run(share, grace_s, running_s, known_end=end, dry_run=dry_run).run()


class _Run:
    def __init__(
        self, share: ShareGarbage, grace_s: float, running_s: Callable[[], float], *, known_end: int, dry_run: bool
    ) -> None:
        self._share = share
        self._grace_s = grace_s
        self._running_s = running_s
        self._dry_run = dry_run
        self._end = known_end
        self._announcements = 0
        # Before it is asked for the time: then what is held to be now is never earlier than it is, which would shorten a grace
        # period, however long the answer takes.
        asked_s = running_s()
        self._began_s = time.time() if dry_run else share.clock_s()
        self._offset_s = self._began_s - asked_s

    def run(self) -> ShareCollection:
        if not self._dry_run:
            self._share.probe()
        seen = self._look()
        made = plan(seen)
        if not self._dry_run:
            self._share.probe()
        deleted = made.delete if self._dry_run else self._do(seen, made)
        return ShareCollection(
            dry_run=self._dry_run,
            deleted=len(deleted),
            deleted_bytes=sum(found.size_bytes for found in deleted),
            condemned=len(made.condemn),
            condemned_bytes=sum(found.size_bytes for found in made.condemn),
            waiting=len(made.waiting),
            waiting_bytes=sum(found.size_bytes for found in made.waiting),
            next=None if made.next_s is None else rfc3339_seconds(made.next_s * 1e6),
            unfinished=len(made.delete) - len(deleted),
            young=len(made.young),
            young_bytes=sum(found.size_bytes for found in made.young),
            old=None if made.old_s is None else rfc3339_seconds(made.old_s * 1e6),
        )

    def _now_s(self) -> float:
        return self._offset_s + self._running_s()

    def _look(self) -> ShareContents:
        objects = self._share.objects()
        superseded = self._share.superseded()
        before = self._share.lists().values()
        sha256s, self._end = self._share.needed(objects, max((self._end, *(one.end for one in before))))
        announced, self._announcements = self._share.announced(objects, max((one.announcements for one in before), default=0))
        needed = {sha256.hex() for sha256 in sha256s}
        self._refuse_other_clocks(objects)
        # Also those that are not listed yet: their packs may be.
        manifests = {*filter(is_manifest, objects), *map(manifest_key, sha256s)}
        uses = self._share.uses(manifests, lambda key: key.rpartition("/")[2] in needed)
        self._share.check_packs(
            objects, {pack for key, packs in uses.items() if key.rpartition("/")[2] in needed for pack in packs}
        )
        # Last, and with the time from which on deleting is bounded: what was condemned may hold no more since this began.
        lists, now_s = self._share.lists(), self._now_s()
        return ShareContents(
            began_s=self._began_s,
            now_s=now_s,
            grace_s=self._grace_s,
            objects=objects,
            needed=needed,
            uses=uses,
            superseded=superseded,
            announced=announced,
            lists=lists,
        )

    def _refuse_other_clocks(self, objects: Mapping[str, FoundObject]) -> None:
        """Raise `OriginFault` where something was written after this moment: then ages and grace periods mean nothing."""
        newest = max(objects.values(), key=lambda found: found.modified_s, default=None)
        if newest is None or newest.modified_s <= self._now_s() + MARGIN_S:
            return
        hours = (newest.modified_s - self._now_s()) / 3_600
        raise OriginFault(
            f"collect the garbage of {self._share.url}",
            f"{newest.key} was written {hours:.1f} hours after now: clocks of machines that write there differ",
            "set the clocks of this machine and of the others; some file systems take times from the machine that writes",
        )

    def _do(self, seen: ShareContents, made: Plan) -> list[FoundObject]:
        """Write down what is condemned, delete what may be, and return that."""
        try:
            self._write_down(seen, made)
        except OriginFault as error:
            # A share that is full has no room for it, until this has made some: earlier lists say what may go.
            log.warning("deleting in the share %s first, since nothing can be written there: %s", self._share.url, error)
            deleted = self._delete(seen, made)
            self._write_down(seen, made)
        else:
            deleted = self._delete(seen, made)
        gone = {found.key for found in deleted} & Condemnations(seen.lists.values()).standing()
        self._write([*made.void, *sorted(gone)], is_void=True)
        return deleted

    def _write_down(self, seen: ShareContents, made: Plan) -> None:
        self._note_end(seen)
        self._write([found.key for found in made.condemn])

    def _delete(self, seen: ShareContents, made: Plan) -> list[FoundObject]:
        deleted: list[FoundObject] = []
        for _, stage in groupby(made.delete, key=lambda found: found.key.partition("/")[0]):
            objects = list(stage)
            for at in range(0, len(objects), _AT_ONCE):
                if not 0 <= self._now_s() - seen.now_s < RUN_S:
                    break
                some = objects[at : at + _AT_ONCE]
                self._share.delete(found.key for found in some)
                deleted += some
        return deleted

    def _note_end(self, seen: ShareContents) -> None:
        """Write down how long the log is, and how many announcements there are, for runs that see less of it.

        They must not take what the rest needs for unneeded.  Several times, in lists that condemn nothing: what hides the end may
        hide one of them as well.
        """
        ends = (self._end, self._announcements)
        if not any(
            one.end >= ends[0] and one.announcements >= ends[1] and one.ends_s > seen.now_s + LAPSE_S / 2
            for one in seen.lists.values()
        ):
            for _ in range(_END_NOTES if any(ends) else 0):
                self._share.condemn(self._list(()))

    def _write(self, keys: list[str], *, is_void: bool = False) -> None:
        for at in range(0, len(keys), _LIST_KEYS):
            self._share.condemn(self._list(tuple(keys[at : at + _LIST_KEYS]), is_void=is_void))

    def _list(self, keys: tuple[str, ...], *, is_void: bool = False) -> Condemned:
        return Condemned(int(self._now_s() * 1e6), int(self._grace_s), keys, is_void, self._end, self._announcements)
