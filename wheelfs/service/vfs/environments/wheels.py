"""The wheels of environments, whole or not: a lazy environment's come in parts, as its members are opened."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.projects.ownership import Owned, Undecided
from wheelfs.errors import OriginDenied, OriginMissing, OriginUnreachable
from wheelfs.service.vfs.environments.parts import bring_parts, read_part, secure_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.download import Download
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.projects import Projects


class LazyWheel:
    """A wheel that was not stored when it was opened.  Close it."""

    def __init__(self, download: Download, wheels: LazyWheels, *, for_node: bool) -> None:
        """Take over one use of ``download``; ``for_node`` as for `secure_part`."""
        self.download = download
        self._wheels = wheels
        self._for_node = for_node

    @property
    def is_verified(self) -> bool:
        """Whether all of it is here by now, and has the sha256 that it must have."""
        return self.download.sealed_sha256 is not None

    def has(self, start: int, end: int) -> bool:
        """Whether reading that range asks no origin."""
        return self.is_verified or (not self._wheels.strict and self.download.partial.spans.covers(start, end))

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, bringing those that are missing; raises `OriginError`."""
        await self.secure(offset, offset + size)
        return await read_part(self.download, offset, offset + size, for_node=self._for_node)

    async def secure(self, start: int, end: int) -> None:
        """Bring what is missing of a range, in one request; raises `OriginError`."""
        if self.has(start, end):
            return
        with self._wheels.waiting(f"read {self.download.ref.filename}"):
            try:
                await self._secure(start, end)
            except (OriginDenied, OriginMissing):
                if not await self._wheels.renew(self.download):
                    raise
                await self._secure(start, end)

    async def _secure(self, start: int, end: int) -> None:
        if self._wheels.strict:
            await self.download.until_sealed()
        await secure_part(self.download, start, end, for_node=self._for_node)

    async def bring(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Bring ranges in parallel, or all of it where only that may be read; raises `OriginError`."""
        if self._wheels.strict:
            return await self.download.until_sealed()
        await bring_parts(self.download, ranges)

    async def bring_whole(self) -> None:
        """Bring all of it and verify it; raises `OriginError`."""
        if not self.is_verified:
            with self._wheels.waiting(f"fetch {self.download.ref.filename}"):
                await self.download.until_sealed()

    def close(self) -> None:
        """Give it back: what came stays for the next one."""
        self._wheels.release(self.download)


class LazyWheels:
    """Finds out where wheels that are not stored are to be had, and opens them."""

    def __init__(self, projects: Projects, downloads: DownloadPool, admission: Admission, *, strict: bool) -> None:
        """``strict`` lets a wheel be read only when all of it is verified."""
        self.strict = strict
        self.waiting = admission.waiting
        self._projects = projects
        self._downloads = downloads
        self.release = downloads.release

    async def open(self, ref: FileRef, *, ahead: bool = False, for_node: bool = False) -> LazyWheel:
        """Open a wheel; asks its index for no more than a page.  Raises `OriginError`, `ContentMismatch`.

        ``ahead``: no caller waits for it; ``for_node`` as for `secure_part`.
        """
        known = self._downloads.known(ref)
        if known is None or not known.link.url:
            with nullcontext() if ahead else self.waiting(f"find {ref.filename}"):
                known = await self._listed(ref)
        download = self._downloads.acquire(known)
        try:
            await download.partial.open()
        except BaseException:
            self.release(download)
            raise
        return LazyWheel(download, self, for_node=for_node)

    async def renew(self, download: Download) -> bool:
        """Find out whether a wheel has another URL by now, and use that; its page may be signed, and older than its URLs."""
        renewed = await self._projects.renewed(download.ref)
        if renewed is not None:
            self.release(self._downloads.acquire(renewed))
        return renewed is not None

    async def _listed(self, ref: FileRef) -> FileRef:
        """Return the wheel as its index lists it now; else as a share's, which know it by its sha256.

        Then it belongs to no index here, whatever the environment says of it.
        """
        found = self._projects.at_once(ref.project, stale=True)
        if found is None:
            found = await self._projects.find(ref.project)
        if (listed := self._on_page(found, ref)) is not None:
            return listed
        unlisted = msgspec.structs.replace(ref, origin=self._projects.files.origin_of(ref.origin))
        if self._downloads.context.sources.shares or self._downloads.present_bytes(unlisted):
            return unlisted
        # The page may be older than the file.
        if isinstance(found, Owned) and await self._projects.asked_again(found.owner, ref.project):
            found = self._projects.known(ref.project)
            if (listed := self._on_page(found, ref)) is not None:
                return listed
        if isinstance(found, Undecided):
            raise found.error.with_traceback(None)
        attempted, happened = f"open {ref.filename}", "no index lists a file of this name with its sha256"
        if isinstance(found, Owned) and found.page is not None and not found.reachable:
            raise OriginUnreachable(attempted, f"{happened} on the pages that are here, and {found.owner} cannot be asked now")
        raise OriginMissing(attempted, happened, "make the environment again with wheelfs env create")

    def _on_page(self, found: Ownership, ref: FileRef) -> FileRef | None:
        if isinstance(found, Owned):
            for entry in self._projects.entries(found, ref.project, filename=ref.filename):
                if entry.ref.link.sha256 == ref.link.sha256:
                    return entry.ref
        return None
