"""What the directories show: every file passes the filter of its view here."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from wheelfs.core.projects.ownership import LOCAL, Owned
from wheelfs.core.views.visibility import filter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.platforms.machine import Machine
    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import ExclusionReason, Policy, ViewFilter
    from wheelfs.model.names import ProjectName
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.projects import Projects
    from wheelfs.store.catalog.catalog import Catalog


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

    def fits(self, filename: str) -> bool:
        """Return whether this machine can use a file."""
        return self._machine.accepts(filename)

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


def is_superseded(ref: FileRef, projects: Projects, catalog: Catalog, *, failed: bool) -> bool:
    """Return whether the name of ``ref``, which was looked up before, is known to mean another content by now.

    Kernels keep what a name meant for as long as half a second after the store has learned better, and installers open files as
    soon as they have read a page.  Asked at each open, so it looks at the store alone.
    ``failed``: opening it has failed, so the page is looked at as well, which costs milliseconds where it has thousands of links.
    """
    names = catalog.stored_names(ref.project, ref.filename, replaced=True)
    if ref.link.sha256 is None:
        return (failed or any(name.replaced is not None for name in names)) and _means_another(ref, projects)
    same = [name for name in names if name.sha256 == ref.link.sha256]
    if any(name.replaced is not None for name in same):
        return True
    if not same and ref.origin == LOCAL and any(name.private for name in names):
        return True
    return failed and _means_another(ref, projects)


def _means_another(ref: FileRef, projects: Projects) -> bool:
    owned = projects.known(ref.project, index=ref.origin if ref.origin in projects.names else None)
    entries = projects.entries(owned, ref.project, filename=ref.filename) if isinstance(owned, Owned) else []
    if not entries:
        return False
    now = entries[0]
    if (now.ref.link.sha256 is None) is (ref.link.sha256 is None):
        return now.ref.inode != ref.inode
    return now.sealed_sha256 is not None and ref.link.sha256 is not None and now.sealed_sha256 != ref.link.sha256


def _hides(view_filter: ViewFilter, entry: Entry) -> ExclusionReason | None:
    return view_filter.hides(
        entry.ref.link, origin=entry.ref.origin, is_stored=entry.sealed_sha256 is not None, is_private=entry.is_private
    )
