"""The flat directories' files: what is stored or tracked, or a share has, each name once, by project and filename.

What only a share named is listed where the page of its project lists it too, by what is known without asking an index.

A catalog may hold a million files, so they are read in batches after a given place, each in short transactions.  A file that is
stored while a directory is being read keeps its place, so no reader misses it.
"""

from __future__ import annotations

import sys
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.projects.ownership import Owned
from wheelfs.core.views.visibility import ExclusionReason
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.store.catalog.records import name_key

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import ViewFilter
    from wheelfs.model.links import FileLink
    from wheelfs.model.shared import SharedFile
    from wheelfs.model.tracked import Tracked
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.tracked_files import TrackedFiles
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.shares.follower import ShareFollower
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import StoredName

_NO_DIGEST: Final = b"\xff" * 32
"""After every digest: the place after all stored files of a name."""


class Place(NamedTuple):
    """Where a flat directory's files are cut into batches: after this name."""

    project: str
    filename: str


class FlatFile(NamedTuple):
    """One entry of a flat directory; ``rank`` tells the best of several files of one name (the smallest)."""

    project: str
    filename: str
    rank: tuple[int, str]
    ref: FileRef
    size_bytes: int
    is_private: bool
    is_withheld: bool = False
    """No index that is configured here vouches for its name, and it may not have that name without one."""

    @property
    def place(self) -> Place:
        """The place after this file."""
        return Place(self.project, self.filename)


class FlatFiles:
    """Reads the flat directories' files."""

    def __init__(
        self,
        *,
        projects: Projects,
        tracked: TrackedFiles,
        follower: ShareFollower,
        catalog: Catalog,
        views: Views,
        hosts: Hosts,
        batch: int,
    ) -> None:
        """``batch``: names that are read in one transaction."""
        self._hosts = hosts
        self._follower = follower
        self._projects = projects
        self._tracked_files = tracked
        self._catalog = catalog
        self._views = views
        self._batch = batch

    def after(self, place: Place | None, limit: int, view: View) -> list[FlatFile]:
        """Return up to ``limit`` files after ``place`` (None: from the first on); fewer only where there are no more."""
        # One more is read than is given: by that one the last is known to be the best of its name.
        return list(islice(self._from(place, view, page=limit + 1), limit))

    def state(self, view: View) -> object:
        """Return a value that changes whenever the files of a view may; some microseconds."""
        return (
            self._catalog.last_transaction(),
            self._hosts.epoch,
            self._hosts.offline,
            self._views.view_filter(view, flat=True),
        )

    def all(self, view: View, hidden: Counter[ExclusionReason]) -> Iterator[FlatFile]:
        """Yield all files, and count in ``hidden`` those that are not shown; for readers with time."""
        return self._from(None, view, hidden=hidden)

    def find(self, project: ProjectName, filename: str, view: View) -> FlatFile | None:
        """Return the file of that name."""
        names = self._catalog.stored_names(project, filename)
        granted = _Granted(self._projects)
        stored = (self._of_stored(name, granted) for name in names)
        same = [file for file in stored if file is not None and not file.is_withheld]
        if not same and not view.stored:
            shared = [name.file for name in self._follower.of(project) if name.file.filename == filename]
            same = [file for file in (self._of_shared(one, granted) for one in shared) if not file.is_withheld]
        if not same and not view.stored and (found := self._tracked_files.file(project, filename)) is not None:
            same = [_of_tracked(*found)]
        best = granted.best(same) if same else None
        return best if best is not None and _hides(self._views.view_filter(view, flat=True), best) is None else None

    def _from(
        self, place: Place | None, view: View, *, page: int | None = None, hidden: Counter[ExclusionReason] | None = None
    ) -> Iterator[FlatFile]:
        granted = _Granted(self._projects)
        files: Iterator[FlatFile] = self._stored(place, page or self._batch, granted)
        if not view.stored and self._catalog.tracked_projects():
            files = merge(files, self._tracked(place), key=_place)
        if not view.stored and not self._follower.is_empty:
            files = merge(files, self._shared(place, granted), key=_place)
        view_filter = self._views.view_filter(view, flat=True)
        for best in _best_of_each(files, granted):
            why = ExclusionReason.WITHHELD if best.is_withheld else _hides(view_filter, best)
            if why is None:
                yield best
            elif hidden is not None:
                hidden[why] += 1

    def _stored(self, place: Place | None, page: int, granted: _Granted) -> Iterator[FlatFile]:
        after = None if place is None else name_key(place.project, place.filename, _NO_DIGEST)
        best: dict[tuple[str, ...], tuple[int, str] | None] = {}
        project = ""
        for name in self._catalog.names(after, batch=page):
            if name.project != project:
                project = name.project
                best.clear()
            if not name.filename.endswith(".whl"):
                continue
            if name.of_share:
                yield self._of_granted(name, granted)
                continue
            if name.origins not in best:
                best[name.origins] = self._best_origin(name)
            if (rank := best[name.origins]) is not None:
                yield _of_stored(name, rank)
            elif name.index not in self._projects.names:
                yield self._of_granted(name, granted)

    def _of_stored(self, name: StoredName, granted: _Granted) -> FlatFile | None:
        rank = None if name.of_share else self._best_origin(name)
        if rank is not None:
            return _of_stored(name, rank)
        return self._of_granted(name, granted) if name.of_share or name.index not in self._projects.names else None

    def _best_origin(self, name: StoredName) -> tuple[int, str] | None:
        """Return the rank of the best origin of a file; None when its name is tied to others than those."""
        origins = (origin for origin in name.origins if self._projects.scopes.may_show(name.project, origin))
        return min(map(self._projects.rank, origins), default=None)

    def _of_granted(self, name: StoredName, granted: _Granted) -> FlatFile:
        """Return a stored file that is shown only where its project's page shows it as well."""
        owner, link = granted.find(name.project, name.filename, name.sha256)
        if link is None:
            return _of_stored(name, _WITHHELD)._replace(is_withheld=True)
        return _of_stored(name, self._projects.rank(owner))._replace(ref=FileRef(ProjectName(name.project), owner, link))

    def _shared(self, place: Place | None, granted: _Granted) -> Iterator[FlatFile]:
        # After every digest is also after every share's name.
        after = None if place is None else name_key(place.project, place.filename, _NO_DIGEST + b"\xff")
        for file in self._follower.after(after):
            if file.filename.endswith(".whl"):
                yield self._of_shared(file, granted)

    def _of_shared(self, file: SharedFile, granted: _Granted) -> FlatFile:
        owner, link = granted.find(file.project, file.filename, file.sha256)
        ref = FileRef(ProjectName(file.project), owner, link_of(file) if link is None else link)
        if link is None:
            return FlatFile(file.project, file.filename, _WITHHELD, ref, file.size_bytes, False, is_withheld=True)
        number, index = self._projects.rank(owner)
        return FlatFile(file.project, file.filename, (_ELSEWHERE + number, index), ref, file.size_bytes, False)

    def _tracked(self, place: Place | None) -> Iterator[FlatFile]:
        for tracked in self._tracked_projects(place):
            for ref, size_bytes in self._tracked_files.files(tracked):
                if place is None or tracked.project != place.project or ref.filename > place.filename:
                    yield _of_tracked(ref, size_bytes)

    def _tracked_projects(self, place: Place | None) -> Iterator[Tracked]:
        if place is not None and (first := self._catalog.tracked(place.project)) is not None:
            yield first
        yield from self._tracked_files.tracked(None if place is None else place.project)


_ELSEWHERE: Final = 1 << 29
"""What is stored here goes before what a share has."""

_LAST: Final = (1 << 30, "")
"""What is stored goes before what is only tracked."""

_WITHHELD: Final = (1 << 31, "")
"""What is not shown hides nothing else of its name."""


class _Granted:
    """What of shares' files is shown, one project after the other, by what indexes are known to have answered."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._project: str | None = None
        self._owner = ""
        self._links: dict[tuple[str, bytes | None], FileLink] = {}
        self._listed: frozenset[tuple[str, bytes | None]] = frozenset()

    def best(self, same: Sequence[FlatFile]) -> FlatFile:
        """Return the one of several files of one name that is shown: of one index, the one that it lists, else the newest."""
        if len(same) == 1:
            return same[0]
        best = min(file.rank for file in same)
        first = [file for file in same if file.rank == best]
        return max(first, key=lambda file: (self._is_listed(file), file.ref.came_us or 0))

    def _is_listed(self, file: FlatFile) -> bool:
        self._look_at(file.project)
        return (file.filename, file.ref.link.sha256) in self._listed

    def find(self, project: str, filename: str, sha256: bytes) -> tuple[str, FileLink | None]:
        """Return the owner of a project and its link to this content under this name; None where it has none."""
        self._look_at(project)
        return self._owner, self._links.get((filename, sha256))

    def _look_at(self, project: str) -> None:
        if project == self._project:
            return
        found = self._projects.known(ProjectName(project))
        listed, kept = (found.listed, found.kept) if isinstance(found, Owned) else ((), ())
        self._project = project
        self._owner = found.owner if isinstance(found, Owned) else ""
        self._links = {(link.filename, link.sha256): link for link in (*listed, *kept)}
        self._listed = frozenset((link.filename, link.sha256) for link in listed)


def _of_stored(name: StoredName, rank: tuple[int, str]) -> FlatFile:
    # Interned: the kernel remembers most files of a listing, and so do we; a project has hundreds.
    project = ProjectName(sys.intern(name.project))
    ref = FileRef(project, sys.intern(rank[1]), link_of(name), name.added_at_us)
    return FlatFile(project, name.filename, rank, ref, name.size_bytes, name.private and not name.of_share)


def _of_tracked(ref: FileRef, size_bytes: int) -> FlatFile:
    return FlatFile(ref.project, ref.filename, _LAST, ref, size_bytes, False)


def _hides(view_filter: ViewFilter, file: FlatFile) -> ExclusionReason | None:
    # Only what is stored is read for views that ask for that, so it need not be told here.
    return view_filter.hides(file.ref.link, origin=file.ref.origin, is_stored=True, is_private=file.is_private)


def _best_of_each(files: Iterator[FlatFile], granted: _Granted) -> Iterator[FlatFile]:
    """Yield of each run of files of one name the best."""
    same: list[FlatFile] = []
    for file in files:
        if same and (same[0].filename != file.filename or same[0].project != file.project):
            yield granted.best(same)
            same.clear()
        same.append(file)
    if same:
        yield granted.best(same)


def _place(file: FlatFile) -> tuple[str, str]:
    return file[:2]
