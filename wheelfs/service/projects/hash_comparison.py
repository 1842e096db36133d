"""Comparing stored files with hashes that their index gives and that they were not compared with when they were stored.

An earlier build stored them, or the index has begun to give hashes.  Each content is read once for that, in a thread, and what
was found is kept with its name.  Until then it does not count as stored.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from wheelfs.core import hashes
from wheelfs.core.projects import identity
from wheelfs.errors import StoreDamaged, StoreReadOnly
from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.core.projects.ownership import Owned
    from wheelfs.model.links import FileLink, ProjectPage
    from wheelfs.model.names import ProjectName
    from wheelfs.service.projects.limits import ProjectLimits
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

_KNOWN_PAGES: Final = 1_000
"""Pages of which it is remembered that nothing is to be compared: projects of a large environment, several times over."""


class _Pending(NamedTuple):
    name: StoredName
    link: FileLink


class HashComparison:
    """Compares the stored files of pages; one content at a time in a process."""

    def __init__(self, store: Store, nursery: trio.Nursery, limits: ProjectLimits) -> None:
        self._store = store
        self._nursery = nursery
        self._limits = limits
        self._one_at_a_time = trio.Lock()
        self._done: dict[tuple[str, str], tuple[ProjectPage, frozenset[bytes]]] = {}

    def is_due(self, owned: Owned, project: ProjectName) -> bool:
        """Return whether a stored file of a page is to be compared; cheap where nothing has changed since it was not."""
        if owned.page is None:
            return False
        names = self._store.catalog.stored_names(project)
        keys = frozenset(name.key for name in names)
        done = self._done.get((owned.owner, project))
        if not names or (done is not None and done[0] is owned.page and done[1] == keys):
            return False
        if next(_pending(owned, names), None) is not None:
            return True
        self._note_done(owned, project, keys)
        return False

    async def compare(self, owned: Owned, project: ProjectName) -> None:
        """Compare what is to be compared; after a while that goes on in the background."""
        done = trio.Event()
        self._nursery.start_soon(self._compare_all, owned, project, done)
        with trio.move_on_after(self._limits.compare_wait_s):
            await done.wait()

    async def _compare_all(self, owned: Owned, project: ProjectName, done: trio.Event) -> None:
        try:
            async with self._one_at_a_time:
                names = self._store.catalog.stored_names(project)
                for name, link in list(_pending(owned, names)):
                    await self._compare(owned.owner, name, link)
                self._note_done(owned, project, frozenset(name.key for name in names))
        except Exception as error:  # it stays uncompared, and so is fetched again when it is wanted
            known = failure(f"compare the stored files of {project}", error)
            log.warning("compare the stored files of %s with their hashes: %s", project, known)
        finally:
            done.set()

    async def _compare(self, index: str, name: StoredName, link: FileLink) -> None:
        wanted = hashes.unchecked(link.other_hashes, name.hashes)
        with suppress(StoreDamaged, StoreReadOnly):  # damage is found and reported when the file is read
            found = await trio.to_thread.run_sync(self._store.digests_of, name.sha256, wanted)
            wrong = hashes.contradiction(link.other_hashes, found)
            catalog = self._store.catalog
            if wrong is None:
                await await_future(catalog.note_known(name.key, hashes=found))
            else:
                log.error("%s of %s was stored without being compared, and %s", name.filename, index, wrong)
                await await_future(catalog.replace_name(name.key, index, f"it is not what its index lists: {wrong}"))

    def _note_done(self, owned: Owned, project: ProjectName, keys: frozenset[bytes]) -> None:
        if owned.page is not None:
            self._done[owned.owner, project] = owned.page, keys
        if len(self._done) > _KNOWN_PAGES:
            self._done.pop(next(iter(self._done)))


def _pending(owned: Owned, names: list[StoredName]) -> Iterator[_Pending]:
    by_name = {name.filename: name for name in names if owned.owner in name.origins}
    for link in owned.listed:
        name = by_name.get(link.filename) if link.other_hashes and link.sha256 is None else None
        if name is not None and not identity.is_checked(link, name):
            yield _Pending(name, link)
