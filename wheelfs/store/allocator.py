"""What glibc's allocator keeps for itself of memory that was freed: little in a mount, much while a command stores gigabytes.

Does nothing where the C library is another one.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

# malloc.h of glibc; mallopt(3) says what each does.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 2 * 1024 * 1024
"""From here on a buffer is mapped by itself and given back when freed: storing a file uses some of 4 MiB; replies are smaller."""

_KEPT_BYTES: Final = 4 * 1024 * 1024


_REUSED_BYTES: Final = 128 * 1024 * 1024
_LARGEST_IN_HEAP_BYTES: Final = 32 * 1024 * 1024
"""The most that mallopt accepts."""
_YOUNG_OBJECTS: Final = 50_000
"""Made between two looks for garbage: the chunks of a run are gone by then; with Python's own 700 each is looked at twice."""


def bound_memory() -> None:
    """Give free memory back to the system.

    For what lives for months, with load in bursts: after installing 51 wheels of 190 MB the daemon held 106 MB without this,
    much of it free, and 64 MB with it.
    """
    _set({_M_MMAP_THRESHOLD: _LARGE_BYTES, _M_TRIM_THRESHOLD: _KEPT_BYTES})


def give_back() -> None:
    """Give free memory back also from between what is in use; for a process at rest, since it is faulted in again when needed.

    What lives for long lies among what a burst has freed, and by itself glibc returns only the end of its heap.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reuse_memory() -> None:
    """Keep what is freed, up to `_REUSED_BYTES`, instead of giving it back and asking for it again.

    For a command that stores much and then ends: every LMDB transaction allocates its dirty pages again, and more than a third of
    the processor time of `wheelfs add` was the kernel's, faulting such pages in (5.3 s of 9.1 s for 1.9 GB; 1.7 s with this).
    Python's own garbage is looked for less often, and what was imported is never looked at.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    _set({_M_MMAP_THRESHOLD: _LARGEST_IN_HEAP_BYTES, _M_TRIM_THRESHOLD: _REUSED_BYTES})


def _set(parameters: dict[int, int]) -> None:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    # One arena for all threads: the GIL lets one of them allocate at a time anyway, and what one frees another can use.
    for parameter, value in {_M_ARENA_MAX: 1, **parameters}.items():
        mallopt(parameter, value)
