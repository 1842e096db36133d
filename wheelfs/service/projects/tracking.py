"""Keeping tracked projects up to date: their pages, and the sizes of their files.

Where the index does not tell sizes, each file's is asked for once, without its bytes, and kept; the newest versions come first,
since those are what people install.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.core.projects import tracking
from wheelfs.core.projects.ownership import NoSuchProject, Owned, Undecided
from wheelfs.errors import OriginDenied, OriginError, OriginMissing, OriginTimeout, OriginUnreachable, WheelfsError
from wheelfs.model.names import ProjectName
from wheelfs.reports.status import TrackedState
from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from wheelfs.model.tracked import Tracked
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.limits import TrackingLimits
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.tracked_files import TrackedFiles

log = logging.getLogger(__name__)


class _Project(msgspec.Struct):
    """What is known of the care for one project.

    ``trouble`` is why nothing can be listed of it; ``is_behind``: its page or sizes could not be had when they were due.
    """

    tracked: Tracked
    due_s: float
    unsized: int = 0
    trouble: WheelfsError | None = None
    is_queued: bool = False
    is_behind: bool = True


class Tracking:
    """Asks for pages and sizes of what is tracked, while `keep_fresh` runs."""

    def __init__(self, *, files: TrackedFiles, projects: Projects, context: FetchContext, limits: TrackingLimits) -> None:
        """Ask about ``files``."""
        self._files = files
        self._limits = limits
        self._projects = projects
        self._context = context
        self._catalog = context.store.catalog
        self._care: dict[str, _Project] = {}
        self._lost: dict[bytes, float] = {}
        self._queue: deque[_Project] = deque()
        self._more = trio.Event()
        self._size_requests = trio.Semaphore(limits.sizes_at_once)

    def state(self) -> TrackedState:
        """Return how the tracked projects are, as far as `keep_fresh` has come."""
        cared = self._care.values()
        return TrackedState(
            projects=len(cared), unsized=sum(one.unsized for one in cared), failing=sum(one.trouble is not None for one in cared)
        )

    async def keep_fresh(self) -> None:
        """Refresh pages that have expired and find unknown sizes; never returns."""
        seen = epoch = -1
        async with trio.open_nursery() as nursery:
            for _ in range(self._limits.projects_at_once):
                nursery.start_soon(self._work)
            while True:
                try:
                    transaction = self._catalog.last_transaction()
                    if transaction != seen:
                        seen = transaction
                        self._take_up()
                    if epoch != (epoch := self._context.hosts.epoch):  # something went down, or has come back
                        self._hurry()
                    self._queue_due()
                except Exception as error:
                    log.warning("%s", failure("look after what is tracked", error))
                await trio.sleep(self._limits.poll_s)

    def _take_up(self) -> None:
        """Notice what was tracked and untracked since."""
        before, self._care = self._care, {}
        for tracked in self._files.tracked():
            one = before.get(tracked.project)
            self._care[tracked.project] = one if one is not None and one.tracked == tracked else _Project(tracked, 0.0)

    def _hurry(self) -> None:
        for one in self._care.values():
            if one.is_behind:
                one.due_s = 0.0

    def _queue_due(self) -> None:
        """Hand those whose time has come to `_work`."""
        now_s = trio.current_time()
        for one in self._care.values():
            if not one.is_queued and one.due_s <= now_s:
                one.is_queued = True
                self._queue.append(one)
        if self._queue:
            self._more.set()
            self._more = trio.Event()

    async def _work(self) -> None:
        while True:
            while not self._queue:
                await self._more.wait()
            await trio.lowlevel.checkpoint()  # what is known already is looked after without another
            if not self._queue:
                continue
            one = self._queue.popleft()
            one.is_behind, one.due_s = True, trio.current_time() + self._limits.retry_s
            try:
                await self._refresh(one)
            except Exception as error:
                log.warning("%s", failure(f"look after {one.tracked}", error))
            finally:
                one.is_queued = False

    async def _refresh(self, one: _Project) -> None:
        project = ProjectName(one.tracked.project)
        match await self._projects.find(project):
            case Undecided(error):
                _note(one, error)
            case NoSuchProject():
                _note(one, OriginMissing(f"track {project}", "no configured index has such a project"))
            case Owned() as owned:
                _note(one, None)
                fresh_s = self._projects.fresh_for_s(owned, project)
                if await self._find_sizes(one, self._files.refs_of(one.tracked, owned)) and fresh_s > 0:
                    one.is_behind, one.due_s = False, trio.current_time() + fresh_s

    async def _find_sizes(self, one: _Project, refs: list[FileRef]) -> bool:
        """Find out unknown sizes; return False when the rest has to wait."""
        now_s = trio.current_time()
        unsized = [ref for ref, size in zip(refs, self._context.facts.sizes_of(refs), strict=True) if size is None]
        wanted = [ref for ref in unsized if self._lost.get(ref.key, 0.0) <= now_s]
        one.unsized = len(unsized)
        if not wanted:
            return True
        by_link = {ref.link.filename: ref for ref in wanted}
        found = 0
        async with trio.open_nursery() as nursery:

            async def ask(ref: FileRef) -> None:
                nonlocal found
                try:
                    known = await self._ask_size(ref)
                except (OriginUnreachable, OriginTimeout) as error:
                    log.info("%s", error)
                    nursery.cancel_scope.cancel()  # the others would fail in the same way: all of them later
                except OriginError as error:
                    log.info("%s", error)
                    self._lose(
                        ref, self._limits.lost_s if isinstance(error, OriginMissing | OriginDenied) else self._limits.fault_s
                    )
                else:
                    found += known
                    one.unsized -= known
                finally:
                    self._size_requests.release()

            for link in tracking.newest_first([ref.link for ref in wanted]):
                ref = by_link[link.filename]
                await self._size_requests.acquire()
                nursery.start_soon(ask, ref)
        if found:
            await await_future(self._catalog.report_project(one.tracked.project))
        return not nursery.cancel_scope.cancel_called

    async def _ask_size(self, ref: FileRef) -> bool:
        """Ask the origin for a file's size; return whether it told."""
        size_bytes = self._context.facts.size_of(ref)  # another mount of this store may have been faster
        if size_bytes is None:
            size_bytes = await self._context.ask_size(ref)
        if size_bytes is None:
            self._lose(ref, self._limits.lost_s)
        return size_bytes is not None

    def _lose(self, ref: FileRef, for_s: float) -> None:
        self._lost[ref.key] = trio.current_time() + for_s
        if len(self._lost) > self._limits.max_lost:
            self._lost.pop(next(iter(self._lost)))


def _note(one: _Project, trouble: WheelfsError | None) -> None:
    if trouble is not None and one.trouble is None:
        log.warning("%s is tracked, but: %s", one.tracked, trouble)
    one.trouble = trouble
