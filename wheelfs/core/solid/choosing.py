"""Which members of a history may be solid, so that none of its wheels takes too long to be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_READ_BYTES_S: Final = 50e6
"""A first read of a wheel with solid members is to be no slower than this, on the machine that made them solid."""
_PACKING_PART: Final = 0.43
"""How much of a first read may be packing; unpacking the streams, hashing and storing what was made take the rest (measured)."""


class Candidate(NamedTuple):
    """A member that may be solid: how long its data takes to be made again, and the numbers of the wheels that have it."""

    seconds: float
    wheels: Sequence[int]


def affordable(
    candidates: Sequence[Candidate], sizes: Sequence[int], *, spent_s: Sequence[float] = (), bytes_s: float = FIRST_READ_BYTES_S
) -> list[int]:
    """Return the numbers of the candidates that keep the first read of each wheel to ``bytes_s``.

    ``sizes`` are the wheels' sizes in bytes, ``spent_s`` what each takes already.  The wheel that is furthest above its time is
    looked at first; of its members those go first that most wheels have, since each of them is spared by it.
    """
    taken_s = list(spent_s) or [0.0] * len(sizes)
    own: list[list[int]] = [[] for _ in sizes]
    for number, (seconds, wheels) in enumerate(candidates):
        for wheel in wheels:
            taken_s[wheel] += seconds
            own[wheel].append(number)
    left = set(range(len(candidates)))
    for wheel in sorted(range(len(sizes)), key=lambda wheel: -taken_s[wheel] / max(1, sizes[wheel])):
        for number in sorted(own[wheel], key=lambda number: (-len(candidates[number].wheels), -candidates[number].seconds)):
            if taken_s[wheel] <= _PACKING_PART * sizes[wheel] / bytes_s:
                break
            if number in left:
                left.remove(number)
                for other in candidates[number].wheels:
                    taken_s[other] -= candidates[number].seconds
    return sorted(left)
