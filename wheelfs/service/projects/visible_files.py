"""What the directories show: every file passes the filter of its view here."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from wheelfs.core.projects.ownership import Owned
from wheelfs.core.views.visibility import sieve_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.platforms.machine import Machine
    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import Hidden, Policy, Sieve
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

    def sieve(self, view: View, *, flat: bool = False) -> Sieve:
        """Return the filter of a view as of now; ``flat``: of its flat directory."""
        return sieve_of(view, self._policy, machine=self._machine, now_us=self._clock_ns() // 1_000, flat=flat)

    def hidden(self, view: View, entry: Entry) -> Hidden | None:
        """Return why a view does not show a file of a project, or None when it does."""
        return _hides(self.sieve(view), entry)

    def entries(self, ownership: Ownership, project: ProjectName, view: View) -> Seen:
        """Return the files that a view shows of a project."""
        if not isinstance(ownership, Owned):
            return Seen([], ())
        sieve = self.sieve(view)
        shown: list[Entry] = []
        hidden: Counter[Hidden] = Counter()
        for entry in self._projects.entries(ownership, project):
            why = _hides(sieve, entry)
            if why is None:
                shown.append(entry)
            else:
                hidden[why] += 1
        return Seen(shown, tuple(sieve.explain(hidden)))

    def entry(self, ownership: Ownership, project: ProjectName, view: View, filename: str) -> Entry | None:
        """Return the one file of that name, if the view shows it."""
        if not isinstance(ownership, Owned):
            return None
        sieve = self.sieve(view)
        found = self._projects.entries(ownership, project, filename=filename)
        return next((entry for entry in found if _hides(sieve, entry) is None), None)


def _hides(sieve: Sieve, entry: Entry) -> Hidden | None:
    return sieve.hides(
        entry.ref.link, origin=entry.ref.origin, is_stored=entry.sealed_sha256 is not None, is_private=entry.is_private
    )
