"""Noticing what changed in the store, by this process or another one, and telling the frontend what to forget.

LMDB's last transaction id is a cheap "anything new?"; what is new stands in the catalog's journal of changes, and names of
environments are compared with those seen before.  Polling needs no channel between processes, and survives any of them; a command
whose user expects its change at once asks for a look besides (`ChangeWatcher.look`).
"""

from __future__ import annotations

import logging
from itertools import chain, product
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.views.paths import ENVIRONMENTS, METADATA_SUFFIX
from wheelfs.core.views.view import View
from wheelfs.errors import StoreDamaged, StoreError
from wheelfs.model.content import inode_of_path
from wheelfs.service.tasks import failure
from wheelfs.service.vfs.protocol import EntryChanged, InodeChanged
from wheelfs.store.catalog.records import Changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

FLAT_PATHS: Final = ("", "stored")

ASOF: Final = "asof"
"""It has no end of views inside, so no entry of them is named: forgetting the directory forgets all below it."""


class ChangeWatcher:
    """Follows the journal of changes."""

    def __init__(self, store: Store, indexes: Sequence[str], *, poll_s: float) -> None:
        """Start after the newest change: nothing has been shown yet."""
        self._poll_s = poll_s
        self._indexes = indexes
        self._store = store
        self._seq = store.catalog.last_seq()
        self._transaction = store.catalog.last_transaction()
        self._labels = self._labels_now()
        self._asked = trio.Event()
        self._done = trio.Event()

    async def look(self) -> None:
        """Return when caches have forgotten all that has changed so far: as long as `changes` is read, else never."""
        done = self._done  # of the next look: one that is under way may have read the store before the change
        self._asked.set()
        await done.wait()

    async def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        """Yield what the kernel must forget, until cancelled; what was yielded is forgotten when the next is asked for.

        A store that cannot be read ends nothing: it is logged once, and read again at the next look.
        """
        has_failed = False
        while True:
            with trio.move_on_after(self._poll_s):
                await self._asked.wait()
            self._asked = trio.Event()
            try:
                new = self._new()
            except Exception as error:  # raised on, it would end what keeps the kernel fresh, for the life of the mount
                if not has_failed:
                    log.warning("%s; it is tried again every %g s", failure("look for changes", error), self._poll_s)
                has_failed = True
                continue
            has_failed = False
            done, self._done = self._done, trio.Event()
            for changed in new:
                yield changed
            done.set()

    def _new(self) -> Iterator[EntryChanged | InodeChanged]:
        """Read what has changed since the last look: all of it or, where that raises, nothing."""
        transaction = self._store.catalog.last_transaction()
        if transaction == self._transaction:
            return iter(())
        labels = self._labels_now()
        try:
            found = self._store.catalog.changes_since(self._seq)
        except StoreDamaged as error:  # read again, it would be as damaged
            log.warning("%s; all names are taken for changed", error)
            found = Changes([], self._store.catalog.last_seq(), complete=False)
        before, self._labels = self._labels, labels
        self._seq, self._transaction = found.last_seq, transaction
        # First what commands wait for.
        return chain(_new_labels(before, labels), self._forgotten(found))

    def _forgotten(self, found: Changes) -> Iterator[EntryChanged | InodeChanged]:
        for path in FLAT_PATHS:
            yield InodeChanged(inode_of_path(path))
        yield EntryChanged(inode_of_path(""), ASOF)
        if not found.complete:
            yield from self._flat_names()
        for change in found.changes:
            if change.filename is not None and change.filename.endswith(".whl"):
                yield from _flat_name(change.filename)
            for path in self._view_paths(change.index):
                simple = f"{path}/simple".lstrip("/")
                directory = inode_of_path(f"{simple}/{change.project}")
                yield EntryChanged(inode_of_path(simple), change.project, directory)
                for name in () if change.filename is None else (change.filename, change.filename + METADATA_SUFFIX):
                    yield EntryChanged(directory, name)
                yield InodeChanged(inode_of_path(f"{simple}/{change.project}/index.html"))

    def _flat_names(self) -> Iterator[EntryChanged]:
        """Yield all that are stored: other names, and pages, the kernel forgets by itself within a second."""
        try:
            for name in self._store.catalog.names():
                if name.filename.endswith(".whl"):
                    yield from _flat_name(name.filename)
        except StoreError as error:
            log.warning("%s; names of replaced files may mean the old ones until this is mounted again", error)

    def _labels_now(self) -> dict[str, bytes]:
        return {label.name: label.digest for label in self._store.mounted.labels()}

    def _view_paths(self, index: str | None) -> Iterator[str]:
        """Yield where a change of that index's project may show."""
        for one in (None, *(name for name in self._indexes if index in (None, name))):
            for stored, here in product((False, True), repeat=2):
                yield View(index=one, stored=stored, here=here).path


def _new_labels(before: dict[str, bytes], labels: dict[str, bytes]) -> Iterator[EntryChanged]:
    for name in before.keys() | labels.keys():
        # Others are left alone: the kernel would drop all names below them, which programs that run need again.
        if before.get(name) != labels.get(name):
            yield EntryChanged(inode_of_path(ENVIRONMENTS), name)


def _flat_name(filename: str) -> Iterator[EntryChanged]:
    for path in FLAT_PATHS:
        yield EntryChanged(inode_of_path(path), filename)
