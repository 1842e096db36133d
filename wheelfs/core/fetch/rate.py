"""How fast an origin responds, estimated from its responses, and what that makes worth fetching in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.fetch.delta import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

PACK_BYTES_S: Final = 8e6
"""About how fast unpacked files become bytes of a wheel, on one processor."""
COPY_BYTES_S: Final = 300e6
"""About how fast bytes are copied from the store: irrelevant on a slow line, and more than copying saves on a fast one."""
_WORTHWHILE_S: Final = 0.05
"""What must be saved: both sides of the comparison are estimates."""

_SIMILAR: Final = 1.5
"""Estimates of one line differ by up to this factor from response to response."""

_TELLING_S: Final = 0.05
_TELLING_BYTES: Final = 1024 * 1024


class RateEstimate(msgspec.Struct, frozen=True):
    """How an origin has responded recently: ``latency_s`` to the first byte, ``bytes_per_s`` from there."""

    latency_s: float
    bytes_per_s: float


def after_response(estimate: RateEstimate | None, *, latency_s: float, size_bytes: int, duration_s: float) -> RateEstimate | None:
    """Return the estimate after one more response: each time, older ones count half as much.

    A response that was both short and small changes nothing: the measurement would be dominated by our own overhead.
    """
    if duration_s < _TELLING_S and size_bytes < _TELLING_BYTES:
        return estimate
    seen = RateEstimate(max(latency_s, 1e-6), size_bytes / max(duration_s, 1e-6))
    if estimate is None:
        return seen
    return RateEstimate((estimate.latency_s + seen.latency_s) / 2, 2 / (1 / estimate.bytes_per_s + 1 / seen.bytes_per_s))


def differs(kept: RateEstimate, estimate: RateEstimate) -> bool:
    """Return whether ``estimate`` is so different from ``kept`` that `pays` would decide differently for some files."""
    ratios = (kept.latency_s / estimate.latency_s, kept.bytes_per_s / estimate.bytes_per_s)
    return any(not 1 / _SIMILAR < ratio < _SIMILAR for ratio in ratios)


def pays(
    estimate: RateEstimate, *, whole_bytes: int, ranges: Sequence[tuple[int, int]], copy_bytes_s: float = COPY_BYTES_S
) -> bool:
    """Return whether ``ranges``, some in parallel, will be here sooner than ``whole_bytes`` in one response.

    ``copy_bytes_s``: how fast the others come from this machine.
    """
    part_bytes = sum(end - start for start, end in ranges)
    rounds = -(-len(ranges) // CONNECTIONS)
    by_parts_s = rounds * estimate.latency_s + part_bytes / estimate.bytes_per_s + (whole_bytes - part_bytes) / copy_bytes_s
    return by_parts_s + _WORTHWHILE_S < estimate.latency_s + whole_bytes / estimate.bytes_per_s
