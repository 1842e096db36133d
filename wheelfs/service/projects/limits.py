"""How long answers of indexes count, how much of them is kept, and how much is asked ahead of clients or for tracking."""

from __future__ import annotations

from typing import Final

import msgspec


class ProjectLimits(msgspec.Struct, frozen=True):
    """The tunable constants of project pages."""

    absent_ttl_s: float = 60.0
    """How long an index's "no such project" is believed at most: short, since users look for a project they have just published.
    Where its pages count as fresh for less than that, so does this."""

    failed_ttl_s: float = 1.0
    """How long a failure is repeated instead of asking again: looking a page up and opening it are one action to a user."""

    stale_retry_s: float = 10.0
    """How long a stale page is served after its index failed before the next request: one resolution looks a page up often."""

    renew_after_s: float = 1.0
    """How old a page must be to be fetched again because of a URL on it: a URL that is always refused costs no more than this."""

    compare_wait_s: float = 5.0
    """How long a page waits while stored files are compared with hashes that are new here: a gigabyte takes two seconds."""

    replaced_wait_s: float = 2.0
    """How long a page waits for servers to say whether stored files without hashes are still what they list."""

    replaced_at_once: int = 4
    replaced_files: int = 64
    """Files of one page that are asked about each time it is asked for again; those beyond are stored all the same."""

    page_s: float = 120.0
    """How long a page may take in all, as long as more of it keeps coming: one of 2 MB on a line of 0.14 Mbit/s."""

    max_failures: int = 1_000
    """Failed requests that are remembered; the oldest is forgotten first."""

    cached_links: int = 40_000
    """Decoded links kept in memory, over all pages: about 1 KB each, so nine large projects fit in 40 MB."""


class PrefetchLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.projects.prefetcher`."""

    at_once: int = 8
    """Half of the connections to one index that are not for files: clients that ask themselves always find a free one."""

    max_waiting: int = 128
    """The dependencies of a large application, all levels; what meets a full queue is left to the client."""

    again_s: float = 600.0
    """What was prefetched is not prefetched again within this time, whichever client wants it."""

    page_read_s: float = 60.0
    """A page that was read longer ago does not explain why a wheel of it is opened: installers of lock files read no pages."""

    max_remembered: int = 4_096
    """Pages read and things prefetched that are remembered, some hundred bytes each."""


class TrackingLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.projects.tracking`."""

    poll_s: float = 0.5
    """How soon a mount notices what another process has tracked."""

    projects_at_once: int = 4
    """Projects that are refreshed at a time."""

    sizes_at_once: int = 4
    """Requests for sizes under way in a process, over all projects: an index should not notice them among its users."""

    retry_s: float = 30.0
    """When a project is refreshed again whose index has failed, or answers slowly."""

    lost_s: float = 3_600.0
    """When a file is asked about again whose origin does not tell its size, does not have it or refuses it."""

    fault_s: float = 300.0
    """When a file is asked about again whose origin gave an invalid response."""

    max_lost: int = 20_000
    """Files without a size that are remembered; the oldest is forgotten first."""


PROJECT_LIMITS: Final = ProjectLimits()
"""What a running wheelfs uses."""

PREFETCH_LIMITS: Final = PrefetchLimits()
"""What a running wheelfs uses."""

TRACKING_LIMITS: Final = TrackingLimits()
"""What a running wheelfs uses."""
