"""Which node the kernel means by an inode number, for as long as it remembers that number.

Every reply that hands the kernel a number counts one lookup; FORGET takes counts back, and at zero the node is dropped.

**Numbers.** The kernel's number is the tree's own (a 62-bit hash, the same after a remount and on every node), except that the
root is always 1.  One content under several paths has one number on purpose, so two nodes of one number are normally the same
thing.  They are taken for a *collision* of the hash only when they cannot be the same: one is a directory and the other is not,
or both are immutable and differ in size.  The second then gets the next free number.  That number is stable only while the kernel
remembers it, which beats the alternative: the kernel marks an inode whose type changed as bad and answers EIO for both.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

import pyfuse3

from wheelfs.errors import InternalError
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS

if TYPE_CHECKING:
    from wheelfs.service.vfs.protocol import Attributes, Node

ROOT: Final = 1


class InodeTable:
    """Inode numbers known to the kernel, their nodes and their lookup counts."""

    __slots__ = ("_counts", "_moved", "_nodes", "_probes", "_root_inode")

    def __init__(self, root: Node, *, probes: int = FUSE_LIMITS.inode_probes) -> None:
        self._probes = probes
        self._root_inode = root.attributes.inode
        self._nodes: dict[int, Node] = {ROOT: root}
        # Only counts above one: most of a large directory's entries are looked up once, by its listing.
        self._counts: dict[int, int] = {}
        self._moved: dict[int, set[int]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def node(self, number: int) -> Node:
        """Return the node of the kernel's ``number``; raise FUSEError(ESTALE) when the kernel never got it."""
        node = self._nodes.get(number)
        if node is None:
            raise pyfuse3.FUSEError(errno.ESTALE)
        return node

    def number(self, node: Node) -> int:
        """Return the number for ``node``, probing past numbers held by something that cannot be the same thing."""
        attributes = node.attributes
        inode = attributes.inode
        if inode == self._root_inode:
            return ROOT
        if self._nodes.get(inode, node) is node:  # nearly always, in a listing
            return inode
        for number in range(inode, inode + self._probes):
            held = self._nodes.get(number)
            if held is None or (held.attributes.inode == inode and _may_be_same(held.attributes, attributes)):
                return number
        raise InternalError(f"number inode {inode}", f"{self._probes} numbers in a row are taken")

    def remember(self, number: int, node: Node) -> None:
        """Count one lookup of ``number``, which now means ``node``: its newest form wins."""
        if number in self._nodes:
            self._counts[number] = self._counts.get(number, 1) + 1
        self._nodes[number] = node
        inode = node.attributes.inode
        if number != inode and number != ROOT:
            self._moved.setdefault(inode, set()).add(number)

    def forget(self, number: int, count: int) -> None:
        """Take back ``count`` lookups."""
        # The kernel never forgets the root of a mount.
        if number == ROOT or number not in self._nodes:
            return
        left = self._counts.pop(number, 1) - count
        if left > 1:
            self._counts[number] = left
        if left > 0:
            return
        inode = self._nodes.pop(number).attributes.inode
        if inode in self._moved:
            self._moved[inode].discard(number)
            if not self._moved[inode]:
                del self._moved[inode]

    def numbers_of(self, inode: int) -> tuple[int, ...]:
        """Return every number by which the kernel knows the tree's ``inode``: none, one, or after a collision more."""
        if inode == self._root_inode:
            return (ROOT,)
        return tuple(number for number in (inode, *sorted(self._moved.get(inode, ()))) if number in self._nodes)


def _may_be_same(held: Attributes, new: Attributes) -> bool:
    if held.is_dir != new.is_dir:
        return False
    return not (held.immutable and new.immutable) or held.size_bytes == new.size_bytes
