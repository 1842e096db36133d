"""``wheelfs push``: giving stored files to a share of objects, their chunks only where it does not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from wheelfs.errors import OriginDenied, OriginError, OriginFault
from wheelfs.reports.left_out import UNOBSERVED, CopyObserver
from wheelfs.reports.shares import PushedFile
from wheelfs.service.needed_files import left_out, needed_of_stored
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.limits import SHARE_LIMITS
from wheelfs.service.shares.outcomes import Failed, Present, Pushed
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names
from wheelfs.service.shares.shared_files import select_to_push

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.errors import WheelfsError
    from wheelfs.remote.share.share import WrittenShare
    from wheelfs.reports.shares import PushResult
    from wheelfs.service.shares.limits import PushLimits
    from wheelfs.service.shares.outcomes import Outcome
    from wheelfs.service.shares.shared_files import Meant
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store


def push(
    store: Store,
    share: WrittenShare,
    words: Meant,
    *,
    private: bool,
    with_deps: bool = False,
    observer: CopyObserver = UNOBSERVED,
    share_name: str | None = None,
    limits: PushLimits = SHARE_LIMITS.push,
) -> Iterator[PushedFile]:
    """Push the stored files that ``words`` mean, or all, and yield each once the share lists it.

    Private files are pushed when they are named, or with ``private``.  Of named files it is checked whether their manifests and
    packs are there, too; of all others the share's catalog is believed.  ``with_deps`` pushes what named files need along with
    them, but no private files; ``observer`` gets what they need and the share will not have.  ``share_name`` is what the
    configuration calls the share.  Raises `InvalidInput` and `NotKnown` where a word means nothing, and `OriginError` where the
    share cannot be used at all; what is wrong with one file is reported as its failure.
    """
    if words:
        names = select_to_push(store.catalog, words)
    else:
        names = [name for name in store.catalog.names() if private or not name.private]
    share.catalog.prepare()
    cache = RemoteCatalogCache(store, share, share_name)
    cache.catch_up()
    if words:
        found = needed_of_stored(store, names, lambda project: (file.filename for file in cache.of_project(project)))
        if with_deps:
            names += dict.fromkeys(name for one in found for name in one.files if private or not name.private)
        withheld = [name for one in found for name in one.files if name.private and not private]
        for one in left_out(found, lambda name: with_deps and name not in withheld, is_withheld=lambda name: name in withheld):
            observer.left_out(one)
    observer.total(len(names))
    missing: list[StoredName] = []
    for name in names:
        try:
            is_there = cache.has(shared_file(name)) and (not words or share.has_manifest(name.sha256))
        except (OriginFault, OriginDenied) as error:
            yield reported(Failed(name, error))
            continue
        if is_there:
            yield reported(Present(name))
        else:
            missing.append(name)
    if missing:
        own = OwnPacks()
        target = PushTarget(share, cache, CondemnedView(share), own)
        try:
            yield from map(reported, push_names(store, target, missing, limits=limits))
        except OriginError:
            own.withdraw(share)
            raise
        cache.catch_up()


def reported(outcome: Outcome) -> PushedFile:
    """Return the report of what became of a file."""
    match outcome:
        case Pushed(name, written_bytes):
            return _report(name, "pushed", written_bytes=written_bytes)
        case Present(name):
            return _report(name, "present")
        case Failed(name, error):
            return _report(name, "failed", error=error)
        case _ as unreachable:
            assert_never(unreachable)


def _report(name: StoredName, result: PushResult, *, written_bytes: int = 0, error: WheelfsError | None = None) -> PushedFile:
    return PushedFile(
        filename=name.filename,
        project=name.project,
        sha256=name.sha256.hex(),
        size_bytes=name.size_bytes,
        private=name.private,
        result=result,
        written_bytes=written_bytes,
        reason=None if error is None else str(error),
        error_class=None if error is None else type(error).__name__,
    )
