"""What the web pages of a gateway show: projects and files, what is stored, the state of the indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.reports.files import newest_first
from wheelfs.service.operations import housekeeping, inspect

if TYPE_CHECKING:
    from wheelfs.reports.files import ShownProject
    from wheelfs.reports.status import Counters as CountersTold
    from wheelfs.reports.status import Status
    from wheelfs.reports.store import Stats
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

PER_PAGE: Final = 200
_MOST_LOOKED_AT: Final = 200_000
"""Names looked through for one page of a search; a catalog has fewer projects, or the user searches on."""


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """Some known projects in order; ``after`` is where the next page begins, None at the end."""

    names: tuple[str, ...]
    after: str | None


class Overview:
    """Answers from the store alone; methods block shortly, so a frontend calls them in a thread."""

    def __init__(self, node: Running, store: Store) -> None:
        """Look at ``store`` through ``node``."""
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

    def projects(self, containing: str, after: str | None) -> ProjectNames:
        """Return the known projects whose names have ``containing`` in them, those after ``after``."""
        found: list[str] = []
        for looked_at, project in enumerate(self._node.projects.known_names(after), 1):
            if containing in project:
                if len(found) == PER_PAGE:
                    return ProjectNames(tuple(found), found[-1])
                found.append(project)
            if looked_at >= _MOST_LOOKED_AT:
                return ProjectNames(tuple(found), project)
        return ProjectNames(tuple(found), None)

    def project(self, name: str) -> ShownProject | None:
        """Return all that is known of a project, newest version first, or None."""
        shown = inspect.project_of(self._node.projects, self._node.views, self._node.downloads, name)
        if shown is None:
            return None
        return msgspec.structs.replace(shown, versions=shown.versions[::-1], files=tuple(newest_first(shown)))
