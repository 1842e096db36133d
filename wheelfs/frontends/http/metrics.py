"""``/metrics``: what this process has done and how its indexes are, in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from wheelfs.service.overview import Overview

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """Counts replies, and collects the rest when it is asked."""

    def __init__(self, overview: Overview) -> None:
        """Report what ``overview`` tells; nothing of it costs a look into the store."""
        # A registry of its own: the library's global one may hold what others put there.
        self._registry = CollectorRegistry()
        self._replies = Counter("wheelfs_http_replies", "Replies sent, by status.", ["status"], registry=self._registry)
        self._sent = Counter("wheelfs_http_sent_bytes", "Bytes of bodies sent.", registry=self._registry)
        self._registry.register(_ServiceCollector(overview))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def count(self, status: int, sent_bytes: int) -> None:
        """Count a reply; ``sent_bytes`` is what its body should have had."""
        self._replies.labels(str(status)).inc()
        self._sent.inc(sent_bytes)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)


class _ServiceCollector(Collector):
    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        status = self._overview.status()
        counters = status.counters
        yield CounterMetricFamily("wheelfs_origin_requests", "Requests to indexes.", counters.requests)
        yield CounterMetricFamily("wheelfs_fetched_bytes", "Bytes of files received from indexes.", counters.fetched_bytes)
        yield CounterMetricFamily(
            "wheelfs_saved_bytes", "Bytes that need not be fetched, because they were here.", counters.saved_bytes
        )
        errors = CounterMetricFamily("wheelfs_errors", "Errors that clients were told of.", labels=["operation", "error"])
        for both, count in counters.errors_by.items():
            errors.add_metric(both.split(" ", 1), count)
        yield errors
        up = GaugeMetricFamily(
            "wheelfs_origin_up", "1: the index answers; 0: it is down; absent: nobody has asked it.", labels=["index"]
        )
        for origin in status.origins:
            if origin.state != "unknown":
                up.add_metric([origin.name], float(origin.state == "up"))
        yield up
        yield GaugeMetricFamily("wheelfs_offline", "1: the network is forbidden.", float(status.offline))
