"""Which hosts can be asked now: one circuit breaker per host, probed in the background, and the state shown to users.

The breaker belongs to the host and not to the index, since an index's pages and its files often live on different hosts, and
either can be down alone.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import msgspec
import trio

from wheelfs.core.fetch import breaker
from wheelfs.core.fetch.breaker import Down, Up
from wheelfs.core.fetch.rate import after_response
from wheelfs.errors import OriginError, OriginFault, OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.service.hosts.limits import HOST_LIMITS
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from wheelfs.core.fetch.breaker import Reachability
    from wheelfs.core.fetch.rate import RateEstimate
    from wheelfs.reports.status import OriginHealth
    from wheelfs.service.hosts.limits import HostLimits
    from wheelfs.telemetry import Counters

log = logging.getLogger(__name__)


class _Host(msgspec.Struct):
    state: Reachability
    rate: RateEstimate | None
    last_error: str | None = None
    """What was wrong with the last response, or that there was none; None since a good response."""
    answered: set[str] = msgspec.field(default_factory=set)
    """The indexes on this host that have answered."""
    pending_since_s: float | None = None
    """When the host was asked, or last responded, while requests are open; None while none is."""
    active_at_s: float = -math.inf
    """When it last sent something, not counting probes: a host that answers probes may fail everything else."""
    open_requests: int = 0
    probe_url: str = ""
    responded: bool = False
    is_probed: bool = False
    is_deprioritized: bool = False
    """Other sources are asked first: it failed or was silent while they were not, and has not responded well since."""


class RateStore(Protocol):
    """Rate estimates of earlier processes, kept for later ones."""

    def load(self, host: str) -> RateEstimate | None: ...

    def save(self, host: str, rate: RateEstimate) -> None: ...


class Hosts:
    """The reachability of every host, by ``scheme://host:port``; ``epoch`` grows whenever one goes down or comes back."""

    def __init__(
        self,
        *,
        offline: bool,
        probe: Callable[[str], Awaitable[None]],
        probe_timeout_s: float,
        counters: Counters,
        rates: RateStore,
        file_urls: Iterable[str] = (),
        limits: HostLimits = HOST_LIMITS,
    ) -> None:
        """``probe(url)`` asks for something cheap and raises an `OriginError`; it is given ``probe_timeout_s``.

        ``file_urls`` are addresses without a host (``file:///...``).  Each counts as a host of its own: one file system may hang
        while another does not.  ``rates`` outlive the process.

        Every request is counted here: a mount makes none except through this class, so a count of zero means that the network was
        not used.
        """
        self.offline = offline
        self._limits = limits
        self.counters = counters
        self._rates = rates
        self.epoch = 0
        self._probe = probe
        self._probe_timeout_s = probe_timeout_s
        self._file_urls = sorted((url for url in file_urls if not urlsplit(url).netloc), key=len, reverse=True)
        self._hosts: dict[str, _Host] = {}
        self._errors: dict[str, str] = {}
        """By index: what was wrong with its last response.  A host may have many of them."""
        self._wake = trio.Event()

    # --- what callers decide by -----------------------------------------------------------------------------------

    def may_ask(self, url: str) -> bool:
        """Return whether a request for ``url`` would be let through now."""
        return not self._is_forbidden(url) and isinstance(self._host(url).state, Up)

    def may_ask_now(self, url: str) -> bool:
        """Do what `may_ask` does for a caller with a request at hand: if the host is down, it is probed sooner."""
        self._demand(self._host(url))
        return self.may_ask(url)

    def availability(self, url: str) -> object:
        """Return a value that changes whenever the result of `may_ask`, or the time since which the host is down, changes."""
        state = self._host(url).state
        return state.since_s if isinstance(state, Down) else not self._is_forbidden(url)

    def is_responsive(self, url: str) -> bool:
        """Return whether the host has no open request, or has recently responded to one."""
        pending_since_s = self._host(url).pending_since_s
        return pending_since_s is None or trio.current_time() - pending_since_s < self._limits.slow_after_s

    def deprioritize(self, url: str) -> None:
        """Note that the host failed or was slow where other sources were available."""
        self._host(url).is_deprioritized = True

    def is_deprioritized(self, url: str) -> bool:
        """Return whether `deprioritize` was called and the host has not responded well since."""
        return self._host(url).is_deprioritized

    def state(self, url: str) -> tuple[OriginHealth, float | None, str | None]:
        """Return ``(health, since, last_error)`` for status; ``since`` in seconds of the epoch, for a host that is down.

        A host that is up and has an error responds, but not as it should: it refuses, or has nothing where a share was named.
        """
        host = self._host(url)
        match host.state:
            case Down(since_s=since_s):
                return "down", round(time.time() - (trio.current_time() - since_s)), host.last_error
            case Up():
                responded = url in host.answered or (host.responded and not host.answered)
                return ("up" if responded else "unknown"), None, self._errors.get(url) or host.last_error

    def note_contact(self, index_url: str, error: OriginError | None) -> None:
        """Note for `state` how an index answered, or did not, where no caller waits: no host goes down by it, or comes back."""
        if error is None:
            self._host(index_url).answered.add(index_url)
        else:
            self._errors[index_url] = str(error)

    def rate(self, url: str) -> RateEstimate | None:
        """Return the rate estimate of a host; None while there is none."""
        return self._host(url).rate

    # --- requests -------------------------------------------------------------------------------------------------

    @contextmanager
    def request(
        self,
        attempted: str,
        url: str,
        *,
        timeout_s: float,
        probe_url: str | None = None,
        may_lack: bool = False,
        silence_s: float | None = None,
        on_timeout: OriginTimeout | None = None,
        index_url: str | None = None,
    ) -> Iterator[trio.CancelScope]:
        """Run a request in the block: fails at once when the host is down, and updates its state from how the request ends.

        The block is cancelled after ``timeout_s`` and `OriginTimeout` raised (``on_timeout``, if given).  The scope is yielded
        for streams, which move its deadline as bytes arrive.
        ``probe_url`` is fetched to find out whether the host is back (default: the first ``url``).  With ``may_lack`` a missing
        object is a normal response and not reported as an error.  ``silence_s`` is how long a timed-out request had received
        nothing (default and at most `HostLimits.recently_active_s`).  ``index_url`` is the index or share under which `state`
        tells what was wrong with the response: whether a host can be reached is the host's, what it answers is theirs.
        Raises `OriginUnreachable` within microseconds while offline or while the host is known to be down.
        """
        host = self._admitted(attempted, url)
        host.probe_url = probe_url or host.probe_url or url
        self.counters.count_request()
        host.open_requests += 1
        began_s = trio.current_time()
        if host.pending_since_s is None:
            host.pending_since_s = began_s
        try:
            try:
                with trio.fail_after(timeout_s) as scope:
                    yield scope
            except trio.TooSlowError:
                raise on_timeout or OriginTimeout(attempted, f"no answer within {timeout_s:.0f} s") from None
        except (OriginUnreachable, OriginTimeout) as error:
            self._gave_up(url, host, error, began_s, silence_s)
            raise
        except OriginError as error:
            is_well = may_lack and isinstance(error, OriginMissing)
            if not is_well and index_url is not None:
                self._errors[index_url] = str(error)
            elif not is_well:
                host.last_error = str(error)
            self._responded(url, host, is_well=is_well, index_url=index_url)
            raise
        else:
            if index_url is not None:
                self._errors.pop(index_url, None)
            self._responded(url, host, index_url=index_url)
        finally:
            host.open_requests -= 1
            if host.open_requests == 0:
                host.pending_since_s = None

    def _admitted(self, attempted: str, url: str) -> _Host:
        """Return the host if a request may be sent to it; raises `OriginUnreachable`."""
        if self._is_forbidden(url):
            raise OriginUnreachable(
                attempted, "wheelfs is offline (--offline)", "stored files stay available; start without --offline to fetch"
            )
        host = self._host(url)
        if isinstance(host.state, Down):
            self._demand(host)
            raise OriginUnreachable(
                attempted,
                f"{self.name(url)} is down: {host.state.reason}",
                "it is asked again in the background and comes back by itself",
            )
        return host

    def saw_progress(self, url: str) -> None:
        """Note that a response of the host is still arriving."""
        self._host(url).active_at_s = trio.current_time()

    def measured(self, url: str, *, latency_s: float, size_bytes: int, duration_s: float) -> None:
        """Update the rate estimate from a complete response: time to its first byte, size, and time from there to the end."""
        host = self._host(url)
        rate = after_response(host.rate, latency_s=latency_s, size_bytes=size_bytes, duration_s=duration_s)
        if rate is not None and rate is not host.rate:
            host.rate = rate
            self._rates.save(self.name(url), rate)

    # --- probes ---------------------------------------------------------------------------------------------------

    async def keep_probing(self) -> None:
        """Probe hosts that are down when their pause is over, so that they come back without a restart; never returns."""
        async with trio.open_nursery() as nursery:  # one that hangs must not delay the discovery that another is back
            while True:
                waiting = [(at_s, host) for host in self._hosts.values() if (at_s := _due_s(host)) is not None]
                next_s = min((at_s for at_s, _ in waiting), default=math.inf)
                wait_s = max(self._limits.shortest_probe_wait_s, next_s - trio.current_time())
                with trio.move_on_after(min(wait_s, self._limits.longest_probe_wait_s)):
                    await self._wake.wait()
                self._wake = trio.Event()
                for _, host in waiting:
                    if isinstance(host.state, Down) and host.state.retry_at_s <= trio.current_time():
                        host.is_probed = True
                        nursery.start_soon(self._probe_one, host)

    async def _probe_one(self, host: _Host) -> None:
        self.counters.count_request()
        try:
            await self._probe_and_note(host)
        finally:
            host.is_probed = False
            self._wake.set()

    async def _probe_and_note(self, host: _Host) -> None:
        attempted = f"probe {self.name(host.probe_url)}"
        try:
            with trio.fail_after(self._probe_timeout_s):
                await self._probe(host.probe_url)
        except trio.TooSlowError:
            self._failed(host.probe_url, host, OriginTimeout(attempted, f"no answer within {self._probe_timeout_s:.0f} s"))
        except (OriginUnreachable, OriginTimeout) as error:
            self._failed(host.probe_url, host, error)
        except OriginError:
            self._responded(host.probe_url, host, is_probe=True)
        except Exception as error:
            # A task that fails here would end the mount; in any case there was no usable response.
            self._failed(host.probe_url, host, OriginFault("probe", failure(attempted, error).happened))
        else:
            self._responded(host.probe_url, host, is_probe=True)

    def _is_forbidden(self, url: str) -> bool:
        """Return whether ``--offline`` forbids it: the network, not a directory, however that is mounted."""
        return self.offline and not url.startswith("file:")

    def _demand(self, host: _Host) -> None:
        if isinstance(host.state, Down):
            host.state = breaker.in_demand(host.state)
            self._wake.set()

    # --- state changes --------------------------------------------------------------------------------------------

    def _gave_up(self, url: str, host: _Host, error: OriginError, began_s: float, silence_s: float | None) -> None:
        """Note a failed request: the host is down unless it has sent something to other requests meanwhile."""
        recent_s = self._limits.recently_active_s
        if host.active_at_s > max(began_s, trio.current_time() - min(recent_s if silence_s is None else silence_s, recent_s)):
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

    def _responded(
        self, url: str, host: _Host, *, is_probe: bool = False, is_well: bool = True, index_url: str | None = None
    ) -> None:
        if index_url is not None:
            host.answered.add(index_url)
        if isinstance(host.state, Down):
            log.warning("%s answers again", self.name(url))
            self.epoch += 1
        host.state = (breaker.after_probe if is_probe else breaker.after_success)(host.state)
        host.responded = True
        if is_well or index_url is not None:
            host.last_error = None
        if not is_probe:
            host.active_at_s = trio.current_time()
        host.is_deprioritized = host.is_deprioritized and not is_well
        if host.pending_since_s is not None:
            host.pending_since_s = trio.current_time()

    # --- names ----------------------------------------------------------------------------------------------------

    def name(self, url: str) -> str:
        """Return the host that ``url`` belongs to: all URLs with one name share a state."""
        parts = urlsplit(url)
        if parts.netloc:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return next((base for base in self._file_urls if is_within(url, base)), f"{parts.scheme}://")

    def _host(self, url: str) -> _Host:
        name = self.name(url)
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= self._limits.max_hosts:
                idle = next((key for key, value in self._hosts.items() if value.open_requests == 0), None)
                if idle is not None:
                    del self._hosts[idle]
            host = self._hosts[name] = _Host(Up(), self._rates.load(name))
        return host


def is_within(url: str, base: str) -> bool:
    """Return whether ``url`` is ``base`` or below it; ``http://head:80`` and ``http://head:8080`` are unrelated."""
    return url.startswith(base) and url[len(base) : len(base) + 1] in ("", "/", "?", "#")


def _due_s(host: _Host) -> float | None:
    """Return when a host is to be probed; None when it is up, or is being probed."""
    return host.state.retry_at_s if isinstance(host.state, Down) and not host.is_probed else None
