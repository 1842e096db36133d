"""What to ask for, and what to wait for, where other readers and other processes fetch the same file: decisions without IO.

A request is claimed before it is made.  What is claimed otherwise is waited for while it comes, and asked for when it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Ask(msgspec.Struct, frozen=True):
    """Nothing is in the way of asking for ``[start, end)``."""

    start: int
    end: int


class Wait(msgspec.Struct, frozen=True):
    """The first byte that is missing is coming."""


def decide(start: int, end: int, taken: Iterable[tuple[int, int]]) -> Ask | Wait:
    """Return what to do about ``[start, end)``, whose first byte is missing, given the ranges that are ``taken``.

    What is asked for ends where another's range begins: that is waited for in its turn.
    """
    for begin, limit in taken:
        if begin <= start < limit:
            return Wait()
        if start < begin:
            end = min(end, begin)
    return Ask(start, end)


def is_near(start: int, claim: tuple[int, int], here_bytes: int, *, ahead_bytes: int) -> bool:
    """Return whether to wait for a ``claim`` that has ``start`` in it, of which ``here_bytes`` have come from its beginning on.

    One that will take long to get there, such as that of a whole wheel, is not waited for.
    """
    return start - (claim[0] + here_bytes) < ahead_bytes


class Stall:
    """Notices that what is waited for does not come: less than ``least_bytes`` within ``bound_s``, by a clock without jumps."""

    def __init__(self, *, bound_s: float, least_bytes: int, now_s: float, here_bytes: int) -> None:
        """``here_bytes``: how much of the file is here at ``now_s``."""
        self._bound_s = bound_s
        self._least_bytes = least_bytes
        self._since_s = now_s
        self._here_bytes = here_bytes

    def is_stalled(self, now_s: float, here_bytes: int) -> bool:
        """Return whether it has stalled, given how much is here now."""
        if here_bytes - self._here_bytes >= self._least_bytes:
            self._since_s, self._here_bytes = now_s, here_bytes
        return now_s - self._since_s >= self._bound_s
