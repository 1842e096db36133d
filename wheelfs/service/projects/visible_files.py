"""What the directories show: every file passes the filter of its view here."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from wheelfs.core.projects.ownership import Owned
from wheelfs.core.views.visibility import filter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.platforms.machine import Machine
    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import ExclusionReason, Policy, ViewFilter
    from wheelfs.model.names import ProjectName
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.projects import Projects


class Seen(NamedTuple):
    """The files of a project that a view shows, and its explanations of those that it hides."""

    entries: list[Entry]
    hidden: tuple[str, ...]


class Views:
    """Applies views to the files of projects."""

    def __init__(
        self, *, projects: Projects, machine: Machine, policy: Policy, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """``machine`` is what the ``here`` views are for; ``clock_ns`` tells the time since the epoch."""
        self._projects = projects
        self._machine = machine
        self._policy = policy
        self._clock_ns = clock_ns

    def view_filter(self, view: View, *, flat: bool = False) -> ViewFilter:
        """Return the filter of a view as of now; ``flat``: of its flat directory."""
        return filter_of(view, self._policy, machine=self._machine, now_us=self._clock_ns() // 1_000, flat=flat)

    def hidden(self, view: View, entry: Entry) -> ExclusionReason | None:
        """Return why a view does not show a file of a project, or None when it does."""
        return _hides(self.view_filter(view), entry)

    def entries(self, ownership: Ownership, project: ProjectName, view: View) -> Seen:
        """Return the files that a view shows of a project."""
        if not isinstance(ownership, Owned):
            return Seen([], ())
        view_filter = self.view_filter(view)
        shown: list[Entry] = []
        hidden: Counter[ExclusionReason] = Counter()
        for entry in self._projects.entries(ownership, project):
            why = _hides(view_filter, entry)
            if why is None:
                shown.append(entry)
            else:
                hidden[why] += 1
        return Seen(shown, tuple(view_filter.explain(hidden)))

    def entry(self, ownership: Ownership, project: ProjectName, view: View, filename: str) -> Entry | None:
        """Return the one file of that name, if the view shows it."""
        if not isinstance(ownership, Owned):
            return None
        view_filter = self.view_filter(view)
        found = self._projects.entries(ownership, project, filename=filename)
        return next((entry for entry in found if _hides(view_filter, entry) is None), None)


def _hides(view_filter: ViewFilter, entry: Entry) -> ExclusionReason | None:
    return view_filter.hides(
        entry.ref.link, origin=entry.ref.origin, is_stored=entry.sealed_sha256 is not None, is_private=entry.is_private
    )
