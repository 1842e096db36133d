"""Figures that a program gives to ``scripts/bench/all``: a line of JSON each, in the file that a variable names.

Without the variable nothing is written: a program that is run by itself prints, and that is all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE: Final = "WHEELFS_BENCH_FIGURES"
"""The variable with the file's path."""

_titles = [""]
"""Of the section that is measured now, last."""


class Figure(msgspec.Struct, frozen=True):
    """What was measured of one case: ``values`` in the program's own unit, a round each, and their ``ratios`` to its peer's."""

    section: str
    case: str
    values: tuple[float, ...]
    ratios: tuple[float, ...] = ()


def begin(section: str) -> None:
    """Let what is noted from now on belong to a section of the program's output."""
    _titles.append(section)


def note(case: str, values: Sequence[float], ratios: Sequence[float] = ()) -> None:
    """Give what was measured of a case."""
    if os.environ.get(FILE):
        figure = Figure(_titles[-1], case, tuple(values), tuple(ratios))
        with Path(os.environ[FILE]).open("ab") as file:
            file.write(msgspec.json.encode(figure) + b"\n")


def read(path: Path) -> list[Figure]:
    """Return the figures of one run of a program; none where it gave none."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Figure) for line in path.read_bytes().splitlines()]
