"""Core metadata files next to wheels (PEP 658): from an index that offers them, else from the wheel's own tail.

For an sdist only its index has them, since the metadata of its build is not contained in it.

An index's file is compared with the hash that the index gives, and must be about this project and version; else, and where there
is none, what the wheel itself holds is served, so that a broken promise does no harm.  Where that hash is of neither, the whole
wheel is verified first.  Each is fetched once, however many callers there are.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import plan
from wheelfs.core.wheel.identity import is_metadata_of
from wheelfs.errors import ContentMismatch, OriginError, OriginFault, OriginTimeout, OriginUnreachable, StoreDamaged
from wheelfs.service.tasks import Work, begin

if TYPE_CHECKING:
    from wheelfs.core.fetch.purpose import Purpose
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

    async def of(self, entry: Entry, purpose: Purpose) -> bytes:
        """Return the METADATA of a wheel, or of an sdist whose index offers it, fetching no more than it needs.

        ``purpose`` is that of the one who asks.
        """
        ref = entry.ref
        sealed = (entry.sealed_sha256 or self._projects.sealed(ref)) if ref.kind == "wheel" else None
        kept = self._kept(ref, is_verified=sealed is not None)
        if kept is not None:
            return kept
        if sealed is not None:
            await self._read_out(ref, sealed)
        else:
            with self._admission.waiting(f"read the metadata of {ref.filename}"):
                await self._fetch_once(ref, purpose)
        found = self._context.store.catalog.metadata(ref.key)  # the wheel's own, whatever it says
        if not found:
            self._context.facts.found_unreadable(ref)
            raise OriginFault(
                f"read the metadata of {ref.filename}", "the wheel has none that can be read", "its index serves a broken wheel"
            )
        return found

    async def ahead(self, ref: FileRef, purpose: Purpose, *, is_opened: bool) -> bytes:
        """Return the METADATA of a wheel before a client requests it, without taking an admission slot; raises `OriginError`.

        ``is_opened``: the wheel's tail is being fetched.  Then the index's own file is requested only where it may come sooner.
        """
        if self._kept(ref, is_verified=False) is None:
            size_bytes = self._context.facts.size_of(ref)
            in_its_tail = is_opened and size_bytes is not None and size_bytes <= plan.metadata_in_tail_bytes(purpose)
            await (self._read_tail(ref, purpose) if in_its_tail else self._fetch_once(ref, purpose))
        return self._context.store.catalog.metadata(ref.key) or b""

    async def ensure_tail(self, ref: FileRef, purpose: Purpose) -> None:
        """Fetch the tail of a wheel before a client opens it; raises `OriginError`."""
        if self._projects.sealed(ref) is None:  # since this was decided
            with self._downloads.using(ref) as download:
                await download.ensure_tail(purpose)

    def _kept(self, ref: FileRef, *, is_verified: bool) -> bytes | None:
        """Return what is known, if it may be served: whatever a verified wheel holds, else what the index's own hash is of.

        Where that hash is of something else, parts of a wheel that were not verified yet are no better.
        """
        kept = self._context.facts.metadata(ref)
        return None if kept is None or (not is_verified and _is_doubtful(ref, kept)) else kept

    async def _fetch_once(self, ref: FileRef, purpose: Purpose) -> None:
        request = self._in_flight.get(ref.key)
        if request is None:
            attempted = f"read the metadata of {ref.filename}"
            job = partial(self._fetch, ref, purpose)
            request = begin(self._context.nursery, job, attempted, partial(self._in_flight.pop, ref.key))
            self._in_flight[ref.key] = request
        await request.wait()

    async def _fetch(self, ref: FileRef, purpose: Purpose) -> None:
        if ref.link.has_metadata:
            try:
                await self._ask_index(ref)
                return
            except (OriginUnreachable, OriginTimeout):  # the wheel is on the same host
                raise
            except OriginError as error:
                if ref.kind != "wheel":
                    raise
                log.warning("%s; it is read from the wheel instead", error)
        if self._context.store.catalog.metadata(ref.key):  # of no use: it must not pass for what is read now
            await self._context.facts.keep_metadata(ref, b"")
        await self._read_tail(ref, purpose)

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
        if ref.kind == "wheel" and not is_metadata_of(found, ref.filename):
            raise OriginFault(attempted, "what it serves is not the METADATA of this wheel", "its index serves a broken file")
        await self._context.facts.keep_metadata(ref, found)

    async def _read_tail(self, ref: FileRef, purpose: Purpose) -> None:
        with self._downloads.using(ref) as download:
            await download.ensure_tail(purpose)
            found = self._context.store.catalog.metadata(ref.key)
            if ref.kind == "wheel" and (not found or _is_doubtful(ref, found)):
                await download.until_sealed()
            sealed = download.sealed_sha256
        if sealed is not None and self._kept(ref, is_verified=True) is None:
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
        if found != self._context.store.catalog.metadata(ref.key):
            await self._context.facts.keep_metadata(ref, found or b"")


def _is_doubtful(ref: FileRef, metadata: bytes) -> bool:
    """Return whether METADATA of a wheel is not what its index vouches for, so that the wheel's own hash has to do that."""
    announced = ref.link.metadata_sha256
    return announced is not None and ref.is_vouched and hashlib.sha256(metadata).digest() != announced


def _beside(url: str) -> str:
    """Return the URL of a file's METADATA (PEP 658): its path with a suffix, before a query, which may be a signature of both."""
    path, question, query = url.partition("?")
    return f"{path}.metadata{question}{query}"
