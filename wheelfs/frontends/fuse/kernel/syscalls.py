"""mount(2) and umount2(2), which Python does not offer."""

from __future__ import annotations

import ctypes
import os
from typing import Final

MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


def mount(source: str, target: str, fstype: str) -> None:
    """Mount a kernel file system with default flags; raise `OSError`."""
    if _libc.mount(source.encode(), os.fsencode(target), fstype.encode(), 0, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def umount(target: str, *, lazy: bool) -> None:
    """Unmount, never through a symbolic link; ``lazy`` detaches at once and lets open files end on their own; raise `OSError`."""
    flags = _UMOUNT_NOFOLLOW | (MNT_DETACH if lazy else 0)
    if _libc.umount2(os.fsencode(target), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)
