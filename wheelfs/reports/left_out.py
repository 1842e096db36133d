"""What ``export``, ``push`` and ``pull`` report of what is needed and was not taken along; fields may be added, never renamed."""

from __future__ import annotations

import msgspec


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
