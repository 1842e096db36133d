"""What has been sealed in the store and is not in a share yet, by the store's own change feed.

The cursor up to which all is in the share is kept in the catalog, and only moves on when that is so.  So nothing is lost by a
kill: it is found again at the next start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from wheelfs.model.share_catalog import file_key
from wheelfs.service.shares.feed import ShareFeed
from wheelfs.service.tasks import await_future

if TYPE_CHECKING:
    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import SharedFile
    from wheelfs.service.shares.limits import WriteThroughLimits
    from wheelfs.store.store import Store


class Backlog:
    """The files that wait to be pushed to one share; private ones are never among them."""

    def __init__(self, store: Store, name: str, limits: WriteThroughLimits) -> None:
        """``name`` is what the configuration calls the share."""
        self._store = store
        self._name = name
        self._limits = limits
        self._feed = ShareFeed(store)
        self._identity, _, cursor = (store.shared.pushed(name) or "").partition(" ")
        self._cursor: str | None = cursor or None
        self._saved = self._cursor
        self._has_more = True
        self._transaction: int | None = None
        self._files: dict[FileKey, SharedFile] = {}

    def __len__(self) -> int:
        return len(self._files)

    @property
    def files(self) -> list[SharedFile]:
        """The files that wait, oldest first."""
        return list(self._files.values())

    @property
    def size_bytes(self) -> int:
        """Their sizes summed."""
        return sum(file.size_bytes for file in self._files.values())

    async def has_grown(self) -> bool:
        """Look for what is new, and tell whether more is waiting than before."""
        before, transaction = len(self._files), self._store.catalog.last_transaction()
        if transaction != self._transaction or self._has_more:
            await trio.to_thread.run_sync(self.collect)
            self._transaction = transaction
        return len(self._files) > before

    def collect(self) -> None:
        """Take over what has been sealed since last time; blocks."""
        self._has_more = True
        while self._has_more and len(self._files) < self._limits.files_at_once:
            changes = self._feed.events(self._cursor)
            self._files.update((file_key(file), file) for file in changes.files if not file.private)
            for key in changes.gone:
                self._files.pop(key, None)
            self._cursor, self._has_more = changes.cursor, changes.more

    def begin(self, identity: str) -> None:
        """Start over if the share is another one than before, which has none of the files; blocks."""
        if identity == self._identity:
            return
        is_known, self._identity = bool(self._identity), identity
        if is_known:
            self._cursor, self._saved = None, None
            self.collect()

    def drop(self, key: FileKey) -> None:
        """Forget a file that is in the share, or never will be."""
        self._files.pop(key, None)

    async def save(self) -> None:
        """Record, when nothing waits, that all before the cursor is in the share."""
        if not self._files and self._cursor != self._saved:
            await await_future(self._store.shared.keep_pushed(self._name, f"{self._identity} {self._cursor}"))
            self._saved = self._cursor
