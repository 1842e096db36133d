"""What is kept of how fast hosts answer: written seldom, since every commit is flushed, and believed for a week."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.delta import Pace, is_another_pace
from wheelfs.errors import StoreError, StoreReadOnly
from wheelfs.store.catalog.rates import HostPace

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from wheelfs.store.catalog.catalog import Catalog

log = logging.getLogger(__name__)

BELIEVED_US: Final = 7 * 86_400 * 1_000_000
"""A week: a nightly or weekly fetch knows its line, a laptop that was elsewhere learns anew.  One wrong guess costs one file some
time, and corrects itself."""
RENEWED_US: Final = 86_400 * 1_000_000
"""A pace that has not changed is written again after a day, or it would be forgotten while it is seen."""


class KeptPaces:
    """The paces in the catalog, by host."""

    def __init__(self, catalog: Catalog, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        """``now_us`` is the time since the epoch."""
        self._catalog = catalog
        self._now_us = now_us

    def known(self, host: str) -> Pace | None:
        """Return how a host has answered lately, by whichever process asked it."""
        kept = self._catalog.pace(host)
        if kept is None or not 0 <= self._now_us() - kept.seen_at_us < BELIEVED_US or kept.latency_s <= 0 or kept.rate <= 0:
            return None
        return Pace(kept.latency_s, kept.rate)

    def keep(self, host: str, pace: Pace) -> None:
        """Keep a pace where it tells anything new; failing to costs nothing but the knowledge."""
        now_us = self._now_us()
        kept = self._catalog.pace(host)
        is_fresh = kept is not None and 0 <= now_us - kept.seen_at_us < RENEWED_US
        if kept is not None and is_fresh and not is_another_pace(Pace(kept.latency_s, kept.rate), pace):
            return
        with suppress(StoreReadOnly):
            self._catalog.put_pace(host, HostPace(pace.latency_s, pace.rate, now_us)).add_done_callback(_log_failure)


def _log_failure(future: Future[None]) -> None:
    if isinstance(error := future.exception(), StoreError):
        log.debug("a host's pace was not kept: %s", error)
