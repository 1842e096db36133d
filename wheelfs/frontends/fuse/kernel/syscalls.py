"""mount(2) and umount2(2), which Python does not offer."""

from __future__ import annotations

import ctypes
import os
from typing import Final

MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8

_PIDFD_GETFD: Final = 438
"""The same number on all architectures (pidfd_getfd(2), Linux 5.6)."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
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


def pidfd_getfd(process: int, descriptor: int) -> int:
    """Return a copy of a descriptor of another process, which may be refused as ptrace may be; raise `OSError`."""
    copy: int = _libc.syscall(ctypes.c_long(_PIDFD_GETFD), ctypes.c_int(process), ctypes.c_int(descriptor), ctypes.c_uint(0))
    if copy < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return copy
