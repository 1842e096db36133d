"""What ``export``, ``push`` and ``pull`` report of what is needed and was not taken along; fields may be added, never renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A project that files taken along need, and that was not.

    ``needed_by`` is the project that asks for it, as ``requirement``.  ``at_hand``: ``--with-deps`` would take it along; else it
    is neither stored (for ``pull``: in the share) nor at the destination.  ``private``: it would only with ``--private``, too.
    """

    project: str
    requirement: str
    needed_by: str
    at_hand: bool
    private: bool = False


class CopyObserver(NamedTuple):
    """Called while files are copied: with what is left out, and with how many files there are, again when that has grown."""

    left_out: Callable[[LeftOut], None] = lambda _: None
    total: Callable[[int], None] = lambda _: None


UNOBSERVED: Final = CopyObserver()
