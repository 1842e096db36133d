"""What ``stat`` shows and for how long the kernel may believe it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

import pyfuse3

if TYPE_CHECKING:
    from wheelfs.service.vfs.protocol import Absent, Attributes, Space

IMMUTABLE_TIMEOUT_S: Final = 86_400.0
"""Immutable files: uv stats every entry of a directory, 50,000 of them cost 1 s with a long timeout and 25 s with none."""

CHANGING_TIMEOUT_S: Final = 1.0
"""Directories and pages: changes by another process have to show within 2 s even where an invalidation is lost."""

MAX_NEGATIVE_TIMEOUT_S: Final = 86_400.0

_BLOCK: Final = 512
"""The unit of ``st_blocks`` by POSIX, whatever ``st_blksize`` says."""

_STATFS_BLOCK: Final = 4096
_NAME_MAX: Final = 255


class AttributeWriter:
    """Fills pyfuse3's attribute records for one mount's owner."""

    __slots__ = ("_gid", "_uid")

    def __init__(self, *, uid: int, gid: int) -> None:
        self._uid = uid
        self._gid = gid

    def entry(self, number: int, attributes: Attributes) -> pyfuse3.EntryAttributes:
        """Return a new record."""
        return self.fill(self.blank(), number, attributes)

    def blank(self) -> pyfuse3.EntryAttributes:
        """Return a record to be filled again and again: a listing needs one, since each entry is copied out at once."""
        entry = pyfuse3.EntryAttributes()
        entry.st_uid = self._uid
        entry.st_gid = self._gid
        # 4,096: Python sizes its read buffers by it, and a larger one would make reading METADATA of a remote wheel fetch more.
        entry.st_blksize = 4096
        # 1 for directories too: "unknown number of subdirectories", as btrfs does; 2 would let find(1) skip them.
        entry.st_nlink = 1
        return entry

    def fill(self, entry: pyfuse3.EntryAttributes, number: int, attributes: Attributes) -> pyfuse3.EntryAttributes:
        """Write ``attributes`` under inode ``number`` into ``entry`` and return it."""
        entry.st_ino = number
        entry.st_mode = stat.S_IFDIR | 0o555 if attributes.is_dir else stat.S_IFREG | 0o444
        entry.st_size = attributes.size_bytes
        entry.st_blocks = -(-attributes.size_bytes // _BLOCK)
        # uv keys its cache of direct paths by ctime, which must not be negative.
        mtime_ns = max(attributes.mtime_ns, 0)
        entry.st_mtime_ns = mtime_ns
        entry.st_ctime_ns = mtime_ns
        entry.st_atime_ns = mtime_ns
        timeout_s = IMMUTABLE_TIMEOUT_S if attributes.immutable else CHANGING_TIMEOUT_S
        entry.attr_timeout = timeout_s
        entry.entry_timeout = timeout_s
        return entry


def negative_entry(absent: Absent) -> pyfuse3.EntryAttributes:
    """Return the reply for "no such name", which the kernel remembers for the time given (``st_ino`` 0)."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = min(max(absent.ttl_s, 0.0), MAX_NEGATIVE_TIMEOUT_S)
    return entry


def statfs_reply(space: Space) -> pyfuse3.StatvfsData:
    """Return what ``df`` shows."""
    reply = pyfuse3.StatvfsData()
    reply.f_bsize = reply.f_frsize = _STATFS_BLOCK
    reply.f_blocks = space.total_bytes // _STATFS_BLOCK
    reply.f_bfree = reply.f_bavail = space.free_bytes // _STATFS_BLOCK
    reply.f_files = space.files
    reply.f_ffree = reply.f_favail = 0
    reply.f_namemax = _NAME_MAX
    return reply
