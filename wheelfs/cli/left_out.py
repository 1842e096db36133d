"""What copies of named files lack, in sentences: for ``export``, ``push`` and ``pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.reports.left_out import LeftOut

SHOWN: Final = 10
"""Projects that are named, of each kind; ``--json`` has all of them."""


def left_out_lines(left_out: Sequence[LeftOut], state: str, done: str) -> Iterator[str]:
    """Yield the sentences; ``state`` says how that is which could be taken along ("stored"), ``done`` what was not done to it."""
    private = [one for one in left_out if one.private]
    at_hand = [one for one in left_out if one.at_hand and not one.private]
    yield from _named(private, f"is {state} but not {done}, since it is private: name it, or give --private")
    yield from _named(at_hand, f"is {state} but not {done}")
    if at_hand:
        yield f"--with-deps takes along what is needed and {state}"
    yield from _named([one for one in left_out if not one.at_hand], f"is not {state}")


def _named(left_out: Sequence[LeftOut], what: str) -> Iterator[str]:
    for one in left_out[:SHOWN]:
        yield f"{one.needed_by} needs {one.requirement}, which {what}"
    if len(left_out) > SHOWN:
        yield f"{len(left_out) - SHOWN} more that are needed: each {what}"
