"""Invalidates the kernel's caches.

Both notifications block inside the kernel, so they run in a thread of their own, one at a time: the tree's iterator is read only
as fast as the kernel takes them, and the queue that has to be bounded is the tree's.

**The trap.**  Invalidating an entry takes its directory's lock exclusively.  A LOOKUP under way in that directory holds it
shared, for as long as the tree waits on an index, and while our thread waits for it no other task gets the lock: every other
look-up and every listing of the directory would hang with that one look-up.  So an entry is invalidated only while no look-up of
its directory is under way; until then it waits here.  When the wait list is full, its oldest entry is dropped: its time-out still
ends it.  What remains is a look-up that arrives between the check and the lock, which costs one look-up's bound.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import pyfuse3
import trio

from wheelfs.service.vfs.protocol import EntryChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.frontends.fuse.kernel.limits import FuseLimits
    from wheelfs.frontends.fuse.operations.tree_operations import TreeOperations
    from wheelfs.service.vfs.protocol import Filesystem

log = logging.getLogger(__name__)

_GONE: Final = (errno.ENOENT, errno.ENOTCONN, errno.EBADF, errno.ENODEV)
"""ENOENT: the kernel does not know it, so there is nothing to forget.  The others: the connection is ending."""


class Invalidator:
    """Carries the tree's changes to the kernel's caches."""

    def __init__(self, filesystem: Filesystem, operations: TreeOperations, limits: FuseLimits) -> None:
        self._limits = limits
        self._filesystem = filesystem
        self._operations = operations
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._in_kernel = threading.Lock()
        self._has_ended = False
        self._deferred: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    def end(self, cut_off: Callable[[], None], timeout_s: float) -> None:
        """Let no notification begin any more; one that is inside the kernel is cut off, and waited for, but no longer than that.

        libfuse's session must outlive it.  It can hang on a request that was just cancelled, and cutting off frees both.
        """
        self._has_ended = True
        if self._in_kernel.locked():
            cut_off()
        if self._in_kernel.acquire(timeout=timeout_s):
            self._in_kernel.release()  # what is about to begin takes it, and sees the end

    async def run(self) -> None:
        """Work until cancelled; a failing source of changes is logged, and then time-outs alone keep the kernel fresh."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retry_deferred)
            try:
                async for change in self._filesystem.changes():
                    numbers_of = self._operations.inodes.numbers_of
                    if isinstance(change, EntryChanged):
                        if change.directory_inode is not None and numbers_of(change.directory_inode):
                            continue
                        for parent in numbers_of(change.parent_inode):
                            await self._forget_entry(parent, change.name.encode("utf-8", "surrogateescape"))
                    else:
                        for number in numbers_of(change.inode):
                            await self._forget_inode(number)
            except Exception:
                log.exception("the tree's changes ended; the mount now relies on time-outs of its entries")

    async def _retry_deferred(self) -> None:
        while True:
            await trio.sleep(self._limits.retry_s)
            for parent, name in list(self._deferred):
                if not self._operations.lookups_under_way(parent):
                    self._deferred.pop((parent, name), None)
                    await self._forget_entry(parent, name)

    async def _forget_entry(self, parent: int, name: bytes) -> None:
        if self._operations.lookups_under_way(parent):
            self._deferred[parent, name] = None
            if len(self._deferred) > self._limits.deferred_changes:
                self._deferred.popitem(last=False)
            return
        await self._notify(f"entry {name!r} of inode {parent}", pyfuse3.invalidate_entry, parent, name)

    async def _forget_inode(self, number: int) -> None:
        await self._notify(f"inode {number}", pyfuse3.invalidate_inode, number)

    async def _notify(self, what: str, notification: Callable[..., None], *args: object) -> None:
        def in_thread() -> None:
            with self._in_kernel:
                if self._has_ended:  # while the thread was about to begin: libfuse's session may be gone
                    return
                try:
                    notification(*args)
                except OSError as error:
                    if error.errno not in _GONE:
                        log.warning("the kernel did not forget %s: %s", what, error)

        # Abandoned at the end of the mount: it may hang on a request that is no longer answered.
        await trio.to_thread.run_sync(in_thread, limiter=self._one_at_a_time, abandon_on_cancel=True)
