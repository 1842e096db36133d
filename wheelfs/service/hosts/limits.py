"""How many hosts are tracked, and what counts as slow, as alive and as out of date."""

from __future__ import annotations

from typing import Final

import msgspec


class HostLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.hosts`."""

    max_hosts: int = 1_000
    """A page can name any host; beyond this number one without open requests is forgotten."""

    slow_after_s: float = 0.5
    """A host with open requests that has been silent for this long is not responsive: readers of stale pages stop waiting for it.

    As long as the first of them waits: with twice that, an install from a store whose index hangs took a second longer.
    """

    recently_active_s: float = 3.0
    """A host that has sent something to any request within this time is busy and not down, even if one request fails.

    Less than the time a stalled share gets (`FetchLimits.stall_divisor`), so all streams notice together that a host froze.
    """

    shortest_probe_wait_s: float = 0.05
    """Keeps the probing task from spinning when a probe is overdue."""

    longest_probe_wait_s: float = 3_600.0
    """How long the probing task sleeps while no host is down; it is woken when one goes down."""

    rate_valid_us: int = 7 * 86_400 * 1_000_000
    """A week: a nightly or weekly fetch knows its line, a laptop that was elsewhere measures again.

    A wrong estimate costs one file some time, and corrects itself.
    """

    rate_rewritten_us: int = 86_400 * 1_000_000
    """An unchanged estimate is written again after a day; otherwise one that is still measured would expire."""


HOST_LIMITS: Final = HostLimits()
"""What a running wheelfs uses."""
