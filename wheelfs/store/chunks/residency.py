"""Whether bytes of a mapped file are in memory, so that touching them waits for no disk."""

from __future__ import annotations

import ctypes
import mmap
from typing import Final


class _Buffer(ctypes.Structure):
    """``Py_buffer``: the only way to learn where the bytes of a view lie that may not be written."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("owner", ctypes.py_object),
        ("size_bytes", ctypes.c_ssize_t),
        ("rest", ctypes.c_void_p * 8),
    )


_SIMPLE: Final = 0

_MOST_PAGES: Final = 256
_States: Final = ctypes.c_ubyte * _MOST_PAGES
"""One type for all sizes: ctypes makes a type for each length of array, which takes longer than all the rest."""

# PyDLL: these take microseconds, and giving the GIL up and getting it back may take a hundred.
_mincore: Final = ctypes.PyDLL(None, use_errno=True).mincore
_mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_ubyte))
_get_buffer: Final = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)
_release_buffer: Final = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_Buffer),)


def is_resident(view: memoryview) -> bool:
    """Tell whether all pages of a view of at most a MiB into a map are in the page cache (mincore); 3 µs.

    The kernel tells only those who may write the file; to others it says yes.
    """
    buffer = _Buffer()
    _get_buffer(view, buffer, _SIMPLE)
    try:
        address, size_bytes = int(buffer.address or 0), int(buffer.size_bytes)
    finally:
        _release_buffer(buffer)
    start = address - address % mmap.PAGESIZE
    pages = -(-(address + size_bytes - start) // mmap.PAGESIZE)
    states = _States()
    if pages > _MOST_PAGES or _mincore(start, address + size_bytes - start, states) != 0:
        return False
    # Only the lowest bit means anything.
    return all(state & 1 for state in set(bytes(states)[:pages]))
