"""The tree that frontends show: which names a directory has, what they mean, and what opening them does.

What may use the network: `Tree.lookup` of a project or file not yet known, and `Tree.open`.  All else answers from the store.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.projects.ownership import NoSuchProject, Undecided
from wheelfs.core.views import paths
from wheelfs.errors import (
    InvalidInput,
    NotKnown,
    OriginDenied,
    OriginError,
    OriginFault,
    OriginMissing,
    StoreDamaged,
    WheelfsError,
)
from wheelfs.model.names import WheelName
from wheelfs.service.vfs.listings import FlatListing, NamedListing, SimpleListing
from wheelfs.service.vfs.nodes import DirectoryNode, FailingNode, FileNode, MetadataNode, PageNode, StatusNode
from wheelfs.service.vfs.open_files import OpenPartial, OpenStored, OpenText
from wheelfs.service.vfs.pages import offers_metadata
from wheelfs.service.vfs.protocol import Absent, Space

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.model.names import ProjectName
    from wheelfs.service.admission import Gate
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.projects.metadata import Metadata
    from wheelfs.service.projects.prefetcher import Prefetcher
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.vfs.change_feed import Watch
    from wheelfs.service.vfs.flat_files import FlatFiles
    from wheelfs.service.vfs.nodes import TreeNode
    from wheelfs.service.vfs.pages import Pages
    from wheelfs.service.vfs.protocol import EntryChanged, InodeChanged, Listing, Node, OpenFile
    from wheelfs.service.vfs.xattrs import ExtendedAttributes

log = logging.getLogger(__name__)

ABSENT_TTL_S: Final = 1.0
"""How long a kernel may remember that a name is absent; new names are announced besides."""


class _Patience:
    """A leaky bucket of seconds: at most `BURST_S` of waiting in a row, filled again at `REFILL` seconds a second.

    A second waited takes `COST` out of it: so one look-up may wait as long as all of them, and a burst of short waits ends soon
    (with answers after 30 ms, resolving 13 projects for the first time took 0.25 s longer at a cost of 1).
    """

    BURST_S: Final = 0.3
    REFILL: Final = 0.1
    COST: Final = 6.0

    def __init__(self) -> None:
        self._left_s = self.BURST_S
        self._at_s = 0.0

    def left_s(self, now_s: float) -> float:
        """Return how long one may wait now."""
        self._left_s = min(self.BURST_S, self._left_s + (now_s - self._at_s) * self.REFILL)
        self._at_s = now_s
        return max(0.0, self._left_s)

    def spend(self, began_s: float, ended_s: float) -> None:
        """Take a wait out of the bucket."""
        self._left_s = max(0.0, self._left_s - (ended_s - began_s) * self.COST)


class Tree:
    """Implements `wheelfs.service.vfs.protocol.Filesystem`."""

    def __init__(
        self,
        *,
        projects: Projects,
        views: Views,
        flat: FlatFiles,
        pages: Pages,
        metadata: Metadata,
        prefetcher: Prefetcher,
        downloads: DownloadPool,
        gate: Gate,
        watch: Watch,
        status: StatusReport,
        attributes: ExtendedAttributes,
        strict: bool,
    ) -> None:
        """``strict`` withholds bytes that are not verified yet."""
        self._projects = projects
        self._views = views
        self._flat = flat
        self._pages = pages
        self._metadata = metadata
        self._prefetcher = prefetcher
        self._downloads = downloads
        self._context = downloads.context
        self._gate = gate
        self._watch = watch
        self._status = status
        self._attributes = attributes
        self._strict = strict
        self._patience = _Patience()
        self._root = DirectoryNode(paths.ROOT)

    @property
    def root(self) -> DirectoryNode:
        """The root directory: the plain view."""
        return self._root

    # --- names ----------------------------------------------------------------------------------------------------

    async def lookup(self, parent: Node, name: str) -> TreeNode | Absent:
        """Find ``name`` in ``parent``."""
        assert isinstance(parent, DirectoryNode)
        place = parent.place
        found: TreeNode | None
        match paths.meaning(place, name, self._projects.names):
            case paths.Directory(kind="project") as directory:
                found = await self._project_directory(directory)
            case paths.Directory() as directory:
                found = DirectoryNode(directory)
            case paths.Page(kind="project", form=form):
                found = await self._project_page(place, form)
            case paths.Page(kind="simple", form=form):
                found = await self._pages.projects(place.view, form)
            case paths.Page():
                found = await self._pages.links(place.view)
            case paths.StatusFile():
                found = self._status_node()
            case paths.FlatFile(filename):
                found = self._flat_file(filename, place.view)
            case paths.ProjectFile(filename, metadata):
                found = await self._project_file(place, filename, metadata=metadata)
            case paths.Nothing():
                found = None
        return Absent(ABSENT_TTL_S) if found is None else found

    def _flat_file(self, name: str, view: View) -> FileNode | None:
        try:
            wheel = WheelName(name)
        except InvalidInput:
            return None
        found = self._flat.find(wheel.project, name, view)
        return None if found is None else FileNode(found.ref, found.size_bytes)

    async def _project_directory(self, place: paths.Directory) -> DirectoryNode | None:
        assert place.project is not None
        ownership = await self._find_shortly(place.project, place.view)
        if isinstance(ownership, NoSuchProject):
            return None
        if place.view.stored and not (ownership and self._views.entries(ownership, place.project, place.view).entries):
            return None
        # Undecided or not known yet: the directory exists, and opening its page says why it cannot be read.  A look-up that
        # fails is a quiet 404 to pip, which would then take the project from its next index.
        return DirectoryNode(place)

    async def _project_page(self, place: paths.Directory, form: paths.Form) -> PageNode | None:
        assert place.project is not None
        ownership = await self._find(place.project, place.view)
        return None if isinstance(ownership, NoSuchProject) else await self._pages.looked_up(place, ownership, form)

    async def _project_file(self, place: paths.Directory, filename: str, *, metadata: bool) -> TreeNode | None:
        project = place.project
        assert project is not None
        ownership = await self._find(project, place.view)
        if isinstance(ownership, Undecided):
            raise ownership.error.with_traceback(None)  # many callers share it
        entry = self._views.entry(ownership, project, place.view, filename)
        if entry is None:
            return None
        try:
            if not metadata:
                return await self._node_of(entry.ref)
            if not offers_metadata(entry, ownership, place.view):
                return None
            return MetadataNode(entry.ref, len(await self._metadata.of(entry)))
        except OriginError as error:
            return FailingNode(f"{place.path}/{filename}{paths.METADATA_SUFFIX if metadata else ''}", error)

    async def _node_of(self, ref: FileRef) -> FileNode:
        node = self._file_node(ref)
        if node is not None:
            return node
        with self._gate.waiting(f"find the size of {ref.filename}"), self._downloads.using(ref) as download:
            return FileNode(ref, await download.learn_size())

    def _file_node(self, ref: FileRef) -> FileNode | None:
        size_bytes = self._context.facts.size_of(ref)
        return None if size_bytes is None else FileNode(ref, size_bytes)

    async def _find_shortly(self, project: ProjectName, view: View) -> Ownership | None:
        """Find out whose project it is, or return None when that takes longer than a look-up in ``simple/`` may hold up others.

        The kernel lets one look-up a directory wait at a time (libfuse does not ask for parallel ones), so a client that looks up
        forty projects at once would wait for forty answers in a row.  The question goes on behind, and its page waits for it.
        For a page that is known, however old, the look-up does not wait: the project exists.
        """
        if view.stored:
            return self._projects.known(project, index=view.index)
        with suppress(WheelfsError):  # damage, say: opening the page says what
            quick = self._projects.at_once(project, index=view.index, stale=True)
            if quick is not None:
                return quick
        began_s = trio.current_time()
        found: Ownership | None = None
        with trio.move_on_after(self._patience.left_s(began_s)):
            found = await self._find(project, view)
        self._patience.spend(began_s, trio.current_time())
        return found

    async def _find(self, project: ProjectName, view: View) -> Ownership:
        if view.stored:
            return self._projects.known(project, index=view.index)
        try:
            quick = self._projects.at_once(project, index=view.index)
            if quick is not None:
                return quick
            with self._gate.waiting(f"look up {project}"):
                return await self._projects.find(project, index=view.index)
        except WheelfsError as error:  # too many wait already, say: a look-up that failed would be a quiet 404 to pip
            return Undecided(error)

    # --- attributes and listings ----------------------------------------------------------------------------------

    def refreshed(self, node: Node) -> TreeNode:
        """Return ``node`` as it is now; only generated files ever change."""
        match node:
            case PageNode():
                return self._pages.refreshed(node)
            case StatusNode():
                return self._status_node()
            case DirectoryNode() | FileNode() | MetadataNode() | FailingNode():
                return node
        raise NotKnown("stat a node", f"it is no node of this tree: {node!r}")

    def listing(self, node: Node) -> Listing:
        """Return the entries of a directory, from the store alone."""
        assert isinstance(node, DirectoryNode)
        place = node.place
        match place.kind:
            case "view":
                return FlatListing(place, self._projects, self._flat)
            case "indexes" | "times":
                below = paths.subdirectories(place, self._projects.names)
                return NamedListing([(name, DirectoryNode(directory)) for name, directory in below])
            case "simple":
                return SimpleListing(place, self._projects, self._context.store.catalog)
            case "project":
                return self._project_listing(place)
            case "private":
                return NamedListing([(paths.STATUS, self._status_node())])

    def _project_listing(self, place: paths.Directory) -> NamedListing:
        """List the page and the files whose size is known; the others appear when somebody has looked them up."""
        assert place.project is not None
        ownership = self._projects.known(place.project, index=place.view.index)
        entries = self._views.entries(ownership, place.project, place.view).entries
        nodes = [(entry.ref.filename, self._file_node(entry.ref)) for entry in entries]
        files: list[tuple[str, TreeNode]] = [(name, file) for name, file in nodes if file is not None]
        return NamedListing([(paths.PAGE, self._pages.project_node(place, ownership)), *files])

    def xattrs(self, node: Node) -> Mapping[str, bytes]:
        """Return the extended attributes of a file; other nodes have none."""
        return self._attributes.of(node.ref) if isinstance(node, FileNode) else {}

    def space(self) -> Space:
        """Return the store's file system's room, and how many files are stored."""
        total_bytes, free_bytes = self._context.store.disk_space()
        return Space(total_bytes, free_bytes, self._context.store.catalog.counts().files)

    # --- opening --------------------------------------------------------------------------------------------------

    async def open(self, node: Node) -> OpenFile:
        """Open a file; see the module's docstring for what may be waited for."""
        match node:
            case PageNode(project=None):
                return OpenText(await self._pages.text_of_list(node), direct_io=True)
            case PageNode(project=project) if project is not None:
                self._prefetcher.page_read(project, node.view)
                return OpenText(await self._pages.opened(node, await self._find(project, node.view)), direct_io=True)
            case StatusNode():
                return OpenText(self._status.text(), direct_io=True)
            case MetadataNode(ref=ref):
                return OpenText(self._metadata.known(ref), direct_io=False)
            case FileNode(ref=ref):
                return await self._open_file(ref)
            case FailingNode(error=error):
                raise error.with_traceback(None)
        raise NotKnown("open a node", f"it is no file of this tree: {node!r}")

    async def _open_file(self, ref: FileRef) -> OpenFile:
        sealed = self._projects.sealed(ref)
        if sealed is not None:
            self._context.counters.count_saved(self._context.facts.size_of(ref) or 0)
            try:
                return self._open_sealed(ref, sealed)
            except StoreDamaged as damage:
                with self._gate.waiting(f"open {ref.filename}"):
                    await self._downloads.heal(ref, sealed, None, damage)
                return self._open_sealed(ref, sealed)
        self._context.refuse_damaged(ref)
        try:
            return await self._open_partial(ref)
        except (OriginDenied, OriginMissing):
            renewed = await self._projects.renewed(ref)
            if renewed is None:
                raise
        return await self._open_partial(renewed)

    async def _open_partial(self, ref: FileRef) -> OpenFile:
        download = self._downloads.acquire(ref)
        self._prefetcher.opening(ref)
        try:
            with nullcontext() if download.has_tail and not self._strict else self._gate.waiting(f"open {ref.filename}"):
                await (download.until_sealed() if self._strict else download.ensure_tail())
        except BaseException:
            self._downloads.release(download)
            raise
        if download.sealed_sha256 is not None:
            digest = download.sealed_sha256
            self._downloads.release(download)
            return self._open_sealed(ref, digest)
        return OpenPartial(download, self._downloads, self._gate, strict=self._strict)

    def _open_sealed(self, ref: FileRef, sha256: bytes) -> OpenStored:
        opened = OpenStored(ref, sha256, self._downloads, self._gate)
        self._context.keep_name(ref, sha256, opened.size)
        return opened

    # --- news -----------------------------------------------------------------------------------------------------

    def changes(self) -> AsyncIterator[EntryChanged | InodeChanged]:
        """Yield what caches must forget."""
        return self._watch.changes()

    def count_error(self, operation: str, error: WheelfsError) -> None:
        """Log and count an error that a caller is about to see."""
        self._context.counters.count_error(operation, type(error).__name__)
        log.log(logging.ERROR if isinstance(error, OriginFault) else logging.WARNING, "%s failed: %s", operation, error)

    def _status_node(self) -> StatusNode:
        return StatusNode(f".wheelfs/{paths.STATUS}", len(self._status.text()))
