"""Collecting the garbage of a share, and pushing to it, as if it were some days later: also as a process that can be killed.

Run as ``python -m tests.fakes.later collect URL DAYS`` or ``... push URL DAYS STORE``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.gc import ShareGarbage
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.gc import collect
from wheelfs.service.shares.outcomes import Failed, Outcome
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.share_objects import FoundObject
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.objects import Objects
    from wheelfs.reports.shares import ShareCollection

DAY_S: Final = 86_400.0
GRACE_S: Final = 7 * DAY_S


class LaterObjects:
    """The objects of a place whose clock is ahead; what is there was written when it was."""

    def __init__(self, objects: Objects, days: float) -> None:
        self._objects = objects
        self._ahead_s = days * DAY_S
        self.url = objects.url
        self.read = objects.read
        self.read_range = objects.read_range
        self._created: set[str] = set()
        self.delete = objects.delete

    def create(self, key: str, content: bytes) -> bool:
        self._created.add(key)
        return self._objects.create(key, content)

    def found(self, prefix: str) -> Iterator[FoundObject]:
        for found in self._objects.found(prefix):
            is_new = found.key in self._created
            yield found._replace(modified_s=found.modified_s + self._ahead_s) if is_new else found


def collect_later(objects: Objects, days: float, *, dry_run: bool = False, limits: ShareLimits = SHARE_LIMITS) -> ShareCollection:
    """Collect with a grace period of seven days."""
    return collect(ShareGarbage(LaterObjects(objects, days), limits), grace_s=GRACE_S, dry_run=dry_run)


def push_later(path: Path, objects: Objects, days: float) -> list[Outcome]:
    """Push all that is in a store and not in the share."""
    share = WrittenShare(LaterObjects(objects, days))
    condemned = CondemnedView(share)
    with Store.open(path) as store:
        share.catalog.prepare()
        cache = RemoteCatalogCache(store, share)
        cache.catch_up()
        names = [name for name in store.catalog.names() if not cache.has(shared_file(name))]
        return list(push_names(store, PushTarget(share, cache, condemned, OwnPacks()), names))


if __name__ == "__main__":
    command, url, days, *more = sys.argv[1:]
    if command == "collect":
        collect_later(open_objects(url), float(days))
    else:
        assert not [file for file in push_later(Path(more[0]), open_objects(url), float(days)) if isinstance(file, Failed)]
