"""Which ranges of a file the openers of its partial file are fetching at the moment, over all processes on the store.

A claim is a lock of the kernel on these bytes of ``KEY.part`` (an open file description lock, fcntl(2)): taking one and finding
out who is in the way is one step, and however its holder ends, it ends with it.  A claim says only that bytes may be coming.
Whether they come is to be seen by them, so one of a process that is stopped must not be believed for long.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.spans import Spans

if TYPE_CHECKING:
    from pathlib import Path

_FLOCK: Final = struct.Struct("@hhqqi4x")
"""``struct flock`` with offsets of 64 bits: type, whence, start, length (0: to the end), and a process, which must be 0."""
_SET: Final[int] = getattr(fcntl, "F_OFD_SETLK", 37)
_GET: Final[int] = getattr(fcntl, "F_OFD_GETLK", 36)
"""A Python that is built for a glibc before 2.20 has no names for them, and runs on kernels that have them."""
_ATTEMPTS: Final = 4
"""Each retry means that the claim in the way was given back between our being refused and our asking which it is."""


class RangeClaims:
    """The claims of one opener.  Methods do not wait, and may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """``path`` is that of the partial file as its owner has it; it is opened with the first claim."""
        self._path = path
        self._descriptor = -1
        self._is_closed = False
        self._taken: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def take(self, start: int, end: int) -> tuple[int, int] | None:
        """Claim ``[start, end)`` and return None, or return one of the claims of other openers that are in the way.

        Where it cannot be claimed at all (no such file, or a kernel without these locks), nothing is in the way.
        """
        with self._lock, suppress(OSError):
            if self._is_closed:
                return None
            self._open()
            for _ in range(_ATTEMPTS):
                try:
                    self._call(_SET, fcntl.F_WRLCK, start, end)
                    self._taken.append((start, end))
                    return None
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                kind, _, begin, length, _ = _FLOCK.unpack(self._call(_GET, fcntl.F_WRLCK, start, end))
                if kind != fcntl.F_UNLCK:
                    return begin, begin + length if length else end
        return None

    def give_back(self, start: int, end: int) -> None:
        """End one `take` of ``[start, end)``; what another one of this opener has in common with it stays claimed."""
        with self._lock, suppress(OSError, ValueError):
            self._taken.remove((start, end))
            for gap in Spans.from_iterable(self._taken).missing(start, end):
                self._call(_SET, fcntl.F_UNLCK, *gap)

    def close(self) -> None:
        """Give all claims back."""
        with self._lock:
            self._is_closed = True
            self._taken.clear()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self) -> None:
        if self._descriptor >= 0 and not os.fstat(self._descriptor).st_nlink:
            self._taken.clear()
            os.close(self._descriptor)  # its owner has deleted it: others that begin now see another file
            self._descriptor = -1
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def _call(self, command: int, kind: int, start: int, end: int) -> bytes:
        return fcntl.fcntl(self._descriptor, command, _FLOCK.pack(kind, os.SEEK_SET, start, end - start, 0))
