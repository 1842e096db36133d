"""``/metrics``: what a gateway has done and how its indexes are, in Prometheus' text format.

Of a gateway with several workers the head answers, for all of them: each worker counts on a board of its own that the head reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from wheelfs.reports.status import Status
    from wheelfs.service.overview import Overview
    from wheelfs.telemetry import Counters, CountsSoFar

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """Collects the numbers of this process, and those of ``workers`` that answer for it, when it is asked."""

    def __init__(self, overview: Overview, workers: Sequence[Counters] = ()) -> None:
        """Report what ``overview`` knows; nothing of it needs a read of the store."""
        # A registry of its own: the library's global one may hold what others put there.
        self._registry = CollectorRegistry()
        self._registry.register(_GatewayCollector(overview, workers))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)


class _GatewayCollector(Collector):
    def __init__(self, overview: Overview, workers: Sequence[Counters]) -> None:
        self._overview = overview
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        status = self._overview.status()
        build = GaugeMetricFamily("wheelfs_build_info", "1, with the version of wheelfs.", labels=["version"])
        build.add_metric([status.version], 1)
        yield build
        counts = sum((worker.so_far() for worker in self._workers), start=self._overview.counters.so_far())
        if self._workers:
            yield GaugeMetricFamily("wheelfs_workers", "Processes that answer clients.", counts.answering)
        yield from _counted(counts)
        yield from _origins(status)
        yield from _share_writes(status)


def _counted(counts: CountsSoFar) -> Iterator[Metric]:
    replies = CounterMetricFamily("wheelfs_http_replies", "Replies sent, by status.", labels=["status"])
    for code, number in sorted(counts.replies.items()):
        replies.add_metric([str(code)], number)
    yield replies
    yield CounterMetricFamily("wheelfs_http_sent_bytes", "Bytes of bodies sent.", counts.sent_bytes)
    yield GaugeMetricFamily("wheelfs_http_requests_under_way", "Requests that are being answered.", counts.under_way)
    yield CounterMetricFamily("wheelfs_origin_requests", "Requests to indexes and shares.", counts.requests)
    yield CounterMetricFamily("wheelfs_fetched_bytes", "Bytes of files received from indexes and shares.", counts.fetched_bytes)
    yield CounterMetricFamily(
        "wheelfs_saved_bytes", "Bytes that need not be fetched, because they were here.", counts.saved_bytes
    )
    errors = CounterMetricFamily("wheelfs_errors", "Errors reported to clients.", labels=["operation", "error"])
    for both, number in sorted(counts.errors.items()):
        errors.add_metric(both, number)
    yield errors


def _origins(status: Status) -> Iterator[Metric]:
    # Two families, since an index and a share may have one name, and no two numbers may have the same labels.
    for kind, article in (("index", "an index"), ("share", "a share")):
        name = "wheelfs_origin_up" if kind == "index" else "wheelfs_share_up"
        up = GaugeMetricFamily(name, f"1: {article} answers; 0: it is down; absent: not asked yet.", labels=[kind])
        for origin in status.origins:
            if origin.kind == kind and origin.state != "unknown":
                up.add_metric([origin.name], float(origin.state == "up"))
        yield up
    yield GaugeMetricFamily("wheelfs_offline", "1: the network is forbidden.", float(status.offline))


def _share_writes(status: Status) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "wheelfs_share_write_waiting_files", "Files to be pushed to a share in the background.", labels=["share"]
    )
    refused = GaugeMetricFamily(
        "wheelfs_share_write_failing", "1: the share is away, or refuses what is pushed.", labels=["share"]
    )
    pushed = CounterMetricFamily("wheelfs_share_write_files", "Files pushed to a share in the background.", labels=["share"])
    written = CounterMetricFamily("wheelfs_share_written_bytes", "Bytes of them that the share did not have.", labels=["share"])
    for write in status.share_writes:
        waiting.add_metric([write.name], write.waiting_files)
        refused.add_metric([write.name], float(write.state in ("away", "refused")))
        pushed.add_metric([write.name], write.pushed_files)
        written.add_metric([write.name], write.written_bytes)
    yield from (waiting, refused, pushed, written)
