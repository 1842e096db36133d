"""Directories being read: small ones from a list, the flat one and ``simple/`` in batches.

A catalog may hold a million files, so a listing keeps no list of them: each batch is one short read transaction, and a cookie is
turned back into a place by the keys remembered at every batch.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.views.paths import PAGE, STATUS, Directory, subdirectories
from wheelfs.service.vfs.nodes import DirectoryNode, FileNode, StatusNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelfs.core.views.view import View
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.vfs.environments.trees import EnvironmentTrees
    from wheelfs.service.vfs.flat_files import FlatFiles, Place
    from wheelfs.service.vfs.limits import VfsLimits
    from wheelfs.service.vfs.names import FileNodes
    from wheelfs.service.vfs.nodes import TreeNode
    from wheelfs.service.vfs.pages import Pages
    from wheelfs.service.vfs.protocol import Listing

K = TypeVar("K")


class NamedListing:
    """A directory whose entries are all at hand."""

    def __init__(self, entries: Sequence[tuple[str, TreeNode]]) -> None:
        """Take the entries in the order to be shown."""
        self._entries = entries

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries after cookie ``start``; a cookie is an entry's number, from 1."""
        for number, (name, node) in enumerate(self._entries[start:], start + 1):
            yield number, name, node


class _Batches(Generic[K]):
    """Remembers after which key each batch of cookies begins."""

    def __init__(self) -> None:
        self._cookies: list[int] = []
        self._keys: list[K] = []

    def begins(self, cookie: int, after: K) -> None:
        """Note that the entry after ``cookie`` is the first one after the key ``after``."""
        if not self._cookies or cookie > self._cookies[-1]:
            self._cookies.append(cookie)
            self._keys.append(after)

    def find(self, cookie: int, first: int) -> tuple[int, K | None]:
        """Return the last noted ``(cookie, key)`` at or before ``cookie``; ``(first, None)`` when there is none."""
        index = bisect_right(self._cookies, cookie) - 1
        return (first, None) if index < 0 else (self._cookies[index], self._keys[index])


class _Whole(NamedTuple):
    """The files of a flat directory, and what they were decided by."""

    state: object
    nodes: Sequence[FileNode]


class WholeListings:
    """Flat directories that were read to their end, for the next reader, as long as nothing that decides them has changed.

    A resolver reads all of a directory each time it runs.  The nodes are those that a frontend remembers for its kernel anyway.
    """

    def __init__(self, flat: FlatFiles, limit_entries: int) -> None:
        """Keep no more than ``limit_entries`` altogether."""
        self._flat = flat
        self._limit_entries = limit_entries
        self._kept: BoundedCache[View, _Whole] = BoundedCache(limit_entries, weight=lambda whole: len(whole.nodes))

    def find(self, view: View) -> Sequence[FileNode] | None:
        """Return the files of a flat directory, None where they have to be read."""
        kept = self._kept.get(view)
        if kept is None:
            return None
        if kept.state == self._flat.state(view):
            return kept.nodes
        self._kept.pop(view)
        return None

    def begin(self, view: View) -> Gathering:
        """Return where a reader gathers what is to be kept."""
        return Gathering(self._flat.state(view), self._limit_entries)

    def end(self, view: View, gathered: Gathering) -> None:
        """Keep what was read, where all of it was read, and nothing has changed meanwhile."""
        if gathered.is_whole and gathered.state == self._flat.state(view):
            self._kept.put(view, _Whole(gathered.state, gathered.nodes))


class Gathering:
    """What a reader has read from the beginning of a flat directory."""

    __slots__ = ("_limit_entries", "is_whole", "nodes", "state")

    def __init__(self, state: object, limit_entries: int) -> None:
        self.state = state
        self.nodes: list[FileNode] = []
        self.is_whole = True
        self._limit_entries = limit_entries

    def add(self, position: int, batch: Sequence[FileNode]) -> None:
        """Take the files from ``position`` on, unless they are here; what does not follow on, or is too much, is not kept."""
        if position + len(batch) <= len(self.nodes):
            return
        self.is_whole = self.is_whole and position == len(self.nodes) <= self._limit_entries - len(batch)
        if self.is_whole:
            self.nodes.extend(batch)
        else:
            self.nodes.clear()


class FlatListing:
    """A view's own directory: sub-directories first, then, where the view is flat, its files.

    The batch that is being read is kept, since the kernel asks for some tens of entries at a time.
    """

    def __init__(
        self, view: View, directories: Iterable[tuple[str, Directory]], flat: FlatFiles, batch: int, wholes: WholeListings
    ) -> None:
        """Prepare; no file is read yet."""
        self._flat = flat
        self._batch_entries = batch
        self._view = view
        self._directories = [(name, DirectoryNode(below)) for name, below in directories]
        self._batches: _Batches[Place | None] = _Batches()
        self._first = 0
        self._batch: list[FileNode] = []
        self._last: Place | None = None
        self._wholes = wholes
        self._whole: Sequence[FileNode] | None = None
        self._gathered = wholes.begin(view)

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries after cookie ``start``; at 0, where rewinddir(3) leads to, what is there now."""
        if start == 0:
            self._whole = self._wholes.find(self._view)
            self._gathered, self._batch = self._wholes.begin(self._view), []
        for number, (name, node) in enumerate(self._directories, 1):
            if number > start:
                yield number, name, node
        if not self._view.is_flat:
            return
        cookie = max(start, len(self._directories))
        if self._whole is not None:
            for position in range(cookie - len(self._directories), len(self._whole)):
                cookie += 1
                file = self._whole[position]
                yield cookie, file.ref.link.filename, file
            return
        while self._read(cookie):
            for file in self._batch[cookie - self._first :]:
                cookie += 1
                yield cookie, file.ref.link.filename, file

    def _read(self, cookie: int) -> bool:
        """Read the batch that has the entry after ``cookie``, unless it is the current one; False when there is no such entry."""
        if self._first <= cookie < self._first + len(self._batch):
            return True
        first, after = self._batches.find(cookie, len(self._directories))
        if self._batch and cookie == self._first + len(self._batch):
            first, after = cookie, self._last
        while True:
            self._batches.begins(first, after)
            files = self._flat.after(after, self._batch_entries, self._view)
            self._first, self._batch = first, [FileNode(file.ref, file.size_bytes, is_flat=True) for file in files]
            self._gathered.add(first - len(self._directories), self._batch)
            first += len(files)
            after = self._last = files[-1].place if files else after
            if len(files) < self._batch_entries:
                self._wholes.end(self._view, self._gathered)
            if cookie < first:
                return True
            if len(files) < self._batch_entries:
                return False


class SimpleListing:
    """``simple/``: the projects that are known here, those of the view only."""

    def __init__(self, place: Directory, projects: Projects, batch: int) -> None:
        """Prepare; nothing is read yet."""
        self._place = place
        self._projects = projects
        self._batch_entries = batch
        self._batches: _Batches[str | None] = _Batches()

    def entries(self, start: int) -> Iterator[tuple[int, str, TreeNode]]:
        """Yield the entries after cookie ``start``."""
        view = self._place.view
        cookie, after = self._batches.find(start, 0)
        while batch := list(islice(self._projects.known_names(after), self._batch_entries)):
            self._batches.begins(cookie, after)
            for project in batch:
                cookie += 1
                if cookie > start and self._projects.is_listed(project, view):
                    yield cookie, project, DirectoryNode(Directory("project", f"{self._place.path}/{project}", view, project))
            after = batch[-1]


class Directories:
    """Lists directories."""

    def __init__(
        self,
        *,
        projects: Projects,
        views: Views,
        flat: FlatFiles,
        pages: Pages,
        files: FileNodes,
        environments: EnvironmentTrees,
        status: StatusReport,
        limits: VfsLimits,
    ) -> None:
        """Prepare; nothing is read yet."""
        self._projects = projects
        self._views = views
        self._flat = flat
        self._wholes = WholeListings(flat, limits.whole_listings_entries)
        self._pages = pages
        self._files = files
        self.environments = environments
        self._status = status
        self._limits = limits

    def listing(self, place: Directory) -> Listing:
        """Return the entries of a directory, from the store alone."""
        match place.kind:
            case "view":
                below = subdirectories(place, self._projects.names, has_environments=bool(self.environments.names()))
                return FlatListing(place.view, below, self._flat, self._limits.listing_batch, self._wholes)
            case "indexes" | "times":
                below = subdirectories(place, self._projects.names)
                return NamedListing([(name, DirectoryNode(directory)) for name, directory in below])
            case "simple":
                return SimpleListing(place, self._projects, self._limits.listing_batch)
            case "project":
                return self._project_listing(place)
            case "environments":
                return NamedListing(self.environments.listed())
            case "private":
                return NamedListing([(STATUS, StatusNode.of(self._status.text()))])

    def _project_listing(self, place: Directory) -> NamedListing:
        """List the page and the files whose size is known; the others appear when they have been looked up."""
        assert place.project is not None
        ownership = self._projects.known(place.project, index=place.view.index)
        entries = self._views.entries(ownership, place.project, place.view).entries
        nodes = [(entry.ref.filename, self._files.known(entry.ref)) for entry in entries]
        files: list[tuple[str, TreeNode]] = [(name, file) for name, file in nodes if file is not None]
        return NamedListing([(PAGE, self._pages.project_node(place, ownership)), *files])
