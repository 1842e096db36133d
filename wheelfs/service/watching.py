"""Noticing what changed in the store, by this process or another one, and telling the frontend what to forget.

LMDB's last transaction id is a cheap "anything new?"; what is new stands in the catalog's journal of changes.  Polling needs no
channel between processes, and survives any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.tree import METADATA_SUFFIX
from wheelfs.model.content import inode_of_path
from wheelfs.service.filesystem import EntryChanged, InodeChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wheelfs.store.local import Store

POLL_S: Final = 0.5
"""Changes show within two seconds (the contract), kernel time-outs of one second included."""

FLAT_PATHS: Final = ("", "stored")


class Watch:
    """Follows the journal of changes."""

    def __init__(self, store: Store) -> None:
        """Start behind the newest change: nothing was shown to anybody yet."""
        self._store = store
        self._seq = store.catalog.last_seq()
        self._transaction = store.catalog.last_transaction()

    async def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        """Yield what the kernel must forget, for ever; polls every `POLL_S` seconds."""
        while True:
            await trio.sleep(POLL_S)
            transaction = self._store.catalog.last_transaction()
            if transaction == self._transaction:
                continue
            self._transaction = transaction
            news = self._store.catalog.changes_since(self._seq)
            self._seq = news.last_seq
            # Incomplete news need no more than this: the kernel forgets names and pages by itself within a second.
            for path in FLAT_PATHS:
                yield InodeChanged(inode_of_path(path))
            for change in news.changes:
                if change.filename is not None and change.filename.endswith(".whl"):
                    for path in FLAT_PATHS:
                        yield EntryChanged(inode_of_path(path), change.filename)
                for prefix in ("", "here/", "stored/"):
                    directory = f"{prefix}simple/{change.project}"
                    if change.kind == "page" and change.filename is not None:
                        # It is gone, or another file now: the kernel would believe in the old one for a day.
                        yield EntryChanged(inode_of_path(directory), change.filename)
                        yield EntryChanged(inode_of_path(directory), change.filename + METADATA_SUFFIX)
                    yield EntryChanged(inode_of_path(f"{prefix}simple"), change.project)
                    yield InodeChanged(inode_of_path(f"{directory}/index.html"))
