"""Is a host worth asking?  A circuit breaker as plain values; the caller brings the clock.

One failed connection or one time-out opens the circuit: all other requests then fail within milliseconds instead of waiting for
the same silence (a caller inside ``open`` cannot even be killed while it waits).  The pause doubles from `FIRST_PAUSE_S` to
`LONGEST_PAUSE_S`; when it is over a probe is sent in the background, and only a probe's answer lets requests through again.
A request meanwhile shortens the pause, so that a host in demand is found to be back within `FIRST_PAUSE_S`.  An answer
of any kind, an error page included, closes the circuit: a host that answers is reachable.

Prior art: M. Nygard, *Release It!*, "Circuit Breaker".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0


class Up(msgspec.Struct, frozen=True):
    """The host answered last time, or was never asked.

    ``failures`` is not 0 while it has only answered a probe: how often it had failed in a row before.
    """

    failures: int = 0


class Down(msgspec.Struct, frozen=True):
    """The host failed: the ``_s`` fields are instants of the caller's clock; ``failures`` counts in a row.

    ``relapsed``: it had answered a probe, and failed the next request all the same.
    """

    since_s: float
    failed_at_s: float
    retry_at_s: float
    failures: int
    reason: str
    relapsed: bool = False


Reachability = Up | Down


def after_success(_state: Reachability) -> Reachability:
    """Return the state after an answer of any kind."""
    return Up()


def after_probe(state: Reachability) -> Reachability:
    """Return the state after the answer to a probe: requests are let through, and the first one tells whether it is well again.

    A host that answers probes and fails requests would otherwise make every caller wait again after each first pause.
    """
    return Up(state.failures)


def after_failure(state: Reachability, *, now_s: float, reason: str) -> Reachability:
    """Return the state after a failed connection or a time-out.

    Failures of requests that were under way together count once: a failure inside the pause does not lengthen it.
    """
    match state:
        case Up(failures):
            retry_at_s = now_s + _pause_s(failures)
            return Down(now_s, now_s, retry_at_s, failures + 1, reason, relapsed=failures > 0)
        case Down() if now_s < state.retry_at_s:
            return state
        case Down():
            return Down(state.since_s, now_s, now_s + _pause_s(state.failures), state.failures + 1, reason)


def in_demand(state: Down) -> Down:
    """Return the state after a request to the host while it is down: probe it soon, but no more often than the first pause.

    Not so when it has relapsed: a probe would let the next one in for another long wait.
    """
    if state.relapsed:
        return state
    return replace(state, retry_at_s=min(state.retry_at_s, state.failed_at_s + FIRST_PAUSE_S))


def _pause_s(failures: int) -> float:
    return min(FIRST_PAUSE_S * 2.0 ** min(failures, 16), LONGEST_PAUSE_S)
