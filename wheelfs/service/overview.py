"""What the web pages of a gateway show: projects and files, what is stored, the state of the indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.wheel.about import about, summary_of
from wheelfs.model.content import key_of_sha256
from wheelfs.model.names import ProjectName, versions_of
from wheelfs.reports.files import newest_first
from wheelfs.service.operations import housekeeping, inspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.wheel.about import About
    from wheelfs.reports.files import ShownFile, ShownProject
    from wheelfs.reports.status import Counters as CountersTold
    from wheelfs.reports.status import Status
    from wheelfs.reports.store import Stats
    from wheelfs.service.running import Running
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

PER_PAGE: Final = 200
_MOST_LOOKED_AT: Final = 200_000
"""Names looked through for one page of a search; a catalog has fewer projects, or the user searches on."""


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project in a list: ``summary`` is that of its newest stored wheel, ``stored`` counts its stored files."""

    name: str
    summary: str
    stored: int
    stored_bytes: int
    private: bool


@dataclass(frozen=True, slots=True)
class KnownProjects:
    """Some known projects in order; ``after`` is where the next page begins, None at the end."""

    projects: tuple[KnownProject, ...]
    after: str | None


class Overview:
    """Answers from the store alone; methods block shortly, so a frontend calls them in a thread."""

    def __init__(self, node: Running, store: Store, *, has_token: bool = False) -> None:
        """Look at ``store`` through ``node``; ``has_token``: visitors have given one, which the lines shown need, too."""
        self.has_token = has_token
        self._node = node
        self._store = store

    @property
    def counters(self) -> Counters:
        """What this process counts."""
        return self._node.fetching.counters

    def status(self) -> Status:
        """Return the state of this process; never blocks."""
        return self._node.status.report()

    def stats(self, counters: CountersTold) -> Stats:
        """Return what the store holds and takes; blocks.  ``counters`` are those of `status`, which threads cannot ask."""
        return housekeeping.stats(self._store, counters)

    def projects(self, containing: str, after: str | None) -> KnownProjects:
        """Return the known projects whose names or summaries have ``containing`` (lower case) in them, those after ``after``."""
        found: list[KnownProject] = []
        for looked_at, name in enumerate(self._node.projects.known_names(after), 1):
            is_named = containing in name
            if is_named or containing in self._summary(self._store.catalog.stored_names(ProjectName(name))).lower():
                if len(found) == PER_PAGE:
                    return KnownProjects(tuple(found), found[-1].name)
                project = self._known(ProjectName(name))
                # What was stored of another index than its owner's is not shown, nor is it found.
                if is_named or containing in project.summary.lower():
                    found.append(project)
            if looked_at >= _MOST_LOOKED_AT:
                return KnownProjects(tuple(found), name)
        return KnownProjects(tuple(found), None)

    def _known(self, project: ProjectName) -> KnownProject:
        names = inspect.shown_names(self._node.projects, self._store, project)
        return KnownProject(
            name=project,
            summary=self._summary(names),
            stored=len(names),
            stored_bytes=sum(name.size_bytes for name in names),
            private=any(name.private for name in names),
        )

    def _summary(self, names: Sequence[StoredName]) -> str:
        """Return the summary of the newest of these wheels that has METADATA here."""
        versions = versions_of(name.filename for name in names)
        known = [name for name in names if name.filename in versions]
        for name in sorted(known, key=lambda one: versions[one.filename], reverse=True):
            if (metadata := self._store.catalog.metadata(key_of_sha256(name.sha256))) is not None:
                return summary_of(metadata)
        return ""

    def about(self, files: Sequence[ShownFile]) -> About | None:
        """Return what the first of these files whose METADATA is here says of itself, or None."""
        for file in files:
            key = None if file.sha256 is None else key_of_sha256(bytes.fromhex(file.sha256))
            if key is not None and (metadata := self._store.catalog.metadata(key)) is not None:
                return about(metadata)
        return None

    def project(self, name: str) -> ShownProject | None:
        """Return all that is known of a project, newest version first, or None."""
        shown = inspect.project_of(self._node.projects, self._node.views, self._node.downloads, name)
        if shown is None:
            return None
        return msgspec.structs.replace(shown, versions=shown.versions[::-1], files=tuple(newest_first(shown)))
