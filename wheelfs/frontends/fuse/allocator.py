"""Bounds on what glibc's allocator keeps for itself: a mount lives for months, and its load comes in bursts."""

from __future__ import annotations

import ctypes
from typing import Final

# malloc.h of glibc; mallopt(3) says what each does.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 2 * 1024 * 1024
"""From here on a buffer is mapped by itself and given back when freed: storing a file uses some of 4 MiB; replies are smaller."""

_KEPT_BYTES: Final = 4 * 1024 * 1024


def bound_memory() -> None:
    """Keep one arena for all threads (the GIL lets one allocate at a time anyway) and give free memory back to the system.

    After installing 51 wheels of 190 MB the daemon held 106 MB without this, much of it free, and 64 MB with it.  Does nothing
    where the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES)):
        mallopt(parameter, value)
