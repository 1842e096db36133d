"""What to do with a project page that was stored some time ago.

Sources: RFC 9111 (fresh and stale answers), RFC 5861 (stale-while-revalidate).
"""

from __future__ import annotations

from typing import Final

import msgspec

REVALIDATE_WITHIN_S: Final = 0.5
"""How long a stale page may hold up its reader while an index that is answering well is asked again."""


SHORTEST_LIFETIME_S: Final = 10.0
"""The least that an index can lower the configured lifetime of its pages to."""


class Serve(msgspec.Struct, frozen=True):
    """The stored page is fresh, or its index cannot be asked: serve it."""


class Revalidate(msgspec.Struct, frozen=True):
    """Ask the index again, wait at most ``wait_s`` for it, then serve what is stored; the request continues in the background."""

    wait_s: float


class Fetch(msgspec.Struct, frozen=True):
    """Nothing is stored: the caller has to wait for the index, within its bound."""


Decision = Serve | Revalidate | Fetch


def lifetime_s(ttl_s: float, max_age_s: float | None) -> float:
    """Return how long a page counts as fresh: what is configured, or less where its index says so.

    ``no-store`` and ``no-cache`` arrive as zero.  They do not turn each of a client's look-ups into a request: one resolution
    asks for the same page several times within seconds, and `SHORTEST_LIFETIME_S` makes that one question.
    """
    return ttl_s if max_age_s is None else min(ttl_s, max(max_age_s, SHORTEST_LIFETIME_S))


def decide(*, age_s: float | None, ttl_s: float, may_ask: bool, prompt: bool) -> Decision:
    """Decide what to do with a page of ``age_s`` seconds (None: not stored).

    ``may_ask`` is False while the index is known to be down or the network is forbidden; ``prompt`` says that the index has
    answered its last question in time, so that a short wait is likely to be worth it.  An age below zero (a clock that was set
    back) counts as stale.
    """
    if age_s is None:
        return Fetch()
    if not may_ask or 0 <= age_s < ttl_s:
        return Serve()
    return Revalidate(wait_s=REVALIDATE_WITHIN_S if prompt else 0.0)
