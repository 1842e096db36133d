"""Core metadata files next to wheels (PEP 658): from an index that offers them, else from the wheel's own tail.

For an sdist only its index has them, since the metadata of its build is not contained in it.

What is served is sure to match the wheel: either its index gives a hash, which is checked, or it was read from the wheel.  Each
is fetched once, however many callers there are.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import plan
from wheelfs.errors import ContentMismatch, OriginFault, OriginMissing, StoreDamaged
from wheelfs.service.tasks import Work, begin

if TYPE_CHECKING:
    from wheelfs.model.content import ContentKey
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.projects import Projects

log = logging.getLogger(__name__)


class Metadata:
    """Finds, keeps and returns the METADATA of wheels."""

    def __init__(self, *, projects: Projects, downloads: DownloadPool, admission: Admission, timeout_s: float) -> None:
        """``timeout_s`` bounds one request for a metadata file."""
        self._projects = projects
        self._downloads = downloads
        self._context = downloads.context
        self._admission = admission
        self._timeout_s = timeout_s
        self._in_flight: dict[ContentKey, Work] = {}

    def known(self, ref: FileRef) -> bytes:
        """Return the metadata that `of` has found earlier; raises `OriginFault` when it was forgotten since."""
        kept = self._context.store.catalog.metadata(ref.key)
        if not kept:
            raise OriginFault(f"open the metadata of {ref.filename}", "it is no longer known", "list the directory again")
        return kept

    async def of(self, entry: Entry) -> bytes:
        """Return the METADATA of a wheel, or of an sdist whose index offers it, fetching no more than it needs."""
        ref = entry.ref
        kept = self._kept(ref)
        sealed = (entry.sealed_sha256 or self._projects.sealed(ref)) if ref.kind == "wheel" else None
        if kept is None and sealed is not None:
            await self._read_out(ref, sealed)
            kept = self._kept(ref)
        elif kept is None:
            with self._admission.waiting(f"read the metadata of {ref.filename}"):
                await self._fetch_once(ref)
            kept = self._kept(ref)
        if kept is None:
            self._context.facts.found_unreadable(ref)
            raise self._unusable(ref)
        return kept

    async def ahead(self, ref: FileRef, *, is_opened: bool) -> bytes:
        """Return the METADATA of a wheel before a client requests it, without taking an admission slot; raises `OriginError`.

        ``is_opened``: the wheel's tail is being fetched.  Then the index's own file is requested only where it may come sooner.
        """
        kept = self._kept(ref)
        if kept is None:
            size_bytes = self._context.facts.size_of(ref)
            is_small = size_bytes is not None and size_bytes <= plan.AT_ONCE_BYTES
            await (self._read_tail(ref) if is_opened and is_small else self._fetch_once(ref))
            kept = self._kept(ref)
        return kept or b""

    async def ensure_tail(self, ref: FileRef) -> None:
        """Fetch the tail of a wheel before a client opens it; raises `OriginError`."""
        with self._downloads.using(ref) as download:
            await download.ensure_tail()

    def _kept(self, ref: FileRef) -> bytes | None:
        """Return what is known, if it has the hash that the index announced: pip refuses everything else, without an override."""
        kept = self._context.store.catalog.metadata(ref.key)
        announced = ref.link.metadata_sha256
        return kept if kept and (announced is None or hashlib.sha256(kept).digest() == announced) else None

    def _unusable(self, ref: FileRef) -> OriginFault:
        attempted = f"read the metadata of {ref.filename}"
        if self._context.store.catalog.metadata(ref.key):
            return ContentMismatch(attempted, "the wheel's own is not what the index announced", "its index serves a broken file")
        return OriginFault(attempted, "the wheel has none that can be read", "its index serves a broken wheel")

    async def _fetch_once(self, ref: FileRef) -> None:
        request = self._in_flight.get(ref.key)
        if request is None:
            attempted = f"read the metadata of {ref.filename}"
            request = begin(self._context.nursery, partial(self._fetch, ref), attempted, partial(self._in_flight.pop, ref.key))
            self._in_flight[ref.key] = request
        await request.wait()

    async def _fetch(self, ref: FileRef) -> None:
        if ref.link.has_metadata:
            try:
                await self._ask_index(ref)
                return
            except (OriginMissing, ContentMismatch) as error:
                if ref.kind != "wheel":
                    raise
                log.warning("%s; it is read from the wheel instead", error)
        await self._read_tail(ref)

    async def _ask_index(self, ref: FileRef) -> None:
        attempted = f"fetch the metadata of {ref.filename} from {ref.origin}"
        origin = self._context.sources.index_of(ref)
        with self._context.hosts.request(attempted, ref.link.url, timeout_s=self._timeout_s, index_url=origin.url):
            found = await origin.fetch_metadata(_beside(ref.link.url))
        self._context.counters.count_fetched(len(found))
        if ref.link.metadata_sha256 is not None and hashlib.sha256(found).digest() != ref.link.metadata_sha256:
            raise ContentMismatch(
                attempted, "it does not have the sha256 that the index announced", "its index serves a broken file"
            )
        await self._context.facts.keep_metadata(ref, found)

    async def _read_tail(self, ref: FileRef) -> None:
        with self._downloads.using(ref) as download:
            await download.ensure_tail()
            sealed = download.sealed_sha256
        if sealed is not None and self._kept(ref) is None:
            await self._read_out(ref, sealed)

    async def _read_out(self, ref: FileRef, sha256: bytes) -> None:
        read = self._context.store.metadata_of_stored
        try:
            found = await trio.to_thread.run_sync(read, sha256, limiter=self._context.disk)
        except StoreDamaged as damage:
            rotten = None
            with suppress(StoreDamaged):
                rotten = self._context.store.open_sealed(sha256)
            await self._downloads.heal(ref, sha256, rotten, damage)
            found = await trio.to_thread.run_sync(read, sha256, limiter=self._context.disk)
        if found is not None:
            await self._context.facts.keep_metadata(ref, found)


def _beside(url: str) -> str:
    """Return the URL of a file's METADATA (PEP 658): its path with a suffix, before a query, which may be a signature of both."""
    path, question, query = url.partition("?")
    return f"{path}.metadata{question}{query}"
