"""Is a host worth asking?  A circuit breaker as plain values; the caller brings the clock.

One failed connection or one time-out opens the circuit: everybody else then fails within milliseconds instead of waiting for the
same silence (a caller inside ``open`` cannot even be killed while it waits).  The pause doubles from `FIRST_PAUSE_S` to
`LONGEST_PAUSE_S`; when it is over a probe is sent in the background, and only a probe's answer lets requests through again.
Somebody who asks meanwhile shortens the pause, so that a host in demand is found to be back within `FIRST_PAUSE_S`.  An answer
of any kind, an error page included, closes the circuit: a host that answers is reachable.

Prior art: M. Nygard, *Release It!*, "Circuit Breaker".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Up:
    """The host answered last time, or was never asked."""


@dataclass(frozen=True, slots=True)
class Down:
    """The host failed: the ``_s`` fields are instants of the caller's clock; ``failures`` counts in a row."""

    since_s: float
    failed_at_s: float
    retry_at_s: float
    failures: int
    reason: str


Reachability = Up | Down


def after_success(_state: Reachability) -> Reachability:
    """Return the state after an answer of any kind."""
    return Up()


def after_failure(state: Reachability, *, now_s: float, reason: str) -> Reachability:
    """Return the state after a failed connection or a time-out.

    Failures of requests that were under way together count once: a failure inside the pause does not lengthen it.
    """
    match state:
        case Up():
            return Down(since_s=now_s, failed_at_s=now_s, retry_at_s=now_s + FIRST_PAUSE_S, failures=1, reason=reason)
        case Down() if now_s < state.retry_at_s:
            return state
        case Down():
            pause_s = min(FIRST_PAUSE_S * 2.0 ** min(state.failures, 16), LONGEST_PAUSE_S)
            return Down(state.since_s, now_s, now_s + pause_s, state.failures + 1, reason)


def in_demand(state: Down) -> Down:
    """Return the state after somebody wanted the host while it is down: probe it soon, but no more often than the first pause."""
    return replace(state, retry_at_s=min(state.retry_at_s, state.failed_at_s + FIRST_PAUSE_S))
