"""What a frontend (FUSE, HTTP) needs of the tree; the tree knows nothing of either.

Nodes are opaque to frontends: they are compared by ``attributes.inode`` and handed back.  Every method that is not ``async``
answers from memory or the local store and never waits for a network.  Errors are `wheelfs.errors.WheelfsError`; a frontend maps
them to errnos or HTTP statuses in one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from wheelfs.errors import WheelfsError


class Attributes(msgspec.Struct, frozen=True):
    """What ``stat`` shows.  ``immutable`` content never changes under its inode: caches may keep it for days.

    ``keeps_name``: nor does what its name means where it was found, unless `EntryChanged` says so of just that name.
    """

    inode: int
    is_dir: bool
    size_bytes: int
    mtime_ns: int
    immutable: bool
    keeps_name: bool = False
    is_executable: bool = False
    is_link: bool = False


class Node(Protocol):
    """A directory or a file of the tree."""

    @property
    def attributes(self) -> Attributes: ...


class Absent(msgspec.Struct, frozen=True):
    """There is no such name; a cache may remember that for ``ttl_s`` seconds."""

    ttl_s: float


class OpenFile(Protocol):
    """An open file.  ``direct_io``: no kernel cache and no read-ahead (short reads are then meant)."""

    direct_io: bool

    @property
    def size(self) -> int | None:
        """The size in bytes; None while it is unknown."""
        ...

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return up to ``size`` bytes at ``offset``: fewer at the end of file, or where ``direct_io`` allows a short read."""
        ...

    def close(self) -> None: ...


class Listing(Protocol):
    """A directory being read."""

    def entries(self, start: int) -> Iterator[tuple[int, str, Node]]:
        """Yield ``(cookie, name, node)`` after the entry whose cookie is ``start`` (0: from the beginning); cookies only grow."""
        ...


class Space(msgspec.Struct, frozen=True):
    """For ``statfs``, in bytes and files."""

    total_bytes: int
    free_bytes: int
    files: int


class EntryChanged(msgspec.Struct, frozen=True):
    """The name ``name`` in the directory ``parent_inode`` has appeared, vanished or now means something else.

    ``directory_inode``: it may only have appeared, and is this directory then.  A cache that knows the directory already keeps
    its name: to forget that would take the path from programs that work in there (getcwd(2)).
    """

    parent_inode: int
    name: str
    directory_inode: int | None = None


class InodeChanged(msgspec.Struct, frozen=True):
    """Attributes or content of ``inode`` have changed."""

    inode: int


class Filesystem(Protocol):
    """The tree as a frontend sees it."""

    @property
    def root(self) -> Node: ...

    async def lookup(self, parent: Node, name: str) -> Node | Absent:
        """Find ``name`` in ``parent``; may use the network, within a bound, for projects and files not yet known."""
        ...

    def refreshed(self, node: Node) -> Node:
        """Return ``node`` with its attributes as they are now (for ``getattr``)."""
        ...

    async def entered(self, node: Node) -> Node:
        """Return a directory in the form that `listing` takes; never waits for a network."""
        ...

    def listing(self, node: Node) -> Listing: ...

    def link_target(self, node: Node) -> str:
        """Return what a symbolic link leads to."""
        ...

    async def open(self, node: Node) -> OpenFile:
        """Open a file; for a wheel that is not stored this secures its tail, within a bound."""
        ...

    def is_superseded(self, node: Node, *, failed: bool) -> bool:
        """Return whether the node's name is known to mean another file by now, so that it has to be looked up again.

        Asked at an open by frontends whose callers remember names; ``failed``: opening the node has failed.
        """
        ...

    def xattrs(self, node: Node) -> Mapping[str, bytes]:
        """Return all extended attributes, keyed by full name (``user.wheelfs.state``)."""
        ...

    def space(self) -> Space: ...

    def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        """Yield what kernel or proxy caches must forget, for as long as the mount lives."""
        ...

    def count_error(self, operation: str, error: WheelfsError) -> None:
        """Log (with origin and cause) and count an error that a frontend is about to report."""
        ...
