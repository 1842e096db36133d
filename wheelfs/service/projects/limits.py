"""How long answers of indexes count, and how much of them is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """The tunable constants of project pages."""

    absent_ttl_s: float = 60.0
    """How long an index's "no such project" is believed: short, since users look for a project they have just published."""

    failed_ttl_s: float = 1.0
    """How long a failure is repeated instead of asking again: looking a page up and opening it are one action to a user."""

    stale_retry_s: float = 10.0
    """How long a stale page is served after its index failed before the next request: one resolution looks a page up often."""

    renew_after_s: float = 1.0
    """How old a page must be to be fetched again because of a URL on it: a URL that is always refused costs no more than this."""

    max_failures: int = 1_000
    """Failed requests that are remembered; the oldest is forgotten first."""

    cached_links: int = 40_000
    """Decoded links kept in memory, over all pages: about 1 KB each, so nine large projects fit in 40 MB."""


PROJECT_LIMITS: Final = ProjectLimits()
"""What a running wheelfs uses."""
