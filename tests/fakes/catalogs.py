"""A share's catalog in memory, and a follower of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.model.share_catalog import file_key
from wheelfs.model.share_objects import FoundObject
from wheelfs.model.shared import SharedFile
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.log import ShareCatalog
from wheelfs.remote.share.log_writer import WrittenShareCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import FeedPage
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.objects import Objects


class Memory:
    """Objects in memory, that count what is asked of them."""

    url = "memory:///lab"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        self.asked.append(key)
        return self.kept.get(key)

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        self.asked.append(key)
        content = self.kept.get(key)
        return None if content is None else content[start:end]

    def create(self, key: str, content: bytes) -> bool:
        if key in self.kept:
            return False
        self.kept[key] = content
        return True

    def found(self, prefix: str) -> Iterator[FoundObject]:
        assert prefix == "log", "nothing is listed, except where a share may have to be made"
        assert "wheelfs-share" not in self.kept
        return iter([FoundObject(key, len(content), 0.0) for key, content in self.kept.items() if key.startswith("log/")])

    def delete(self, key: str) -> None:
        raise AssertionError("nothing is deleted")


class Follower:
    """A follower of a log, as a store is one: what is told from the start again replaces all."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        self.catalog = ShareCatalog(objects, limits)
        self.cursor: str | None = None
        self.files: dict[FileKey, SharedFile] = {}
        self._round: dict[FileKey, SharedFile] | None = None

    def follow(self) -> list[int]:
        """Take all that is new; return how many files came in each portion."""
        told: list[int] = []
        while True:
            events = self.ask()
            told.append(len(events.files))
            if not events.more:
                return told

    def ask(self) -> FeedPage:
        """Take one portion."""
        events = self.catalog.events(self.cursor)
        if events.starts_resync:
            self._round = {}
        into = self.files if self._round is None else self._round
        into.update((file_key(file), file) for file in events.files)
        for key in events.gone:
            into.pop(key, None)
        self.cursor = events.cursor
        if self._round is not None and not events.more:
            self.files, self._round = self._round, None
        return events


def file(number: int) -> SharedFile:
    """Return one of many files."""
    return SharedFile("demo", f"demo-{number}-py3-none-any.whl", "main", number.to_bytes(32), 10)


def append(catalog: WrittenShareCatalog, cursor: str | None, files: Sequence[SharedFile], gone: Sequence[FileKey] = ()) -> str:
    """Write to the log, and return its end as a follower knows it."""
    return f"{0:032x}:{catalog.append(cursor, files, gone, may_tell=lambda: True).rpartition(':')[2]}"


def filled(objects: Objects, count: int, *, first: int = 0, limits: ShareLimits = SHARE_LIMITS) -> WrittenShareCatalog:
    """Append so many records of a file each, numbered from ``first`` on."""
    catalog = WrittenShareCatalog(objects, limits)
    catalog.prepare()
    cursor = None
    for number in range(first, first + count):
        cursor = append(catalog, cursor, [file(number)])
    return catalog
