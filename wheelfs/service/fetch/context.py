"""What all downloads of one process share: sources, hosts, limiters, the store, and what is remembered about files."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import trio

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.delta import CONNECTIONS
from wheelfs.core.hashes import digest_bytes
from wheelfs.core.http.ranges import Range
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import OriginDenied, OriginMissing, OriginUnreachable, StoreDamaged, StoreReadOnly
from wheelfs.model.links import description_of
from wheelfs.service.fetch.facts import FileFacts
from wheelfs.service.fetch.share_losses import MissingObjects
from wheelfs.store.catalog.records import StoredName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from wheelfs.config.settings import Delta
    from wheelfs.model.links import Validators
    from wheelfs.remote.origin import Origin
    from wheelfs.service.fetch.limits import FetchLimits
    from wheelfs.service.fetch.source import Sources
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.unpacked.sources import UnpackedSources
    from wheelfs.store.spool.file import SpoolFile
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)


class FetchContext:
    """What a download needs besides its own state; one per process.

    ``disk`` bounds the threads that read and write files, ``range_requests`` the requests for parts of files under way at once.
    ``unpacked`` says which wheels are unpacked on this machine; ``looking`` bounds the threads that ask it, ``packing`` those
    that make a wheel of it, and ``copying`` those that take much of a file from the store: either may last for longer than a
    stream that waits to be written may be silent.
    """

    def __init__(
        self,
        *,
        store: Store,
        sources: Sources,
        hosts: Hosts,
        nursery: trio.Nursery,
        progress_timeout_s: float,
        delta: Delta,
        unpacked: UnpackedSources,
        limits: FetchLimits,
    ) -> None:
        """``progress_timeout_s``: how long a stream may bring (nearly) nothing before it is given up."""
        self.store = store
        self.hosts = hosts
        self.counters = hosts.counters
        self.nursery = nursery
        self.progress_timeout_s = progress_timeout_s
        self.delta = delta
        self.limits = limits
        self.unpacked = unpacked
        self.facts = FileFacts(store, limits)
        self.sources = sources
        self.missing_objects = MissingObjects(
            store.shared, list(sources.shares.values()), hosts, nursery, timeout_s=progress_timeout_s
        )
        self.disk = trio.CapacityLimiter(limits.disk_threads)
        self.looking = trio.CapacityLimiter(1)  # one list for all who want it
        self.packing = trio.CapacityLimiter(limits.packing_threads)
        self.copying = trio.CapacityLimiter(limits.copying_threads)
        self.range_requests = trio.CapacityLimiter(CONNECTIONS)
        self._sealing = trio.CapacityLimiter(limits.seal_threads)
        self._whole_streams: dict[str, trio.CapacityLimiter] = {}

    def whole_streams(self, index: str) -> trio.CapacityLimiter:
        """Return what bounds the long answers of an index under way at once."""
        return self._whole_streams.setdefault(index, trio.CapacityLimiter(self.limits.whole_streams))

    async def ask_size(self, ref: FileRef) -> int | None:
        """Ask the origin for a file's size without its bytes, and keep it; None when the origin does not say."""
        attempted = f"look up {ref.filename} on {ref.origin}"
        origin = self.sources.index_of(ref)
        with self.hosts.request(attempted, ref.link.url, timeout_s=self.progress_timeout_s, index_url=origin.url):
            size_bytes, etag = await _size_at(origin, (ref.link.url, *ref.link.alternatives))
        if size_bytes == 0 and ref.kind != "other":
            return None
        if size_bytes is not None:
            self.facts.keep_size(ref, size_bytes, etag)
        return size_bytes

    def open_spool(self, ref: FileRef, size_bytes: int, etag: str | None, fresh: bool) -> SpoolFile:
        """Open the spool file of a content, with what earlier runs have fetched of the file with this entity tag.

        ``fresh``: bytes of it were wrong, and other processes may have them, too.
        """
        copies = ref.link.sha256 is not None and not fresh
        return self.store.spool.open(ref.key, size_bytes=size_bytes, validator=etag, copies=copies)

    def open_unsized_spool(self, ref: FileRef) -> SpoolFile:
        """Open a spool file for a response without a length."""
        return self.store.spool.open_growing(ref.key)

    async def seal(
        self, refs: Sequence[FileRef], spool: SpoolFile, size_bytes: int, validators: Validators | None = None
    ) -> bytes:
        """Verify the whole file, store it, make it visible under all ``refs`` and return its sha256; raises `ContentMismatch`.

        ``validators`` are those of the answer that the bytes came with.
        """
        known = () if validators is None else (validators,)
        names = [self._stored_name(ref, size_bytes, self.facts.metadata_sha256(ref), validators=known) for ref in refs]
        expected = refs[0].link.sha256
        # The first one's own last: it is the one that was asked for.
        hashes = {name: value for ref in reversed(refs) for name, value in (ref.link.other_hashes or {}).items()}

        def add() -> bytes:
            return self.store.add_content(
                spool.fd,
                size_bytes,
                expected_sha256=expected,
                expected_hashes=hashes,
                names=names,
                metadata=self._metadata_to_keep(refs[0], spool, size_bytes),
            )

        return await trio.to_thread.run_sync(add, limiter=self._sealing)

    def _metadata_to_keep(self, ref: FileRef, spool: SpoolFile, size_bytes: int) -> bytes:
        """Return the METADATA to store with a whole wheel, which is verified next: its own; empty where what is kept stays.

        That is what may have been served already, and clients keep it: it gives way only where the hash of its index is not its.
        """
        kept, announced = self.facts.metadata(ref), ref.link.metadata_sha256
        if kept is not None and (announced is None or hashlib.sha256(kept).digest() == announced):
            return b"" if ref.link.sha256 is not None else kept  # without a hash it is kept under another key
        if ref.kind != "wheel":
            return b""

        def read(offset: int, length: int) -> bytes:
            return os.pread(spool.fd, length, offset)  # also what was taken from other wheels, and is only assumed so far

        try:
            return metadata.read_from(read, size_bytes, plan.TAIL_BYTES, ref.project)
        except zip_layout.NotAZip:
            return b""

    def keep_name(self, ref: FileRef, sha256: bytes, size_bytes: int) -> None:
        """Record, unless it is known, that stored content also goes by this name, so that it is found without its index."""
        known = self.store.catalog.stored_names(ref.project, ref.filename, replaced=True)  # what it no longer means stays so
        name = msgspec.structs.replace(self._stored_name(ref, size_bytes, ref.link.metadata_sha256), sha256=sha256)
        same = next((one for one in known if one.key == name.key), None)
        if same is None or not (name.of_share or (ref.origin in same.origins and not same.of_share)):
            with suppress(StoreReadOnly):
                self.store.catalog.add_name(name).add_done_callback(_log_failure)

    async def read_sealed(self, sha256: bytes, offset: int, size: int) -> bytes | memoryview:
        """Read stored bytes: in this thread when they are in memory, else in another one."""
        with self.store.reading(sha256) as sealed:
            if sealed.is_warm(offset, size):
                return sealed.read(offset, size)
            return await trio.to_thread.run_sync(sealed.read, offset, size, limiter=self.disk)

    def _stored_name(
        self, ref: FileRef, size_bytes: int, metadata_sha256: bytes | None, *, validators: tuple[Validators, ...] = ()
    ) -> StoredName:
        about = description_of(ref.link)
        about["metadata_sha256"] = metadata_sha256
        told = ref.link.other_hashes or {}
        return StoredName(
            project=ref.project,
            filename=ref.filename,
            index=ref.origin,
            size_bytes=size_bytes,
            private=ref.origin == LOCAL,
            # No index that is configured here has said so.
            of_share=ref.origin != LOCAL and not self.sources.is_configured(ref.origin),
            url=ref.link.url,
            added_at_us=time.time_ns() // 1_000,
            validators=validators,
            # What cannot be checked stays as it was said; what can is added when it was.
            hashes={name: value for name, value in told.items() if digest_bytes(name) is None} or None,
            first_seen_us=ref.link.first_seen_us,
            **about,
        )

    def refuse_damaged(self, ref: FileRef) -> None:
        """Raise `StoreDamaged` for content that is quarantined for damage and has no origin that could be asked again."""
        stored = None if ref.link.sha256 is None else self.store.catalog.content(ref.link.sha256)
        if stored is not None and stored.poisoned is not None and not self.sources.has_index(ref):
            raise StoreDamaged(f"open {ref.filename}", stored.poisoned, "it is quarantined; add it again with wheelfs add")


async def _size_at(origin: Origin, urls: Sequence[str]) -> tuple[int | None, str | None]:
    """Return size and entity tag at the first address that is not dead; raises the last one's error."""
    for last, url in enumerate(urls, 1 - len(urls)):
        try:
            head = await origin.head(url)
            if head.size_bytes:
                return head.size_bytes, head.etag
            async with origin.open_range(url, Range(0, 1)) as reply:
                return reply.total_bytes, reply.etag
        except (OriginMissing, OriginDenied, OriginUnreachable):
            if last == 0:
                raise
    raise AssertionError("a file has an address")


def _log_failure(future: Future[bool]) -> None:
    if (error := future.exception()) is not None:
        log.warning("a name of stored content was not kept: %s", error)
