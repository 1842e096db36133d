"""Asking indexes about projects: one question for each index and project at a time, whose answer goes into the catalog."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import OriginError, OriginTimeout, OriginUnreachable, WheelfsError
from wheelfs.remote.origin import PageAbsent, PageFound, PageUnchanged
from wheelfs.service.tasks import await_future, failure
from wheelfs.store.catalog.records import PageRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import PageOutcome
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.projects import Index
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import PageHead

log = logging.getLogger(__name__)

MAX_FAILED: Final = 1_000


@dataclass(slots=True)
class Question:
    """A question that is under way; when it is ``done``, the catalog has the answer, or ``error`` is why there is none."""

    done: trio.Event
    error: WheelfsError | None = None


@dataclass(slots=True)
class _Silence:
    """How long an index that is being asked has said nothing, and until when each of its questions may wait."""

    since_s: float = 0.0
    open: dict[trio.CancelScope, float] = field(default_factory=dict)


class Questions:
    """The questions of one process."""

    def __init__(self, *, catalog: Catalog, hosts: Hosts, nursery: trio.Nursery, bound_s: float) -> None:
        """``bound_s`` is how long an index may be silent while it is asked."""
        self._catalog = catalog
        self._hosts = hosts
        self._nursery = nursery
        self._bound_s = bound_s
        self._open: dict[tuple[str, str], Question] = {}
        self._failed: dict[tuple[str, str], tuple[float, WheelfsError]] = {}
        self._silences: dict[str, _Silence] = {}

    def begin(self, index: Index, project: ProjectName, head: PageHead | None) -> Question:
        """Ask the index in the background, once however many want to know; ``head`` is what is known so far."""
        key = (index.name, project)
        question = self._open.get(key)
        if question is None:
            question = self._open[key] = Question(trio.Event())
            self._nursery.start_soon(self._ask, index, project, head, question)
        return question

    def failed_lately(self, index: Index, project: ProjectName, within_s: float) -> WheelfsError | None:
        """Return why a question failed within the last ``within_s`` seconds, if it did."""
        failed = self._failed.get((index.name, project))
        return failed[1] if failed is not None and trio.current_time() - failed[0] < within_s else None

    async def _ask(self, index: Index, project: ProjectName, head: PageHead | None, question: Question) -> None:
        attempted = f"look up {project} on {index.name}"
        validators = head.validators if head is not None and head.index_url == index.url else None
        try:
            with self._hosts.asking(attempted, index.url, probe_url=_page_url(index, project)), self._bounded(index.name):
                outcome = await index.client.project_page(project, validators=validators)
            await self._keep(index, project, outcome)
        except trio.TooSlowError:
            question.error = OriginTimeout(attempted, f"no answer within {self._bound_s:.0f} s")
        except BaseException as error:
            question.error = failure(attempted, error)
            if not isinstance(error, Exception):
                raise
        finally:
            del self._open[(index.name, project)]
            self._failed.pop((index.name, project), None)
            if question.error is not None:
                level = logging.INFO if isinstance(question.error, OriginUnreachable) else logging.WARNING
                log.log(level, "%s", question.error)
                self._failed[(index.name, project)] = trio.current_time(), question.error
                if len(self._failed) > MAX_FAILED:
                    self._failed.pop(next(iter(self._failed)))
            question.done.set()

    @contextmanager
    def _bounded(self, index: str) -> Iterator[None]:
        """Bound the wait inside by how long the index has been silent to everybody, so that all who ask wait once together.

        Whoever asks a hanging index just before its first question gives up would else wait all over again.  Any answer is a sign
        of life, after which each question has its own whole time.
        """
        now_s = trio.current_time()
        silence = self._silences.setdefault(index, _Silence())
        if not silence.open:
            silence.since_s = now_s
        alive = False
        with trio.CancelScope(deadline=silence.since_s + self._bound_s) as scope:
            silence.open[scope] = now_s + self._bound_s
            try:
                yield
                alive = True
            except OriginError as error:
                alive = not isinstance(error, OriginUnreachable | OriginTimeout)
                raise
            finally:
                del silence.open[scope]
                if alive:
                    silence.since_s = trio.current_time()
                    for other, deadline_s in silence.open.items():
                        other.deadline = deadline_s
        if scope.cancelled_caught:
            raise trio.TooSlowError

    async def _keep(self, index: Index, project: ProjectName, outcome: PageOutcome) -> None:
        now_us = time.time_ns() // 1_000
        match outcome:
            case PageFound(page, validators, max_age_s, _):
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


def _page_url(index: Index, project: ProjectName) -> str | None:
    """Return what to probe for: a page, since the list of all projects may be large and slow, or not be there at all."""
    return f"{index.url}/{project}/" if index.url.startswith("http") else None
