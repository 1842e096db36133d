"""What a name in a directory of the tree stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.projects.ownership import NoSuchProject, Undecided
from wheelfs.core.views import paths
from wheelfs.errors import InvalidInput, OriginError
from wheelfs.model.names import WheelName
from wheelfs.service.vfs.clients.client import CLIENT
from wheelfs.service.vfs.nodes import CacheTagNode, DirectoryNode, FailingNode, FileNode, MetadataNode, StatusNode
from wheelfs.service.vfs.pages import offers_metadata
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.view import View
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.metadata import Metadata
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.vfs.flat_files import FlatFiles
    from wheelfs.service.vfs.limits import VfsLimits
    from wheelfs.service.vfs.nodes import PageNode, TreeNode
    from wheelfs.service.vfs.pages import Pages
    from wheelfs.service.vfs.project_lookup import ProjectLookup


class FileNodes:
    """Makes the nodes of wheels and sdists, whose sizes have to be known."""

    def __init__(self, metadata: Metadata, downloads: DownloadPool, admission: Admission) -> None:
        """Waits on the network hold a slot of ``admission``."""
        self._metadata = metadata
        self._downloads = downloads
        self._admission = admission

    async def of(self, ref: FileRef) -> FileNode:
        """Return a file with its size, which its origin is asked for where it is not known."""
        node = self.known(ref)
        if node is not None:
            return node
        with self._admission.waiting(f"find the size of {ref.filename}"), self._downloads.using(ref) as download:
            return FileNode(ref, await download.learn_size())

    def known(self, ref: FileRef) -> FileNode | None:
        """Return a file whose size is known."""
        size_bytes = self._downloads.context.facts.size_of(ref)
        return None if size_bytes is None else FileNode(ref, size_bytes)

    async def metadata_of(self, entry: Entry) -> MetadataNode:
        """Return the metadata file beside a wheel, which is found out where it is not known."""
        return MetadataNode(entry.ref, len(await self._metadata.of(entry, await CLIENT.get().purpose())))


class NameLookup:
    """Finds nodes by name; may use the network, within a bound."""

    def __init__(
        self,
        *,
        index_names: Sequence[str],
        owners: ProjectLookup,
        views: Views,
        flat: FlatFiles,
        pages: Pages,
        files: FileNodes,
        status: StatusReport,
        limits: VfsLimits,
    ) -> None:
        """``index_names`` are directories below ``index/``."""
        self._index_names = index_names
        self._owners = owners
        self._views = views
        self._flat = flat
        self._pages = pages
        self._files = files
        self._status = status
        self._limits = limits

    async def lookup(self, place: paths.Directory, name: str) -> TreeNode | Absent:
        """Find ``name`` in a directory; raises `OriginError` and other `WheelfsError`."""
        found: TreeNode | None
        match paths.meaning(place, name, self._index_names):
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
                found = StatusNode.of(self._status.text())
            case paths.CacheTag():
                found = CacheTagNode()
            case paths.FlatFile(filename):
                found = self._flat_file(filename, place.view)
            case paths.ProjectFile(filename, metadata):
                found = await self._project_file(place, filename, metadata=metadata)
            case paths.Nothing():
                found = None
        return Absent(self._limits.absent_ttl_s) if found is None else found

    def _flat_file(self, name: str, view: View) -> FileNode | None:
        try:
            wheel = WheelName(name)
        except InvalidInput:
            return None
        found = self._flat.find(wheel.project, name, view)
        return None if found is None else FileNode(found.ref, found.size_bytes, is_flat=True)

    async def _project_directory(self, place: paths.Directory) -> DirectoryNode | None:
        assert place.project is not None
        ownership = await self._owners.find_shortly(place.project, place.view)
        if isinstance(ownership, NoSuchProject):
            return None
        if place.view.stored and not (ownership and self._views.entries(ownership, place.project, place.view).entries):
            return None
        # Undecided or not known yet: the directory exists, and opening its page says why it cannot be read.  A look-up that
        # fails is a quiet 404 to pip, which would then take the project from its next index.
        return DirectoryNode(place)

    async def _project_page(self, place: paths.Directory, form: paths.Form) -> PageNode | None:
        assert place.project is not None
        ownership = await self._owners.find(place.project, place.view)
        return None if isinstance(ownership, NoSuchProject) else await self._pages.looked_up(place, ownership, form)

    async def _project_file(self, place: paths.Directory, filename: str, *, metadata: bool) -> TreeNode | None:
        project = place.project
        assert project is not None

        def entry_of(ownership: Ownership) -> Entry | None:
            return self._views.entry(ownership, project, place.view, filename)

        ownership = await self._owners.find(project, place.view, suffices=lambda known: entry_of(known) is not None)
        if isinstance(ownership, Undecided):
            raise ownership.error.with_traceback(None)  # many callers share it
        entry = entry_of(ownership)
        if entry is None:
            return None
        try:
            if not metadata:
                return await self._files.of(entry.ref)
            if not offers_metadata(entry, ownership, place.view):
                return None
            return await self._files.metadata_of(entry)
        except OriginError as error:
            return FailingNode(f"{place.path}/{filename}{paths.METADATA_SUFFIX if metadata else ''}", error)
