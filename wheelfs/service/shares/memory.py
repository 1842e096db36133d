"""What a share of objects has, as this store remembers it: brought up to date by what is new, whatever the share holds in all."""

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
"""More than a share tells in one go; a log that never ends is no log."""


def remembered_as(url: str) -> str:
    """Return the name that a share at ``url`` is remembered by where the configuration has none for it."""
    return "url-" + hashlib.blake2b(url.encode(), digest_size=12).hexdigest()


class Followed:
    """A share and the store's memory of it; a mount that follows the share under the same name keeps it as well."""

    def __init__(self, store: Store, share: WrittenShare, name: str | None = None) -> None:
        """``name``: what the configuration calls the share."""
        self._names = store.shared
        self._share = share
        self._name = name or remembered_as(share.url)
        self._end: str | None = None

    def catch_up(self) -> None:
        """Learn what is new; raises `OriginError`."""
        for _ in range(PORTIONS):
            point = self._names.point(self._name)
            news = self._share.catalog.news(point)
            if (news.files or news.gone or news.point != point) and not self._names.take(self._name, news, asked=point).result():
                continue
            if not news.more:
                break
        else:
            raise OriginFault(f"follow the log of the share {self._share.url}", "it does not end")
        self._end = self._names.point(self._name)
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

    def tell(self, files: Sequence[SharedFile], *, may_tell: Callable[[], bool]) -> None:
        """Let everybody know of files, whose manifests are there, as long as ``may_tell`` says yes; raises `OriginError`."""
        self._end = self._share.catalog.append(self._end, files, may_tell=may_tell)
