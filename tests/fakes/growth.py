"""How what a parser costs grows with its input: by processor time of the thread, as a ratio, so that no machine is too slow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES: Final = 4
_ALLOWED: Final = 3 * TIMES
"""What grows with the square takes 16 times as long for four times the input."""
_NOISE_S: Final = 0.5
"""Less than this says nothing: choose sizes of which the square would be more."""


def grows_with_the_square(work: Callable[[int], object], size: int) -> bool:
    """Return whether ``work(4 * size)`` takes more than twelve times as long as ``work(size)``, each the best of three."""
    few_s, many_s = (min(_cost_s(work, count) for _ in range(3)) for count in (size, TIMES * size))
    return many_s > max(_ALLOWED * few_s, _NOISE_S)


def _cost_s(work: Callable[[int], object], size: int) -> float:
    began_s = time.thread_time()
    work(size)
    return time.thread_time() - began_s
