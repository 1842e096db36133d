"""What is remembered about files that are not stored: size, entity tag, METADATA, the length of their tail, quarantine."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.hashes import impossible
from wheelfs.core.wheel.identity import is_metadata_of
from wheelfs.errors import ContentMismatch, StoreReadOnly
from wheelfs.service.tasks import await_future
from wheelfs.store.catalog.records import ContentFacts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheelfs.model.content import ContentKey
    from wheelfs.service.fetch.limits import FetchLimits
    from wheelfs.service.file_refs import FileRef
    from wheelfs.store.store import Store


class FileFacts:
    """Facts about files in the catalog, and about projects in memory."""

    def __init__(self, store: Store, limits: FetchLimits) -> None:
        self._store = store
        self._catalog = store.catalog
        self._limits = limits
        self._directory_bytes: OrderedDict[str, int] = OrderedDict()
        self._unreadable: OrderedDict[ContentKey, None] = OrderedDict()
        self.unreadable_seen = 0
        self._served: dict[ContentKey, bytes] = {}

    def size_of(self, ref: FileRef) -> int | None:
        """Return the exact size: from the index, or as found out earlier; None when it is unknown."""
        if ref.link.size_bytes is not None:
            return ref.link.size_bytes
        facts = self._catalog.facts(ref.key)
        if facts is not None and (facts.size_bytes or (facts.size_bytes == 0 and ref.kind == "other")):
            return facts.size_bytes
        stored = self._catalog.content(ref.key)  # fetched under another key, before its sha256 was known
        return None if stored is None else stored.size_bytes

    def sizes_of(self, refs: Sequence[FileRef]) -> list[int | None]:
        """Do what `size_of` does for many files that may not be stored, in one catalog transaction."""
        unsized = [ref.key for ref in refs if ref.link.size_bytes is None]
        found = iter(self._catalog.sizes(unsized))
        return [ref.link.size_bytes if ref.link.size_bytes is not None else next(found) for ref in refs]

    def etag_of(self, ref: FileRef) -> str | None:
        """Return the entity tag of what was fetched of a file earlier."""
        facts = self._catalog.facts(ref.key)
        return None if facts is None else facts.etag

    def keep_size(self, ref: FileRef, size_bytes: int, etag: str | None) -> None:
        """Remember a size that was found out; no wheel or sdist is empty, whatever a server says for the moment."""
        if size_bytes == 0 and ref.kind != "other":
            return
        self._catalog.put_facts(ref.key, ContentFacts(size_bytes=size_bytes, etag=etag, checked_at_us=_now_us()))

    def metadata(self, ref: FileRef) -> bytes | None:
        """Return the METADATA of a wheel that is kept; None, too, for what cannot be its own: earlier builds kept any answer."""
        kept = self._catalog.metadata(ref.key)
        return kept if kept and (ref.kind != "wheel" or is_metadata_of(kept, ref.filename)) else None

    def served_metadata_sha256(self, ref: FileRef) -> bytes | None:
        """Return the digest of what `metadata` returns; may be called in any thread."""
        digest = self._served.get(ref.key)
        if digest is None and (kept := self.metadata(ref)) is not None:
            if len(self._served) >= self._limits.known_digests:
                self._served.clear()
            digest = self._served[ref.key] = hashlib.sha256(kept).digest()
        return digest

    async def keep_metadata(self, ref: FileRef, metadata: bytes) -> None:
        """Remember the METADATA of a wheel (empty: forget it); it can be looked up when this returns.

        Metadata with the hash that the index announced is not replaced by any other.
        """
        announced = ref.link.metadata_sha256
        if metadata and announced is not None and hashlib.sha256(metadata).digest() != announced:
            kept = self.metadata(ref)
            if kept and hashlib.sha256(kept).digest() == announced:
                return
        if metadata:
            self._unreadable.pop(ref.key, None)
        self._served.pop(ref.key, None)
        await await_future(self._catalog.put_metadata(ref.key, metadata))

    def metadata_sha256(self, ref: FileRef) -> bytes | None:
        """Return the digest of a wheel's METADATA: as the index announced it, else of what was found in the wheel itself."""
        if ref.link.metadata_sha256 is not None:
            return ref.link.metadata_sha256
        kept = None if ref.link.has_metadata else self._catalog.metadata(ref.key)
        return hashlib.sha256(kept).digest() if kept else None

    def found_unreadable(self, ref: FileRef) -> None:
        """Remember that a wheel's METADATA cannot be read, so that no page promises it.

        With the page that lists it, as long as that stays the same; of any other wheel while this process lives.
        """
        if ref.key not in self._unreadable:
            self._unreadable[ref.key] = None
            self.unreadable_seen += 1
            if len(self._unreadable) > self._limits.known_unreadable:
                self._unreadable.popitem(last=False)
            with suppress(StoreReadOnly):
                self._catalog.note_unreadable(ref.origin, ref.project, ref.key)

    def unreadable(self, index: str, project: str) -> Collection[bytes]:
        """Return the content keys of wheels, those on this index's page among them, whose METADATA cannot be read."""
        head = self._catalog.page_head(index, project)
        return self._unreadable.keys() | (() if head is None else head.unreadable)

    def tail_bytes(self, project: str, size_bytes: int | None, purpose: Purpose = Purpose.UNKNOWN) -> int:
        """Return how long a tail to ask for of a file of ``size_bytes`` (None: unknown)."""
        seen = self._directory_bytes.get(project)
        return plan.tail_bytes(seen_directory_bytes=seen, size_bytes=size_bytes, purpose=purpose)

    def saw_directory(self, project: str, size_bytes: int) -> None:
        """Remember how much of a file's end its directory took: the next version's will be of a similar size."""
        self._directory_bytes[project] = size_bytes
        self._directory_bytes.move_to_end(project)
        if len(self._directory_bytes) > self._limits.known_directories:
            self._directory_bytes.popitem(last=False)

    async def quarantine(self, ref: FileRef, error: ContentMismatch) -> None:
        """Quarantine a content whose origin twice sent other bytes than its index announced.

        What another process has stored and verified meanwhile is not touched: the fault is this origin's.
        """
        if not self._store.holds(ref.key):
            await await_future(self._catalog.poison(ref.key, error.happened))

    def check_quarantine(self, ref: FileRef) -> None:
        """Raise `ContentMismatch` while a content is quarantined, or when no file can have the hash that its index gives."""
        reason = None if ref.link.sha256 is not None else impossible(ref.link.other_hashes)
        if reason is not None:
            raise ContentMismatch(f"open {ref.filename} from {ref.origin}", reason, "its index serves a broken page")
        facts = self._catalog.facts(ref.key)
        if facts is None or facts.poisoned is None:
            return
        # A quarantine of the future is one of a clock that was set back since, and would last as long as that.
        if not 0 <= _now_us() - facts.checked_at_us < self._limits.quarantine_s * 1e6:
            return
        raise ContentMismatch(
            f"open {ref.filename} from {ref.origin}", facts.poisoned, "it is quarantined and asked for again later"
        )


def _now_us() -> int:
    return time.time_ns() // 1_000
