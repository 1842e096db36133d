"""Whose project a name of the tree is: asked of the indexes, within what a frontend can wait for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.projects.ownership import Undecided
from wheelfs.errors import WheelfsError
from wheelfs.service.vfs.clients.client import CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.model.names import ProjectName
    from wheelfs.service.admission import Admission
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.vfs.limits import VfsLimits


class _WaitBudget:
    """A leaky bucket of seconds, so that look-ups one after the other cannot wait without end."""

    def __init__(self, limits: VfsLimits) -> None:
        self._limits = limits
        self._left_s = limits.wait_burst_s
        self._at_s = 0.0

    def left_s(self, now_s: float) -> float:
        """Return how long one may wait now."""
        self._left_s = min(self._limits.wait_burst_s, self._left_s + (now_s - self._at_s) * self._limits.wait_refill)
        self._at_s = now_s
        return max(0.0, self._left_s)

    def spend(self, began_s: float, ended_s: float) -> None:
        """Take a wait out of the bucket."""
        self._left_s = max(0.0, self._left_s - (ended_s - began_s) * self._limits.wait_cost)


class ProjectLookup:
    """Looks projects up for the tree."""

    def __init__(self, projects: Projects, admission: Admission, limits: VfsLimits) -> None:
        """Waits on the network hold a slot of ``admission``."""
        self._projects = projects
        self._admission = admission
        self._budget = _WaitBudget(limits)

    async def find(self, project: ProjectName, view: View, *, suffices: Callable[[Ownership], bool] | None = None) -> Ownership:
        """Find out whose project it is; waits for the network, within a bound, where that is not known.

        For pip and uv a page that is too old will do, if ``suffices`` says so of it: it is asked for again in the background.
        These have read it before they look up a file of it, or go by a lock, with hashes, and uv looks those up one after the
        other.
        """
        if view.stored:
            found = self._projects.known(project, index=view.index)
            await self._projects.compared(found, project)
            return found
        try:
            quick = self._projects.at_once(project, index=view.index)
            if quick is not None:
                return quick
            if suffices is not None and await CLIENT.get().purpose() is not Purpose.UNKNOWN:
                old = self._projects.at_once(project, index=view.index, stale=True)
                if old is not None and suffices(old):
                    return old
            with self._admission.waiting(f"look up {project}"):
                return await self._projects.find(project, index=view.index)
        except WheelfsError as error:  # too many wait already, say: a look-up that failed would be a quiet 404 to pip
            return Undecided(error)

    async def find_shortly(self, project: ProjectName, view: View) -> Ownership | None:
        """Find out whose project it is, or return None when that takes longer than a look-up in ``simple/`` may hold up others.

        The kernel lets one look-up a directory wait at a time (libfuse does not ask for parallel ones), so a client that looks up
        forty projects at once would wait for forty answers in a row.  The request goes on in the background, and the page waits
        for it.  For a page that is known, however old, the look-up does not wait: the project exists.
        """
        if view.stored:
            return self._projects.known(project, index=view.index)
        with suppress(WheelfsError):  # damage, say: opening the page says what
            quick = self._projects.at_once(project, index=view.index, stale=True)
            if quick is not None:
                return quick
        # To pip and uv a directory without a page is a project that does not exist; users at a shell are told at once.
        waits = await CLIENT.get().purpose() is Purpose.UNKNOWN
        began_s = trio.current_time()
        found: Ownership | None = None
        with trio.move_on_after(self._budget.left_s(began_s) if waits else 0.0):
            found = await self.find(project, view)
        self._budget.spend(began_s, trio.current_time())
        return found
