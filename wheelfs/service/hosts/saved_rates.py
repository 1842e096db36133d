"""Rate estimates of hosts in the catalog: written rarely, since every commit is flushed, and valid for a week."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelfs.core.fetch.rate import RateEstimate, differs
from wheelfs.errors import StoreError, StoreReadOnly
from wheelfs.service.hosts.limits import HOST_LIMITS
from wheelfs.store.catalog.rates import HostRate

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from wheelfs.service.hosts.limits import HostLimits
    from wheelfs.store.catalog.catalog import Catalog

log = logging.getLogger(__name__)


class SavedRates:
    """The rate estimates in the catalog, by host."""

    def __init__(
        self, catalog: Catalog, *, limits: HostLimits = HOST_LIMITS, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        """``now_us`` is the time since the epoch."""
        self._catalog = catalog
        self._limits = limits
        self._now_us = now_us

    def load(self, host: str) -> RateEstimate | None:
        """Return the latest estimate of any process on this store; None where there is none, or it has expired."""
        saved = self._catalog.host_rate(host)
        if saved is None or not 0 <= self._now_us() - saved.seen_at_us < self._limits.rate_valid_us:
            return None
        return RateEstimate(saved.latency_s, saved.rate) if saved.latency_s > 0 and saved.rate > 0 else None

    def save(self, host: str, rate: RateEstimate) -> None:
        """Write an estimate if it differs from the saved one; a failure costs nothing but the estimate."""
        now_us = self._now_us()
        saved = self._catalog.host_rate(host)
        is_fresh = saved is not None and 0 <= now_us - saved.seen_at_us < self._limits.rate_rewritten_us
        if saved is not None and is_fresh and not differs(RateEstimate(saved.latency_s, saved.rate), rate):
            return
        with suppress(StoreReadOnly):
            self._catalog.put_host_rate(host, HostRate(rate.latency_s, rate.bytes_per_s, now_us)).add_done_callback(_log_failure)


def _log_failure(future: Future[None]) -> None:
    if isinstance(error := future.exception(), StoreError):
        log.debug("a host's rate estimate was not saved: %s", error)
