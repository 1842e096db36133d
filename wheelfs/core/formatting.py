"""Numbers as people read them, in what commands print and in what pages show."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(size_bytes: int | None) -> str:
    """Return a size for people: at most four digits and a binary unit; ``-`` when it is not known."""
    if size_bytes is None:
        return "-"
    amount = float(size_bytes)
    for unit in _UNITS[:-1]:
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {_UNITS[-1]}"


def counted(count: int, thing: str) -> str:
    """Return a number with its ``thing``, which is given in the singular: "1 file", "2 files"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def were(count: int) -> str:
    """Return the verb for so many things."""
    return "was" if count == 1 else "were"
