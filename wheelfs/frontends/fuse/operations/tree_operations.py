"""Request handlers: each one translates between the kernel and the tree, and decides nothing.

Between two awaits a handler is alone: pyfuse3 runs all of them as tasks of one trio loop.  Code below relies on that where a
comment says so.  What may wait is the tree's business (`wheelfs.service.vfs.protocol`): only lookup, open and read are awaited
there.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
from typing import TYPE_CHECKING, Final, NoReturn

import pyfuse3

from wheelfs.errors import WheelfsError
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.operations.attributes import AttributeWriter, statfs_reply
from wheelfs.frontends.fuse.operations.barrier import guarded
from wheelfs.frontends.fuse.operations.inodes import InodeTable
from wheelfs.service.vfs.clients.client import CLIENT, Client
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.frontends.fuse.kernel.limits import FuseLimits
    from wheelfs.service.vfs.protocol import Filesystem, Listing, Node, OpenFile

log = logging.getLogger(__name__)

_MAX_NAME_BYTES: Final = 255
_MAX_XATTR_BYTES: Final = 65_536
"""XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux: longer answers are refused by the kernel."""

_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND


def _read_only(*_ignored: object) -> NoReturn:
    raise pyfuse3.FUSEError(errno.EROFS)


@guarded
class TreeOperations(pyfuse3.Operations):
    """The tree as pyfuse3 wants it; every handler is wrapped in the barrier of `wheelfs.frontends.fuse.operations.barrier`."""

    # "." and ".." are resolved by the kernel; asking us is only for export by NFS, where numbers would have to be permanent.
    supports_dot_lookup = False

    def __init__(self, filesystem: Filesystem, *, uid: int, gid: int, limits: FuseLimits = FUSE_LIMITS) -> None:
        self._filesystem = filesystem
        self._attributes = AttributeWriter(uid=uid, gid=gid, limits=limits)
        self._changing_ttl_s = limits.changing_ttl_s
        self._files: dict[int, OpenFile] = {}
        self._listings: dict[int, Listing] = {}
        self._handles = itertools.count(1)
        self._looking_up: dict[int, int] = {}
        self.inodes = InodeTable(filesystem.root, probes=limits.inode_probes)
        self.count_error = filesystem.count_error

    def lookups_under_way(self, parent_number: int) -> int:
        """Return how many look-ups in this directory wait for the tree (see `wheelfs.frontends.fuse.operations.invalidation`)."""
        return self._looking_up.get(parent_number, 0)

    def close_all(self) -> None:
        """Close what the kernel did not release because the connection ended first."""
        files, self._files = self._files, {}
        self._listings.clear()
        for file in files.values():
            try:
                file.close()
            except Exception:
                log.exception("closing an open file at the end of the mount failed")

    # --- names and attributes -----------------------------------------------------------------------------------------

    async def lookup(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        parent = self.inodes.node(parent_inode)
        try:
            text = name.decode()
        except UnicodeDecodeError:
            # All names of the tree are UTF-8: this one cannot exist, now or later.
            return self._attributes.absent(self._changing_ttl_s)
        CLIENT.set(Client(ctx.pid))
        self._looking_up[parent_inode] = self._looking_up.get(parent_inode, 0) + 1
        try:
            found = await self._filesystem.lookup(parent, text)
        finally:
            self._looking_up[parent_inode] -= 1
            if not self._looking_up[parent_inode]:
                del self._looking_up[parent_inode]
        if isinstance(found, Absent):
            return self._attributes.absent(found.ttl_s)
        # No await from here on: the count and the reply belong together.
        number = self.inodes.number(found)
        entry = self._attributes.entry(number, found.attributes)
        self.inodes.remember(number, found)
        return entry

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        for number, count in inode_list:
            self.inodes.forget(number, count)

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        node = self._filesystem.refreshed(self.inodes.node(inode))
        return self._attributes.entry(inode, node.attributes)

    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        node = self.inodes.node(inode)
        if mode & os.W_OK:
            _read_only()
        return node.attributes.is_dir or node.attributes.is_executable or not mode & os.X_OK

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        return statfs_reply(self._filesystem.space())

    # --- directories --------------------------------------------------------------------------------------------------

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        listing = self._filesystem.listing(await self._filesystem.entered(self.inodes.node(inode)))
        handle = next(self._handles)
        self._listings[handle] = listing
        return handle

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        listing = self._listings[fh]
        entry = self._attributes.blank()
        accepted = []
        # Bounded by the reply's buffer (one page to 128 KiB), which `readdir_reply` reports as full.
        for cookie, name, node in listing.entries(start_id):
            encoded = name.encode("utf-8", "surrogateescape")
            if not _is_safe(encoded):
                log.error("name %r left out of a listing: the kernel would refuse the whole directory", name[:80])
                continue
            number = self.inodes.number(node)
            self._attributes.fill(entry, number, node.attributes)
            if not pyfuse3.readdir_reply(token, encoded, entry, cookie):
                break
            accepted.append((number, node))
        # Counted only now: an exception above discards the whole reply, and with it the kernel's lookups.
        for number, node in accepted:
            self.inodes.remember(number, node)

    async def releasedir(self, fh: int) -> None:
        self._listings.pop(fh, None)

    # --- files --------------------------------------------------------------------------------------------------------

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        node = self.inodes.node(inode)
        if flags & _WRITE_FLAGS:
            _read_only()
        if node.attributes.is_dir:
            raise pyfuse3.FUSEError(errno.EISDIR)
        CLIENT.set(Client(ctx.pid))
        file = await self._open_current(node)
        is_settled = node.attributes.immutable or not file.direct_io
        if is_settled and file.size not in (None, node.attributes.size_bytes):
            # Its page was wrong about its size, by which the kernel would cut it: it looks the name up again, and opens that.
            file.close()
            raise pyfuse3.FUSEError(errno.ESTALE)
        # What changes is read past the page cache: the kernel cuts cached reads at a size that may be a second old, and half a
        # project page is worse than none.  An open file of the tree is a snapshot, so one open sees one page.
        direct_io = file.direct_io or not node.attributes.immutable
        handle = next(self._handles)
        self._files[handle] = file
        return pyfuse3.FileInfo(fh=handle, direct_io=direct_io, keep_cache=not direct_io)

    async def _open_current(self, node: Node) -> OpenFile:
        # The kernel remembers what a name meant until it is told better, up to half a second late.  At ESTALE it looks the name
        # up again, and open(2) fails with it only where that finds the same node.
        if self._filesystem.is_superseded(node, failed=False):
            raise pyfuse3.FUSEError(errno.ESTALE)
        try:
            return await self._filesystem.open(node)
        except WheelfsError:
            if self._filesystem.is_superseded(node, failed=True):
                raise pyfuse3.FUSEError(errno.ESTALE) from None
            raise

    async def read(self, fh: int, off: int, size: int) -> bytes | memoryview:  # type: ignore[override]
        data = await self._files[fh].read(off, size)
        # pyfuse3 takes the buffer outside of our barrier, so what it would trip over has to be found here: `memoryview` raises
        # for what is no buffer, or is released.  No checkpoint lies between this return and the reply: a view of the store stays
        # valid.
        with memoryview(data) as view:
            if not view.c_contiguous:
                raise BufferError("a reply has to be contiguous")
            fits = view.nbytes <= size
        return data if fits else data[:size]

    async def flush(self, fh: int) -> None:
        # The kernel takes ENOSYS for good and saves a request per close.
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def release(self, fh: int) -> None:
        file = self._files.pop(fh, None)
        if file is not None:
            file.close()

    async def readlink(self, inode: int, ctx: pyfuse3.RequestContext) -> bytes:
        return os.fsencode(self._filesystem.link_target(self.inodes.node(inode)))

    # --- extended attributes ------------------------------------------------------------------------------------------

    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        # `ls` asks for ACLs and capabilities of every file: answered without troubling the tree.
        if not name.startswith(b"user."):
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR)
        value = self._filesystem.xattrs(self.inodes.node(inode)).get(name.decode("utf-8", "surrogateescape"))
        if value is None:
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR)
        if len(value) > _MAX_XATTR_BYTES:
            raise pyfuse3.FUSEError(errno.E2BIG)
        return value

    async def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        names = [name.encode() for name in self._filesystem.xattrs(self.inodes.node(inode))]
        if sum(len(name) + 1 for name in names) > _MAX_XATTR_BYTES:
            raise pyfuse3.FUSEError(errno.E2BIG)
        return names

    # --- everything that would change something: the kernel refuses most of it itself on a mount that is "ro" --------------

    async def setattr(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def mknod(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def mkdir(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def unlink(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def rmdir(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def symlink(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def rename(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def link(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def write(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def create(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def setxattr(self, *args: object) -> NoReturn:
        _read_only(*args)

    async def removexattr(self, *args: object) -> NoReturn:
        _read_only(*args)

    def stacktrace(self) -> None:
        """Nothing: SIGUSR1 dumps the tasks (`wheelfs.service.process.signals`)."""


def _is_safe(name: bytes) -> bool:
    return 0 < len(name) <= _MAX_NAME_BYTES and b"/" not in name and b"\0" not in name and name not in (b".", b"..")
