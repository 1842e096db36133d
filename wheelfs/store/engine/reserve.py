"""Room on the disk that is kept for deleting, and for the leases of readers.

LMDB writes new pages before it frees old ones, also to remove something; and what is stored is read on a full disk, too.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from pathlib import Path

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Reserve:
    """The file ``reserve`` of a store: blocks without content.  Methods may be called from any thread, in any process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size_bytes(self) -> int:
        """What it takes on the disk; 0 while it is given up."""
        try:
            return self._path.stat().st_blocks * 512
        except FileNotFoundError:
            return 0

    def keep(self, size_bytes: int) -> None:
        """Make it at least this large, unless the disk has no room for that; raises `StoreError`."""
        if self.size_bytes >= size_bytes:
            return
        try:
            # To read, too: where a file system cannot allocate, glibc does it by reading and writing (posix_fallocate(3)).
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise store_error(f"write {self._path}", error) from error
            self.give_up()  # a part of it would not do, and takes what others may need

    def give_up(self) -> bool:
        """Give its room back to the disk; return whether there was any."""
        had_bytes = self.size_bytes
        self._path.unlink(missing_ok=True)
        return had_bytes > 0

    def lend(self, size_bytes: int) -> bool:
        """Give ``size_bytes`` of its room back to the disk, or all; return whether there was any.  Raises `OSError`."""
        left_bytes = self.size_bytes - size_bytes
        if left_bytes <= 0:
            return self.give_up()
        os.truncate(self._path, left_bytes)
        return True
