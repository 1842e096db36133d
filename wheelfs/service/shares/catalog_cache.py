"""What a share of objects has, as this store remembers it: brought up to date by its changes, however much the share holds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from wheelfs.errors import OriginFault
from wheelfs.model.share_catalog import file_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.share import WrittenShare
    from wheelfs.store.store import Store

PORTIONS: Final = 1_000_000
"""More answers than any share gives in a row: bounds a log that never ends."""


def remembered_as(url: str) -> str:
    """Return the name that a share at ``url`` is remembered by where the configuration has none for it."""
    return "url-" + hashlib.blake2b(url.encode(), digest_size=12).hexdigest()


class RemoteCatalogCache:
    """A share, and the store's copy of its catalog; a mount that follows the share under the same name keeps that as well."""

    def __init__(self, store: Store, share: WrittenShare, name: str | None = None) -> None:
        """``name``: what the configuration calls the share."""
        self._names = store.shared
        self._share = share
        self._name = name or remembered_as(share.url)
        self._end: str | None = None

    def catch_up(self) -> None:
        """Take over what has changed; raises `OriginError`."""
        for _ in range(PORTIONS):
            cursor = self._names.cursor(self._name)
            changes = self._share.catalog.events(cursor)
            is_new = changes.files or changes.gone or changes.cursor != cursor
            if is_new and not self._names.take(self._name, changes, asked=cursor).result():
                continue
            if not changes.more:
                break
        else:
            raise OriginFault(f"follow the log of the share {self._share.url}", "it does not end")
        self._end = self._names.cursor(self._name)
        place: bytes | None = None
        if self._names.is_to_be_swept(self._name):
            while (place := self._names.sweep(self._name, place).result()) is not None:
                pass

    @property
    def identity(self) -> str:
        """Which share it was when this caught up; another one may be at the same address now."""
        return (self._end or "").partition(":")[0]

    def has(self, file: SharedFile) -> bool:
        """Tell whether the share had the file when it was looked at."""
        return self._names.has(self._name, file_key(file))

    def of_project(self, project: str) -> list[SharedFile]:
        """Return what the share had of a project."""
        return [name.file for name in self._names.of_project(project) if name.share == self._name]

    def announce(self, files: Sequence[SharedFile], *, may_announce: Callable[[], bool]) -> None:
        """Add files whose manifests are there to the share's catalog, while ``may_announce`` is true; raises `OriginError`."""
        self._end = self._share.catalog.append(self._end, files, may_tell=may_announce)
