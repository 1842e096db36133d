"""Prefetching what a resolver will request next, while it still waits for its current request.

A resolver learns what a wheel depends on when it has the wheel's METADATA, then requests the page of each dependency, and then
the METADATA of the newest file on it: two round trips for each level of dependencies, one wheel after the other.  Here the same
requests are made as soon as the METADATA is here.

Only what a resolver would request is prefetched: from the indexes that the name is routed to, in their order (`Projects.find`),
the dependencies of a wheel that was opened after its project's page was read, and of each of these the METADATA of one file.  No
file is fetched.  Nothing waits for it, at most `PrefetchLimits.at_once` requests are in flight, and what does not fit into a
short queue is left to the client itself.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.core.platforms import targets
from wheelfs.core.projects.ownership import Owned
from wheelfs.core.resolve.dependencies import likely, python_of, requirements
from wheelfs.core.views.view import View
from wheelfs.errors import WheelfsError
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

    from wheelfs.core.fetch.purpose import Purpose
    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.names import ProjectName
    from wheelfs.model.wanted import Wanted
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.limits import PrefetchLimits
    from wheelfs.service.projects.metadata import Metadata
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views

log = logging.getLogger(__name__)


class ResolverMachine(msgspec.Struct, frozen=True):
    """What resolvers on this machine run on: ``platforms`` in order of preference, and the environment for markers."""

    platforms: Sequence[str]
    environment: Mapping[str, str]


class _Recent:
    """When something was noted last, for the ``most`` most recent things."""

    def __init__(self, for_s: float, most: int) -> None:
        self._for_s = for_s
        self._most = most
        self._at_s: OrderedDict[Hashable, float] = OrderedDict()

    def note(self, what: Hashable) -> None:
        self._at_s[what] = trio.current_time()
        self._at_s.move_to_end(what)
        if len(self._at_s) > self._most:
            self._at_s.popitem(last=False)

    def __contains__(self, what: Hashable) -> bool:
        return what in self._at_s and trio.current_time() - self._at_s[what] < self._for_s


class Prefetcher:
    """The prefetching of one process."""

    def __init__(
        self,
        *,
        projects: Projects,
        views: Views,
        metadata: Metadata,
        nursery: trio.Nursery,
        machine: ResolverMachine,
        enabled: bool,
        limits: PrefetchLimits,
    ) -> None:
        """``enabled``: `[network] look-ahead`."""
        self._limits = limits
        self._projects = projects
        self._views = views
        self._metadata = metadata
        self._nursery = nursery
        self._machine = machine
        self._enabled = enabled
        self._targets: dict[str | None, Target] = {}
        self._python: str | None = None
        self._read = _Recent(limits.page_read_s, limits.max_remembered)
        self._asked = _Recent(limits.again_s, limits.max_remembered)
        self._waiting: deque[Callable[[], Awaitable[None]]] = deque()
        self.under_way = 0
        """How many jobs are running."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being prefetched or queued."""
        return not self.under_way and not self._waiting

    def page_read(self, project: ProjectName, view: View) -> None:
        """Note that a project's page was read, as resolvers do: in a view that shows what is guessed here."""
        if self._enabled and view in (View(), View(here=True)):
            self._read.note(project)

    def opening(self, ref: FileRef, purpose: Purpose) -> None:
        """Start prefetching for a file that is not stored, if its opener looks like a resolver; ``purpose`` is the opener's."""
        self._python = python_of(ref.filename) or self._python
        if ref.kind == "wheel" and ref.project in self._read:
            self._begin_once(partial(self._follow, ref, frozenset(), purpose, is_opened=True), (ref.project, frozenset()))

    def _begin_once(self, job: Callable[[], Awaitable[None]], key: tuple[str, frozenset[str]]) -> None:
        if key not in self._asked and len(self._waiting) < self._limits.max_waiting:
            self._asked.note(key)
            self._start(job)

    def _start(self, job: Callable[[], Awaitable[None]]) -> None:
        self._waiting.append(job)
        if self.under_way < self._limits.at_once:
            self.under_way += 1
            self._nursery.start_soon(self._work)

    async def _work(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._waiting.popleft()()
                except WheelfsError as error:
                    log.debug("not prefetched: %s", error)  # the client's own request reports it
                except Exception as error:
                    failure("prefetch", error)
        finally:
            self.under_way -= 1

    async def _bring(self, wanted: Wanted, purpose: Purpose) -> None:
        """Find the owner of a project, and prefetch for the file that a resolver will look at."""
        ownership = await self._projects.find(wanted.project)
        if not isinstance(ownership, Owned) or not ownership.reachable:
            return
        for link in likely(wanted, ownership.listed, self._target()):
            entry = self._views.entry(ownership, wanted.project, View(), link.filename)
            if entry is not None and entry.sealed_sha256 is None:
                await self._look_at(entry.ref, wanted.extras, purpose)
            if entry is not None:
                return

    async def _look_at(self, ref: FileRef, extras: frozenset[str], purpose: Purpose) -> None:
        """Prefetch what a resolver reads of a wheel; of a wheel of another Python, only its ``.metadata`` file."""
        if python_of(ref.filename) in (None, self._python):
            self._start(partial(self._metadata.ensure_tail, ref, purpose))
            await self._follow(ref, extras, purpose, is_opened=True)
        elif ref.link.has_metadata:
            await self._follow(ref, extras, purpose, is_opened=False)

    async def _follow(self, ref: FileRef, extras: frozenset[str], purpose: Purpose, *, is_opened: bool) -> None:
        found = await self._metadata.ahead(ref, purpose, is_opened=is_opened)
        for wanted in requirements(found, self._target().environment, extras):
            self._begin_once(partial(self._bring, wanted, purpose), (wanted.project, wanted.extras))

    def _target(self) -> Target:
        """Return what the resolver runs on: the Python that the last opened file is made for, else our own."""
        target = self._targets.get(self._python)
        if target is None:
            machine = self._machine
            target = targets.named(self._python, (), machine_platforms=machine.platforms, environment=machine.environment)
            self._targets[self._python] = target
        return target
