"""Requests for project pages: at most one in flight per index and project; its outcome goes into the catalog."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.errors import OriginError, OriginTimeout, OriginUnreachable, WheelfsError
from wheelfs.model.links import Validators
from wheelfs.remote.origin import PAGE_ARRIVES, PageAbsent, PageFound, PageUnchanged
from wheelfs.service.tasks import await_future, failure
from wheelfs.store.catalog.records import PageRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.links import ProjectPage
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import PageOutcome
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.index import Index
    from wheelfs.service.projects.limits import ProjectLimits
    from wheelfs.service.projects.replacements import Replacements
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import PageHead

log = logging.getLogger(__name__)


class PageRequest(msgspec.Struct):
    """A request in flight; once it is ``done``, the catalog has the answer, or ``error`` is why there is none."""

    done: trio.Event
    error: WheelfsError | None = None
    is_arriving: bool = False
    """Part of the page has come."""
    is_saved: bool = False
    """The answer is in the catalog; what it says of stored files without hashes is being looked into."""


class _Silence(msgspec.Struct):
    """Since when an index with open requests has been silent, and the deadline of each request by itself."""

    since_s: float = 0.0
    open: dict[trio.CancelScope, float] = msgspec.field(default_factory=dict)


class PageRequests:
    """The page requests of one process."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        hosts: Hosts,
        nursery: trio.Nursery,
        timeout_s: float,
        limits: ProjectLimits,
        replacements: Replacements,
    ) -> None:
        """``timeout_s`` is how long an index with open requests may be silent, and the longest that a caller waits for it."""
        self._replacements = replacements
        self._catalog = catalog
        self._hosts = hosts
        self._nursery = nursery
        self._timeout_s = timeout_s
        self._limits = limits
        self._in_flight: dict[tuple[str, str], PageRequest] = {}
        self._failed: dict[tuple[str, str], tuple[float, WheelfsError]] = {}
        self._silences: dict[str, _Silence] = {}
        self._left_out: dict[tuple[str, str], str | None] = {}

    def begin(self, index: Index, project: ProjectName, head: PageHead | None) -> PageRequest:
        """Ask the index in the background; join the request in flight if there is one.  ``head`` is what is known so far."""
        key = (index.name, project)
        request = self._in_flight.get(key)
        if request is None:
            request = self._in_flight[key] = PageRequest(trio.Event())
            self._nursery.start_soon(self._run, index, project, head, request)
        return request

    async def ended(self, request: PageRequest, attempted: str) -> WheelfsError | None:
        """Wait for a request's end, bounded, and return why there is no answer.  A page that is arriving goes on doing so."""
        with trio.move_on_after(self._timeout_s):
            await request.done.wait()
        if request.is_saved or not request.is_arriving:  # what is left is bounded, and ends now
            await request.done.wait()
        if request.done.is_set():
            return request.error
        happened = f"its page is arriving, and not complete after {self._timeout_s:.0f} s"
        return OriginTimeout(attempted, happened, "try again: the rest of it is still being fetched")

    def recent_failure(self, index: Index, project: ProjectName, within_s: float) -> WheelfsError | None:
        """Return why the latest request failed, if that was within the last ``within_s`` seconds."""
        failed = self._failed.get((index.name, project))
        return failed[1] if failed is not None and trio.current_time() - failed[0] < within_s else None

    def forget_failures(self, index: str) -> None:
        """Ask an index again that has refused what it will now allow."""
        for key in [key for key in self._failed if key[0] == index]:
            del self._failed[key]

    async def _run(self, index: Index, project: ProjectName, head: PageHead | None, request: PageRequest) -> None:
        attempted = f"look up {project} on {index.name}"
        try:
            await self._save(index, project, await self._ask(attempted, index, project, head, request))
            request.is_saved = True
            await self._look_for_replacements(index, project)
        except BaseException as error:
            request.error = failure(attempted, error)
            if not isinstance(error, Exception):
                raise
        finally:
            del self._in_flight[(index.name, project)]
            self._failed.pop((index.name, project), None)
            if request.error is not None:
                level = logging.INFO if isinstance(request.error, OriginUnreachable) else logging.WARNING
                log.log(level, "%s", request.error)
                self._failed[(index.name, project)] = trio.current_time(), request.error
                if len(self._failed) > self._limits.max_failures:
                    self._failed.pop(next(iter(self._failed)))
            request.done.set()

    async def _look_for_replacements(self, index: Index, project: ProjectName) -> None:
        """Ask for stored files as the page was asked for; a caller that waits for the page waits for that only briefly."""
        done = trio.Event()

        async def look() -> None:
            try:
                await self._replacements.look_for(index, project)
            except Exception as error:  # a task that fails here would end the mount
                log.error("%s", failure(f"look for replaced files of {project} on {index.name}", error))
            finally:
                done.set()

        self._nursery.start_soon(look)
        with trio.move_on_after(self._limits.replaced_wait_s):
            await done.wait()

    async def _ask(
        self, attempted: str, index: Index, project: ProjectName, head: PageHead | None, request: PageRequest
    ) -> PageOutcome:
        validators = None
        if head is not None and head.index_url == index.url:
            validators = head.validators or Validators()
        with (
            self._hosts.request(
                attempted,
                index.url,
                timeout_s=self._timeout_s,
                probe_url=_page_url(index, project),
                index_url=index.url,
            ) as scope,
            self._sharing_one_silence(index.name, scope) as heard,
        ):

            def arrives() -> None:
                request.is_arriving = True
                self._hosts.saw_progress(index.url)
                heard()

            PAGE_ARRIVES.set(arrives)  # this task's own
            return await index.client.project_page(project, validators=validators)

    @contextmanager
    def _sharing_one_silence(self, index: str, scope: trio.CancelScope) -> Iterator[Callable[[], None]]:
        """Count the timeout of ``scope`` from when the index fell silent to all requests, so that all callers wait only once.

        What is yielded is to be called whenever part of the response has come.
        Otherwise a request sent to a hanging index just before the first one times out would wait for a whole timeout again.
        Any part of a response is a sign of life, after which each open request has its own full timeout.
        """
        now_s = trio.current_time()
        silence = self._silences.setdefault(index, _Silence())
        if not silence.open:
            silence.since_s = now_s
        alive = False
        scope.deadline = silence.since_s + self._timeout_s
        silence.open[scope] = now_s + self._timeout_s
        last_s = now_s + max(self._timeout_s, self._limits.page_s)

        def heard() -> None:
            silence.since_s = trio.current_time()
            if scope in silence.open:
                silence.open[scope] = min(silence.since_s + self._timeout_s, last_s)
            for other, deadline_s in silence.open.items():
                other.deadline = deadline_s

        try:
            yield heard
            alive = True
        except OriginError as error:
            alive = not isinstance(error, OriginUnreachable | OriginTimeout)
            raise
        finally:
            del silence.open[scope]
            if alive:
                heard()

    async def _save(self, index: Index, project: ProjectName, outcome: PageOutcome) -> None:
        now_us = time.time_ns() // 1_000
        match outcome:
            case PageFound(page, validators, max_age_s):
                self._tell_left_out(index, project, page)
                record = PageRecord(
                    index_url=index.url,
                    fetched_at_us=now_us,
                    validators=validators,
                    absent=False,
                    max_age_s=max_age_s,
                    page=page,
                )
                await await_future(self._catalog.put_page(index.name, project, record))
            case PageUnchanged(max_age_s):
                await await_future(self._catalog.touch_page(index.name, project, fetched_at_us=now_us, max_age_s=max_age_s))
            case PageAbsent():
                await await_future(self._catalog.put_absent(index.name, project, index_url=index.url, fetched_at_us=now_us))

    def _tell_left_out(self, index: Index, project: ProjectName, page: ProjectPage) -> None:
        """Log which links a page has beside its files, whenever that is another story than last time."""
        explained = page.explain_left_out()
        key = (index.name, project)
        if explained == self._left_out.get(key):
            return
        self._left_out[key] = explained
        if len(self._left_out) > self._limits.max_failures:
            self._left_out.pop(next(iter(self._left_out)))
        if explained is not None:
            log.info("the page of %s on %s: %s", project, index.name, explained)


def _page_url(index: Index, project: ProjectName) -> str | None:
    """Return what to probe: a page, since the list of all projects may be large and slow, or missing."""
    return f"{index.url}/{project}/" if index.url.startswith("http") else None
