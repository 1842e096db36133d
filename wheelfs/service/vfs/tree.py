"""The tree that frontends show.

What may use the network: `Tree.lookup` of a project or file not yet known, and `Tree.open`.  All else answers from the store.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from wheelfs.core.views import paths
from wheelfs.errors import NotKnown, OriginFault
from wheelfs.service.vfs.environments.nodes import EnvironmentDirectory, EnvironmentFile, EnvironmentRoot, environment_xattrs
from wheelfs.service.vfs.listings import NamedListing
from wheelfs.service.vfs.nodes import CacheTagNode, DirectoryNode, FailingNode, FileNode, MetadataNode, PageNode, StatusNode
from wheelfs.service.vfs.protocol import Absent, Space

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from wheelfs.errors import WheelfsError
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.vfs.change_feed import ChangeWatcher
    from wheelfs.service.vfs.listings import Directories
    from wheelfs.service.vfs.names import NameLookup
    from wheelfs.service.vfs.nodes import TreeNode
    from wheelfs.service.vfs.opening import NodeOpener
    from wheelfs.service.vfs.pages import Pages
    from wheelfs.service.vfs.protocol import EntryChanged, InodeChanged, Listing, Node, OpenFile
    from wheelfs.service.vfs.xattrs import ExtendedAttributes

log = logging.getLogger(__name__)


class Tree:
    """Implements `wheelfs.service.vfs.protocol.Filesystem`: each question goes to the part that answers it."""

    def __init__(
        self,
        *,
        names: NameLookup,
        directories: Directories,
        opener: NodeOpener,
        pages: Pages,
        status: StatusReport,
        attributes: ExtendedAttributes,
        watcher: ChangeWatcher,
        context: FetchContext,
    ) -> None:
        """``context`` has the store and the counters."""
        self._names = names
        self._directories = directories
        self._opener = opener
        self._pages = pages
        self._status = status
        self._attributes = attributes
        self._watcher = watcher
        self._context = context
        self._root = DirectoryNode(paths.ROOT)

    @property
    def root(self) -> DirectoryNode:
        """The root directory: the plain view."""
        return self._root

    async def lookup(self, parent: Node, name: str) -> TreeNode | Absent:
        """Find ``name`` in ``parent``."""
        if isinstance(parent, EnvironmentDirectory | EnvironmentRoot):
            return await self._directories.environments.lookup(parent, name)
        assert isinstance(parent, DirectoryNode)
        if parent.place.kind == "environments":
            return await self._directories.environments.named(name) or Absent(self._directories.environments.label_ttl_s)
        return await self._names.lookup(parent.place, name)

    def refreshed(self, node: Node) -> TreeNode:
        """Return ``node`` as it is now; only generated files ever change."""
        match node:
            case PageNode():
                return self._pages.refreshed(node)
            case StatusNode():
                return StatusNode.of(self._status.text())
            case DirectoryNode() | CacheTagNode() | FileNode() | MetadataNode() | FailingNode():
                return node
            case EnvironmentDirectory() | EnvironmentRoot() | EnvironmentFile():
                return node
        raise NotKnown("stat a node", f"it is no node of this tree: {node!r}")

    async def entered(self, node: Node) -> TreeNode:
        """Return a directory as it can be listed; that may last, but needs no network.  Raises `NotKnown` for what is no more."""
        if not isinstance(node, EnvironmentRoot):
            assert isinstance(node, DirectoryNode | EnvironmentDirectory)
            return node
        found = await self._directories.environments.entered(node)
        if found is None:
            raise NotKnown(f"list the environment {node.label.name}", "it was removed or replaced", "look it up again")
        return found

    def listing(self, node: Node) -> Listing:
        """Return the entries of a directory, from the store alone."""
        if isinstance(node, EnvironmentDirectory):
            return NamedListing(list(node.tree.entries(node)))
        assert isinstance(node, DirectoryNode)
        return self._directories.listing(node.place)

    def xattrs(self, node: Node) -> Mapping[str, bytes]:
        """Return the extended attributes of a file; other nodes have none."""
        if isinstance(node, EnvironmentFile):
            return environment_xattrs(node)
        return self._attributes.of(node.ref) if isinstance(node, FileNode) else {}

    def link_target(self, node: Node) -> str:
        """Return what a symbolic link leads to."""
        assert isinstance(node, EnvironmentFile)
        return node.link_target

    def space(self) -> Space:
        """Return the free and total space of the store's file system, and how many files are stored."""
        total_bytes, free_bytes = self._context.store.disk_space()
        return Space(total_bytes, free_bytes, self._context.store.catalog.counts().files)

    def is_superseded(self, node: Node, *, failed: bool) -> bool:
        """Return whether the node's name means another file by now; ``failed``: opening it has failed."""
        return self._opener.is_superseded(node, failed=failed)

    async def open(self, node: Node) -> OpenFile:
        """Open a file; may use the network, within a bound."""
        return await self._opener.open(node)

    def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        """Yield what caches must forget."""
        return self._watcher.changes()

    async def look(self) -> None:
        """Return when caches have forgotten all that has changed so far; waits for as long as `changes` is not read."""
        await self._watcher.look()

    def count_error(self, operation: str, error: WheelfsError) -> None:
        """Log and count an error that a caller is about to see."""
        self._context.counters.count_error(operation, type(error).__name__)
        self._status.failed(operation, str(error))
        log.log(logging.ERROR if isinstance(error, OriginFault) else logging.WARNING, "%s failed: %s", operation, error)
