"""A small tree in memory that keeps the contract of `wheelfs.service.vfs.protocol`, with parts that hang and parts that fail."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio
from msgspec.structs import replace

from wheelfs.service.vfs.protocol import Absent, Attributes, EntryChanged, InodeChanged, Space

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from wheelfs import errors
    from wheelfs.service.vfs.protocol import Node

UPLOADED_NS = 1_700_000_000_123_456_789
_inodes = itertools.count(1 << 20)


@dataclass(eq=False)
class FakeNode:
    """A directory (``children``) or a file (``content``); ``fails`` maps an operation to what it raises."""

    attributes: Attributes
    content: bytes = b""
    children: dict[str, FakeNode] = field(default_factory=dict)
    direct_io: bool = False
    xattrs: dict[str, bytes] = field(default_factory=dict)
    fails: dict[str, Callable[[], BaseException]] = field(default_factory=dict)
    released: trio.Event | None = None
    slow_names: dict[str, trio.Event] = field(default_factory=dict)
    link_target: str = ""
    superseded: bool = False
    superseded_once_failed: bool = False


def directory(children: dict[str, FakeNode] | None = None) -> FakeNode:
    attributes = Attributes(inode=next(_inodes), is_dir=True, size_bytes=0, mtime_ns=UPLOADED_NS, immutable=False)
    return FakeNode(attributes, children=children or {})


def file(
    content: bytes,
    *,
    immutable: bool = True,
    direct_io: bool = False,
    inode: int | None = None,
    released: trio.Event | None = None,
    xattrs: dict[str, bytes] | None = None,
    fails: dict[str, Callable[[], BaseException]] | None = None,
) -> FakeNode:
    number = next(_inodes) if inode is None else inode
    attributes = Attributes(
        inode=number,
        is_dir=False,
        size_bytes=len(content),
        mtime_ns=UPLOADED_NS,
        immutable=immutable,
        keeps_name=immutable,
    )
    return FakeNode(attributes, content, direct_io=direct_io, released=released, xattrs=xattrs or {}, fails=fails or {})


def _fail(node: FakeNode, operation: str) -> None:
    if operation in node.fails:
        raise node.fails[operation]()


@dataclass
class FakeOpenFile:
    """A snapshot of a file; with ``direct_io`` reads are short on purpose (1,000 bytes at most)."""

    node: FakeNode
    content: bytes
    direct_io: bool
    closed: int = 0

    @property
    def size(self) -> int:
        return len(self.content)

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        _fail(self.node, "read")
        if self.node.released is not None:
            await self.node.released.wait()
        return memoryview(self.content)[offset : offset + (min(size, 1000) if self.direct_io else size)]

    def close(self) -> None:
        self.closed += 1
        _fail(self.node, "close")


@dataclass
class FakeListing:
    children: list[tuple[str, FakeNode]]

    def entries(self, start: int) -> Iterator[tuple[int, str, FakeNode]]:
        for cookie in range(start + 1, len(self.children) + 1):
            name, node = self.children[cookie - 1]
            yield cookie, name, node


class FakeFilesystem:
    """`Filesystem` over `FakeNode`s; ``change`` feeds ``changes()``."""

    def __init__(self, root: FakeNode, *, negative_ttl_s: float = 3600.0) -> None:
        self._root = root
        self._negative_ttl_s = negative_ttl_s
        self._send, self._receive = trio.open_memory_channel[EntryChanged | InodeChanged](math.inf)
        self.counted: list[tuple[str, errors.WheelfsError]] = []
        self.lookups: list[str] = []

    @property
    def root(self) -> FakeNode:
        return self._root

    async def lookup(self, parent: Any, name: str) -> FakeNode | Absent:
        self.lookups.append(name)
        if name in parent.slow_names:
            await parent.slow_names[name].wait()
        found: FakeNode | None = parent.children.get(name)
        if found is None:
            return Absent(self._negative_ttl_s)
        _fail(found, "lookup")
        return found

    def refreshed(self, node: Any) -> Node:
        _fail(node, "refreshed")
        current: Node = node
        return current

    async def entered(self, node: Any) -> Any:
        return node

    def listing(self, node: Any) -> FakeListing:
        _fail(node, "listing")
        return FakeListing(list(node.children.items()))

    def link_target(self, node: Any) -> str:
        target: str = node.link_target
        return target

    def is_superseded(self, node: Any, *, failed: bool) -> bool:
        return node.superseded or (failed and node.superseded_once_failed)

    async def open(self, node: Any) -> FakeOpenFile:
        _fail(node, "open")
        return FakeOpenFile(node, node.content, node.direct_io)

    def xattrs(self, node: Any) -> Mapping[str, bytes]:
        _fail(node, "xattrs")
        found: dict[str, bytes] = node.xattrs
        return found

    def space(self) -> Space:
        return Space(total_bytes=1 << 30, free_bytes=1 << 29, files=7)

    def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        return self._receive

    def count_error(self, operation: str, error: errors.WheelfsError) -> None:
        self.counted.append((operation, error))

    def rewrite(self, node: FakeNode, content: bytes) -> None:
        node.content = content
        node.attributes = replace(node.attributes, size_bytes=len(content))
        self._send.send_nowait(InodeChanged(node.attributes.inode))

    def add(self, parent: FakeNode, name: str, node: FakeNode) -> None:
        parent.children[name] = node
        self._send.send_nowait(EntryChanged(parent.attributes.inode, name))
