"""Directories being read: small ones from a list, the flat one and ``simple/`` in batches straight from the catalog.

A catalog may hold a million files, so a listing keeps no list of them: each batch is one short read transaction, and a cookie is
turned back into a place in the catalog by the keys remembered at every batch.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from wheelfs.core.tree import Directory, subdirectories
from wheelfs.model.names import ProjectName
from wheelfs.service.files import FileRef
from wheelfs.service.nodes import DirectoryNode, FileNode
from wheelfs.service.projects import link_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.service.nodes import TreeNode
    from wheelfs.service.projects import Projects
    from wheelfs.service.supply import Supply
    from wheelfs.store.records import StoredName

BATCH: Final = 512


class NamedListing:
    """A directory whose entries are all at hand."""

    def __init__(self, entries: Sequence[tuple[str, TreeNode]]) -> None:
        """Take the entries in the order to be shown."""
        self._entries = entries

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries behind cookie ``start``; a cookie is an entry's number, from 1."""
        for number, (name, node) in enumerate(self._entries[start:], start + 1):
            yield number, name, node


class _Batches:
    """Remembers where in the catalog each batch of cookies begins."""

    def __init__(self) -> None:
        self._cookies: list[int] = []
        self._keys: list[bytes | None] = []

    def begins(self, cookie: int, after: bytes | None) -> None:
        """Note that the entry behind ``cookie`` is the first one after the catalog key ``after``."""
        if not self._cookies or cookie > self._cookies[-1]:
            self._cookies.append(cookie)
            self._keys.append(after)

    def find(self, cookie: int, first: int) -> tuple[int, bytes | None]:
        """Return the last noted ``(cookie, key)`` at or before ``cookie``; ``(first, None)`` when there is none."""
        index = bisect_right(self._cookies, cookie) - 1
        return (first, None) if index < 0 else (self._cookies[index], self._keys[index])


class FlatListing:
    """A view's own directory: sub-directories first, then, where the view is flat, every stored wheel once."""

    def __init__(self, place: Directory, projects: Projects, supply: Supply) -> None:
        """Prepare; nothing is read yet."""
        self._projects = projects
        self._catalog = supply.store.catalog
        self._batches = _Batches()
        self._is_flat = place.view.is_flat
        self._directories = [(name, DirectoryNode(below)) for name, below in subdirectories(place, projects.names)]

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries behind cookie ``start``."""
        for number, (name, node) in enumerate(self._directories, 1):
            if number > start:
                yield number, name, node
        if not self._is_flat:
            return
        cookie, after = self._batches.find(start, len(self._directories))
        while True:
            batch = self._catalog.iterate_names(after, BATCH)
            if not batch:
                return
            self._batches.begins(cookie, after)
            # The same filename from several origins stands together; a group that the batch may have cut goes to the next one.
            whole = _whole_groups(batch) if len(batch) == BATCH else batch
            for stored in self._one_each(whole):
                cookie += 1
                if cookie > start:
                    ref = FileRef(ProjectName(stored.project), stored.index, link_of(stored))
                    yield cookie, stored.filename, FileNode(ref, stored.size_bytes)
            after = whole[-1].key
            if len(batch) < BATCH:
                return

    def _one_each(self, names: Sequence[StoredName]) -> Iterator[StoredName]:
        best: StoredName | None = None
        for name in names:
            if not name.filename.endswith(".whl"):
                continue
            if best is not None and best.filename != name.filename:
                yield best
                best = name
            elif best is None or self._projects.rank(name.index) < self._projects.rank(best.index):
                best = name
        if best is not None:
            yield best


class SimpleListing:
    """``simple/``: the projects that are known here, those of the view only."""

    def __init__(self, place: Directory, projects: Projects, supply: Supply) -> None:
        """Prepare; nothing is read yet."""
        self._place = place
        self._projects = projects
        self._catalog = supply.store.catalog
        self._batches = _Batches()

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries behind cookie ``start``."""
        view = self._place.view
        cookie, key = self._batches.find(start, 0)
        after = None if key is None else key.decode()
        while True:
            batch = self._catalog.known_projects(after, BATCH)
            if not batch:
                return
            self._batches.begins(cookie, None if after is None else after.encode())
            for project in batch:
                cookie += 1
                if cookie > start and self._projects.is_listed(project, view):
                    yield cookie, project, DirectoryNode(Directory("project", f"{self._place.path}/{project}", view, project))
            after = batch[-1]


def _whole_groups(batch: Sequence[StoredName]) -> Sequence[StoredName]:
    """Return the batch without its last group of equal project and filename, unless that is all there is."""
    last = (batch[-1].project, batch[-1].filename)
    end = len(batch)
    while end and (batch[end - 1].project, batch[end - 1].filename) == last:
        end -= 1
    return batch[:end] if end else batch
