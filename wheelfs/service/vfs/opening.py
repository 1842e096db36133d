"""Opening: text that is generated, files that are stored, and files that have to be fetched first."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from wheelfs.core.fetch.purpose import Purpose
from wheelfs.errors import NotKnown, OriginDenied, OriginMissing, StoreDamaged
from wheelfs.service.projects.visible_files import is_superseded
from wheelfs.service.vfs.clients.client import CLIENT
from wheelfs.service.vfs.environments.nodes import EnvironmentFile
from wheelfs.service.vfs.environments.served_parts import open_part
from wheelfs.service.vfs.nodes import CacheTagNode, FailingNode, FileNode, MetadataNode, PageNode, PartNode, StatusNode
from wheelfs.service.vfs.open_files import OpenPartial, OpenStored, OpenText

if TYPE_CHECKING:
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.projects.metadata import Metadata
    from wheelfs.service.projects.prefetcher import Prefetcher
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.vfs.clients.whole_wheels import WholeWheels
    from wheelfs.service.vfs.environments.members import MemberOpener
    from wheelfs.service.vfs.pages import Pages
    from wheelfs.service.vfs.project_lookup import ProjectLookup
    from wheelfs.service.vfs.protocol import Node, OpenFile


class FileOpener:
    """Opens wheels, sdists and other files of projects."""

    def __init__(
        self,
        *,
        projects: Projects,
        downloads: DownloadPool,
        admission: Admission,
        prefetcher: Prefetcher,
        whole_wheels: WholeWheels,
        strict: bool,
        repairs: int,
    ) -> None:
        """``strict`` withholds bytes that are not verified yet; ``repairs``: how often a read may fetch a damaged file again."""
        self._repairs = repairs
        self._projects = projects
        self._downloads = downloads
        self._context = downloads.context
        self._admission = admission
        self._prefetcher = prefetcher
        self._whole_wheels = whole_wheels
        self._strict = strict

    async def open(self, ref: FileRef) -> OpenFile:
        """Open a file; one that is not stored is fetched as far as its tail, within a bound."""
        sealed = self._projects.sealed(ref)
        if sealed is not None:
            self._context.counters.count_saved(self._context.facts.size_of(ref) or 0)
        return await self._open(ref, sealed)

    async def open_for_members(self, ref: FileRef) -> OpenFile | None:
        """Open a stored file, None for another one, and leave what it saves to be counted by who reads a part of it."""
        sealed = self._projects.sealed(ref)
        return None if sealed is None else await self._open(ref, sealed)

    async def _open(self, ref: FileRef, sealed: bytes | None) -> OpenFile:
        if sealed is not None:
            try:
                return self._open_sealed(ref, sealed)
            except StoreDamaged as damage:
                with self._admission.waiting(f"open {ref.filename}"):
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

    async def metadata_opened(self, ref: FileRef) -> None:
        """Fetch a wheel whole whose METADATA alone an installer reads first, as pip does."""
        process = await CLIENT.get().process()
        if process.purpose is Purpose.INSTALLING and self._projects.sealed(ref) is None:
            self._whole_wheels.opened(process.number, ref)

    def is_superseded(self, ref: FileRef, *, failed: bool) -> bool:
        """Return whether the file's name means another content by now; see `wheelfs.service.projects.visible_files`."""
        return is_superseded(ref, self._projects, self._context.store.catalog, failed=failed)

    async def _open_partial(self, ref: FileRef) -> OpenFile:
        download = self._downloads.acquire(ref)
        try:
            process = await CLIENT.get().process()
            purpose = process.purpose
            self._prefetcher.opening(ref, purpose)
            if purpose is Purpose.INSTALLING:
                self._whole_wheels.opened(process.number, ref)
            with nullcontext() if download.has_tail and not self._strict else self._admission.waiting(f"open {ref.filename}"):
                await (download.until_sealed() if self._strict else download.ensure_tail(purpose))
        except BaseException:
            self._downloads.release(download)
            raise
        if download.sealed_sha256 is not None:
            digest = download.sealed_sha256
            self._downloads.release(download)
            return self._open_sealed(ref, digest)
        sums_up = purpose is Purpose.INSTALLING
        return OpenPartial(
            download, self._downloads, self._admission, strict=self._strict, repairs=self._repairs, sums_up=sums_up
        )

    def _open_sealed(self, ref: FileRef, sha256: bytes) -> OpenStored:
        opened = OpenStored(ref, sha256, self._downloads, self._admission, repairs=self._repairs)
        self._context.keep_name(ref, sha256, opened.size)
        return opened


class NodeOpener:
    """Opens the nodes of the tree."""

    def __init__(
        self,
        *,
        owners: ProjectLookup,
        pages: Pages,
        metadata: Metadata,
        status: StatusReport,
        prefetcher: Prefetcher,
        files: FileOpener,
        members: MemberOpener,
    ) -> None:
        """``prefetcher`` is told which pages are read."""
        self._owners = owners
        self._pages = pages
        self._metadata = metadata
        self._status = status
        self._prefetcher = prefetcher
        self._files = files
        self._members = members

    def is_superseded(self, node: Node, *, failed: bool) -> bool:
        """Return whether the node's name means another file by now; ``failed``: opening it has failed."""
        return isinstance(node, FileNode) and self._files.is_superseded(node.ref, failed=failed)

    async def open(self, node: Node) -> OpenFile:
        """Open a file; may use the network, within a bound."""
        match node:
            case EnvironmentFile():  # first of all: one import opens a thousand
                return await self._members.open(node)
            case PageNode(project=None):
                return OpenText(await self._pages.text_of_list(node), direct_io=True)
            case PageNode(project=project) if project is not None:
                self._prefetcher.page_read(project, node.view)
                return OpenText(await self._pages.opened(node, await self._owners.find(project, node.view)), direct_io=True)
            case StatusNode():
                return OpenText(self._status.text(), direct_io=True)
            case CacheTagNode(text=text):
                return OpenText(text, direct_io=False)
            case MetadataNode(ref=ref):
                await self._files.metadata_opened(ref)
                return OpenText(self._metadata.known(ref), direct_io=False)
            case PartNode(ref=ref):
                return await open_part(ref, node.size_bytes, (node.start, node.end), self._members.lazy)
            case FileNode(ref=ref):
                return await self._files.open(ref)
            case FailingNode(error=error):
                raise error.with_traceback(None)
        raise NotKnown("open a node", f"it is no file of this tree: {node!r}")
