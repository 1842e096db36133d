"""Which hosts can be asked now: one circuit breaker a host, probed in the background, and the state that users see.

The breaker belongs to the host and not to the index, since an index's pages and its files often live on different hosts, and
either can be away by itself.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import trio

from wheelfs.core.fetch import breaker
from wheelfs.core.fetch.breaker import Down, Up
from wheelfs.core.fetch.delta import after_answer
from wheelfs.errors import OriginError, OriginFault, OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from wheelfs.core.fetch.breaker import Reachability
    from wheelfs.core.fetch.delta import Pace
    from wheelfs.reports.status import OriginHealth
    from wheelfs.telemetry import Counters

log = logging.getLogger(__name__)

MAX_HOSTS: Final = 1_000
"""A page can name any host; more than this many are not remembered (the longest unused one is forgotten)."""

SLOW_AFTER_S: Final = 0.5
"""A host that is asked and has shown no sign of life for this long is not prompt: readers of stale pages stop waiting for it.

As long as the first of them waits: with twice that, an install from a store whose index hangs took a second longer.
"""


LIVELY_S: Final = 3.0
"""A host that has brought something to somebody within this time is not down, whatever became of one question: it is busy.

Less than a stalled share gets (`asking.STALL_PART`), so that one that freezes is found out by all streams together.
"""


@dataclass(slots=True)
class _Host:
    state: Reachability
    pace: Pace | None
    last_error: str | None = None
    """What was wrong with its last answer, or that there was none; None since it has answered well."""
    asked_at_s: float | None = None
    """When the host was asked, or has answered last, while a question is open; None when none is open."""
    alive_at_s: float = -math.inf
    """When it brought something last, probes apart: one that answers probes may fail all else."""
    open_questions: int = 0
    probe_url: str = ""
    answered: bool = False
    is_probed: bool = False
    is_behind: bool = False
    """Others are asked first: it failed or was silent while they were not, and has not answered well since."""


class Paces(Protocol):
    """What earlier processes have seen, and later ones will know."""

    def known(self, host: str) -> Pace | None: ...

    def keep(self, host: str, pace: Pace) -> None: ...


class Hosts:
    """The reachability of every host, by ``scheme://host:port``; ``epoch`` grows whenever one goes down or comes back."""

    def __init__(
        self,
        *,
        offline: bool,
        probe: Callable[[str], Awaitable[None]],
        counters: Counters,
        paces: Paces,
        places: Iterable[str] = (),
    ) -> None:
        """``probe(url)`` asks for something cheap and raises `OriginUnreachable` or `OriginTimeout` when there is no answer.

        ``places`` are addresses without a host (``file:///...``), each of which is taken for a host of its own: one file system
        may hang while another does not.

        ``paces`` outlive the process.  Every request is counted here, since a mount asks no origin but through here: none
        counted means that no network was used.
        """
        self.offline = offline
        self._counters = counters
        self._paces = paces
        self.epoch = 0
        self._probe = probe
        self._places = sorted((place for place in places if not urlsplit(place).netloc), key=len, reverse=True)
        self._hosts: dict[str, _Host] = {}
        self._wake = trio.Event()

    def may_ask(self, url: str) -> bool:
        """Return whether a request for ``url`` would be let through now."""
        return not self.offline and isinstance(self._host(url).state, Up)

    def standing(self, url: str) -> object:
        """Return a value that is another one whenever `may_ask` or what `state` says of since when would be."""
        state = self._host(url).state
        return state.since_s if isinstance(state, Down) else not self.offline

    def wanted(self, url: str) -> bool:
        """Do what `may_ask` does for somebody who would ask now: a host that is down is looked after the sooner."""
        host = self._host(url)
        if isinstance(host.state, Down) and not self.offline:
            host.state = breaker.in_demand(host.state)
            self._wake.set()
        return self.may_ask(url)

    def is_prompt(self, url: str) -> bool:
        """Return whether the host has no question open, or has answered another one lately."""
        host = self._host(url)
        return host.asked_at_s is None or trio.current_time() - host.asked_at_s < SLOW_AFTER_S

    def fell_behind(self, url: str) -> None:
        """Note that the host failed, or let somebody wait, where there are others to ask."""
        self._host(url).is_behind = True

    def is_behind(self, url: str) -> bool:
        """Return whether the host `fell_behind` and has not answered well since."""
        return self._host(url).is_behind

    @contextmanager
    def asking(
        self,
        attempted: str,
        url: str,
        *,
        probe_url: str | None = None,
        may_lack: bool = False,
        silent_s: float = LIVELY_S,
    ) -> Iterator[None]:
        """Run a request inside: refuses at once when the host is down, and learns from how the request ends.

        ``probe_url`` is what to ask for when it is to be found out whether the host is back (by default the first ``url``).
        ``may_lack``: that it does not have what is asked for is no trouble worth telling.  ``silent_s``: for how long the request
        has brought nothing when it is given up.
        Raises `OriginUnreachable` within microseconds while offline or while the host is known to be down.
        """
        if self.offline:
            raise OriginUnreachable(
                attempted, "wheelfs is offline (--offline)", "stored files stay available; start without --offline to fetch"
            )
        host = self._host(url)
        host.probe_url = probe_url or host.probe_url or url
        if isinstance(host.state, Down):
            host.state = breaker.in_demand(host.state)
            self._wake.set()
            raise OriginUnreachable(
                attempted,
                f"{self.name(url)} is down: {host.state.reason}",
                "it is asked again in the background and comes back by itself",
            )
        self._counters.count_request()
        host.open_questions += 1
        began_s = trio.current_time()
        if host.asked_at_s is None:
            host.asked_at_s = began_s
        try:
            yield
        except (OriginUnreachable, OriginTimeout) as error:
            self._gave_up(url, host, error, began_s, silent_s)
            raise
        except trio.TooSlowError:
            silence = OriginTimeout(attempted, "no answer within the bound")
            self._gave_up(url, host, silence, began_s, silent_s)
            raise
        except OriginError as error:
            is_well = may_lack and isinstance(error, OriginMissing)
            if not is_well:
                host.last_error = str(error)
            self._answered(url, host, is_well=is_well)
            raise
        else:
            self._answered(url, host)
        finally:
            host.open_questions -= 1
            if host.open_questions == 0:
                host.asked_at_s = None

    def saw_life(self, url: str) -> None:
        """Note that an answer of the host goes on."""
        self._host(url).alive_at_s = trio.current_time()

    def state(self, url: str) -> tuple[OriginHealth, float | None, str | None]:
        """Return ``(health, since, last_error)`` for status; ``since`` in seconds of the epoch, for a host that is down.

        A host that is up and has an error answers, but not as it should: it refuses, or has nothing where a share was named.
        """
        host = self._host(url)
        match host.state:
            case Down(since_s=since_s):
                return "down", round(time.time() - (trio.current_time() - since_s)), host.last_error
            case Up():
                return ("up" if host.answered else "unknown"), None, host.last_error

    def pace(self, url: str) -> Pace | None:
        """Return how the host has answered lately; None while that is not known."""
        return self._host(url).pace

    def saw_answer(self, url: str, *, latency_s: float, size_bytes: int, duration_s: float) -> None:
        """Learn from an answer that came to its end: when it began, how much it brought, and for how long it came."""
        host = self._host(url)
        pace = after_answer(host.pace, latency_s=latency_s, size_bytes=size_bytes, duration_s=duration_s)
        if pace is not None and pace is not host.pace:
            host.pace = pace
            self._paces.keep(self.name(url), pace)

    async def probe_for_ever(self) -> None:
        """Probe hosts that are down whenever their pause is over, so that they come back by themselves."""
        async with trio.open_nursery() as nursery:  # one host that hangs keeps no other one from being found to be back
            while True:
                waiting = [(at_s, host) for host in self._hosts.values() if (at_s := _due_s(host)) is not None]
                wait_s = min((at_s for at_s, _ in waiting), default=None)
                with trio.move_on_after(3_600.0 if wait_s is None else max(0.05, wait_s - trio.current_time())):
                    await self._wake.wait()
                self._wake = trio.Event()
                for _, host in waiting:
                    if isinstance(host.state, Down) and host.state.retry_at_s <= trio.current_time():
                        host.is_probed = True
                        nursery.start_soon(self._probe_one, host)

    async def _probe_one(self, host: _Host) -> None:
        self._counters.count_request()
        try:
            await self._ask_for_life(host)
        finally:
            host.is_probed = False
            self._wake.set()

    async def _ask_for_life(self, host: _Host) -> None:
        try:
            await self._probe(host.probe_url)
        except (OriginUnreachable, OriginTimeout) as error:
            self._failed(host.probe_url, host, error)
        except OriginError:
            self._answered(host.probe_url, host, is_probe=True)
        except Exception as error:
            # A task that fails here would end the mount; whatever it was, the host did not answer.
            self._failed(
                host.probe_url, host, OriginFault("probe", failure(f"probe {self.name(host.probe_url)}", error).happened)
            )
        else:
            self._answered(host.probe_url, host, is_probe=True)

    def _gave_up(self, url: str, host: _Host, error: OriginError, began_s: float, silent_s: float) -> None:
        """Note that a question was in vain: the host is down, unless it has brought something to others meanwhile."""
        if host.alive_at_s > max(began_s, trio.current_time() - min(silent_s, LIVELY_S)):
            host.last_error = str(error)
        else:
            self._failed(url, host, error)

    def _failed(self, url: str, host: _Host, error: OriginError) -> None:
        host.last_error = str(error)
        before = host.state
        host.state = breaker.after_failure(before, now_s=trio.current_time(), reason=error.happened)
        if isinstance(before, Up):
            log.warning("%s is down: %s; what is stored stays available", self.name(url), error.happened)
            self.epoch += 1
        self._wake.set()

    def _answered(self, url: str, host: _Host, *, is_probe: bool = False, is_well: bool = True) -> None:
        if isinstance(host.state, Down):
            log.warning("%s answers again", self.name(url))
            self.epoch += 1
        host.state = (breaker.after_probe if is_probe else breaker.after_success)(host.state)
        host.answered = True
        if is_well:
            host.last_error = None
        if not is_probe:
            host.alive_at_s = trio.current_time()
        host.is_behind = host.is_behind and not is_well
        if host.asked_at_s is not None:
            host.asked_at_s = trio.current_time()

    def name(self, url: str) -> str:
        """Return what is taken for one host: all that is asked there shares a state."""
        parts = urlsplit(url)
        if parts.netloc:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return next((place for place in self._places if is_within(url, place)), f"{parts.scheme}://")

    def _host(self, url: str) -> _Host:
        name = self.name(url)
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= MAX_HOSTS:
                idle = next((key for key, value in self._hosts.items() if value.open_questions == 0), None)
                if idle is not None:
                    del self._hosts[idle]
            host = self._hosts[name] = _Host(Up(), self._paces.known(name))
        return host


def is_within(url: str, place: str) -> bool:
    """Return whether an address is another one or below it; ``http://head:80`` has nothing to do with ``http://head:8080``."""
    return url.startswith(place) and url[len(place) : len(place) + 1] in ("", "/", "?", "#")


def _due_s(host: _Host) -> float | None:
    """Return when a host is to be probed; None when it is up, or is being probed."""
    return host.state.retry_at_s if isinstance(host.state, Down) and not host.is_probed else None
