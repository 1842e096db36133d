"""What ``stat`` shows and for how long the kernel may believe it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

import pyfuse3

from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS

if TYPE_CHECKING:
    from wheelfs.frontends.fuse.kernel.limits import FuseLimits
    from wheelfs.service.vfs.protocol import Attributes, Space

_BLOCK: Final = 512
"""The unit of ``st_blocks`` by POSIX, whatever ``st_blksize`` says."""

_STATFS_BLOCK: Final = 4096
_NAME_MAX: Final = 255


class AttributeWriter:
    """Fills pyfuse3's attribute records for one mount's owner."""

    __slots__ = ("_gid", "_limits", "_uid")

    def __init__(self, *, uid: int, gid: int, limits: FuseLimits = FUSE_LIMITS) -> None:
        self._uid = uid
        self._gid = gid
        self._limits = limits

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
        entry.st_mode = _mode(attributes)
        entry.st_size = attributes.size_bytes
        entry.st_blocks = -(-attributes.size_bytes // _BLOCK)
        # uv keys its cache of direct paths by ctime, which must not be negative.
        mtime_ns = max(attributes.mtime_ns, 0)
        entry.st_mtime_ns = mtime_ns
        entry.st_ctime_ns = mtime_ns
        entry.st_atime_ns = mtime_ns
        entry.attr_timeout = self._ttl_s(attributes.immutable)
        entry.entry_timeout = self._ttl_s(attributes.keeps_name)
        return entry

    def _ttl_s(self, is_settled: bool) -> float:
        return self._limits.immutable_ttl_s if is_settled else self._limits.changing_ttl_s

    def absent(self, ttl_s: float) -> pyfuse3.EntryAttributes:
        """Return the reply for "no such name", which the kernel remembers for the time given (``st_ino`` 0)."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = 0
        entry.entry_timeout = min(max(ttl_s, 0.0), self._limits.absent_ttl_s)
        return entry


def _mode(attributes: Attributes) -> int:
    if attributes.is_dir:
        return stat.S_IFDIR | 0o555
    if attributes.is_link:
        return stat.S_IFLNK | 0o777
    return stat.S_IFREG | (0o555 if attributes.is_executable else 0o444)


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
