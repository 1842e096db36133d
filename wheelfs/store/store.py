"""The local store of this machine: taking files in, sealing and reading them, within its limits."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, suppress
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import msgspec
from msgspec.structs import replace

from wheelfs.core import hashes
from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import InvalidInput, NotKnown, StoreDamaged, StoreLocked, StoreReadOnly
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.private_files import OWNER_ALONE, Readers
from wheelfs.store.catalog.last_use import LastUses
from wheelfs.store.catalog.records import StoredContent, StoredName
from wheelfs.store.chunks.ingest import Ingested, ingest
from wheelfs.store.chunks.relocate import places
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.directory import StoreDirectory, allow_solid
from wheelfs.store.files import StoreFiles
from wheelfs.store.gc.collect import collect, is_due
from wheelfs.store.gc.eviction import excess_bytes, make_room
from wheelfs.store.gc.solidify import solidify
from wheelfs.store.limits import NO_LIMITS, TUNING, Limits, Need, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

NO_HASHES: Final[Mapping[str, str]] = MappingProxyType({})
_SOLIDIFY_EVERY_S: Final = 86_400.0
_SOLIDIFY_BYTES: Final = 4 << 30
"""Of content that is looked at in one run in the background: about two minutes of a processor."""
_ALONE: Final = "end the mounts and commands that use it, this once, then start this one again: they may not know solid blocks"
_FORGOTTEN: Final = 2_000
"""Entries taken out of the index in one transaction: as many pages written at most."""
_TAIL_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 1 << 20


class _Kept(NamedTuple):
    sealed_at_us: int
    weight_bytes: int
    file: SealedFile


class Store(StoreFiles):
    """An open store.  Several processes may have the same one open.  Methods may be called from any thread.

    What writes blocks until it is durable (seconds for a large file): call it in a worker thread.
    """

    def __init__(self, directory: StoreDirectory, limits: Limits, tuning: Tuning = TUNING) -> None:
        """Open what is in ``directory`` and take it over; use `open`."""
        super().__init__(directory, tuning, quota_bytes=limits.quota_bytes)
        self.limits = limits
        self.uses = LastUses(self.catalog)
        self._sealed: BoundedCache[bytes, _Kept] = BoundedCache(
            tuning.read.kept_recipes_bytes, weight=lambda kept: kept.weight_bytes
        )
        self._sealed_lock = threading.Lock()
        self._incoming_bytes = 0
        self._incoming_lock = threading.Lock()
        self._making_room = threading.Lock()
        self._solidified_s = -_SOLIDIFY_EVERY_S
        self._keep_reserve()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        readonly: bool = False,
        limits: Limits = NO_LIMITS,
        tuning: Tuning = TUNING,
        readers: Readers = OWNER_ALONE,
    ) -> Self:
        """Open the store at ``path``, making it where ``create`` allows; raises what `StoreDirectory.open` does.

        What this process stores stays within ``limits``; only ``readers`` may read it besides its owner.
        """
        directory = StoreDirectory.open(path, create=create, readonly=readonly, readers=readers)
        if limits.solid_unused_s and not (readonly or directory.format.solid):
            try:
                allow_solid(path, readers)
            except StoreLocked as error:
                log.info("%s", error)  # every command meets it; `solidify_if_due` says it where it matters
            directory = StoreDirectory.open(path, create=False, readers=readers)
        return cls(directory, limits, tuning)

    # --- files ---------------------------------------------------------------------------------------------------------

    def ingest(
        self,
        descriptor: int,
        size_bytes: int,
        *,
        expected_sha256: bytes | None,
        expected_hashes: Mapping[str, str] = NO_HASHES,
        directory: zip_layout.Directory | None = None,
        name: str = "a file",
    ) -> Ingested:
        """Store an open file's bytes without making them visible; see `wheelfs.store.chunks.ingest.ingest`."""
        if self.directory.readonly:
            raise StoreReadOnly(f"store {name}", f"the store {self.path} was opened read-only")
        with self._room_for(size_bytes, attempted=f"store {name}"):
            # The next block's number is read first: everything that this ingest stores has that number or a higher one.
            lease = self.leases.ingesting(self.chunks.next_block())
            try:
                made = ingest(
                    self.chunks,
                    descriptor,
                    size_bytes,
                    expected_sha256=expected_sha256,
                    expected_hashes=expected_hashes,
                    directory=directory,
                    name=name,
                )
            except BaseException:
                lease.end()
                raise
            return replace(made, lease=lease)

    @contextmanager
    def _room_for(self, size_bytes: int, *, attempted: str) -> Iterator[None]:
        """Make room beside what is being stored already, and hold it for the duration of the block; raises `StoreFull`.

        One after the other: what is refused must not have stood in the way of a smaller file.
        """
        with self._making_room:
            make_room(self, self.limits, Need(stored_bytes=self._incoming_bytes + size_bytes), attempted=attempted)
            with self._incoming_lock:
                self._incoming_bytes += size_bytes
        try:
            yield
        finally:
            with self._incoming_lock:
                self._incoming_bytes -= size_bytes

    def seal(
        self,
        ingested: Ingested,
        names: Sequence[StoredName],
        *,
        metadata: bytes = b"",
        check: Callable[[Sequence[StoredName]], None] | None = None,
    ) -> None:
        """Make an ingested file visible under ``names`` (their ``sha256`` is filled in); it is durable when this returns.

        ``metadata`` is the wheel's METADATA, to be served beside it (empty: what is known of it stays).
        ``check`` may look at the stored names of the same projects first, and raise: no other process comes in between.
        """
        content = StoredContent(ingested.size_bytes, time.time_ns() // 1_000, is_zip=ingested.recipe.skeleton_bytes > 0)
        recipe = ingested.recipe
        below = 1 + max((block for chunks in (recipe.data, recipe.skeleton) for block in chunks.extents.blocks), default=-1)
        try:
            self.catalog.seal(
                ingested.sha256, content, recipe.encode(), names, blocks_below=below, metadata=metadata, check=check
            ).result()
        finally:
            if ingested.lease is not None:
                ingested.lease.end()

    def add_content(
        self,
        descriptor: int,
        size_bytes: int,
        *,
        expected_sha256: bytes | None,
        expected_hashes: Mapping[str, str] = NO_HASHES,
        names: Sequence[StoredName],
        metadata: bytes = b"",
    ) -> bytes:
        """Store a file, make it visible and return its sha256; the names get its other hashes, as far as they were expected.

        ``metadata`` as for `seal`.
        Raises `ContentMismatch` when a hash is not the expected one (nothing is then visible), `InvalidInput` when the file is
        shorter than ``size_bytes``, `StoreFull` and other `StoreError`.
        """
        if not names:
            raise InvalidInput("store a file", "it has no name")
        ingested = self.ingest(
            descriptor, size_bytes, expected_sha256=expected_sha256, expected_hashes=expected_hashes, name=names[0].filename
        )
        hashed = [msgspec.structs.replace(name, hashes={**(name.hashes or {}), **ingested.hashes} or None) for name in names]
        self.seal(ingested, hashed, metadata=metadata)
        return ingested.sha256

    def open_sealed(self, sha256: bytes) -> SealedFile:
        """Return stored content for reading; cheap for what was opened lately.

        It stays readable as long as the caller has `hold` of the digest, taken before this.
        Raises `NotKnown` when it is not stored, `StoreDamaged` when it is quarantined or its recipe is damaged.
        """
        attempted = f"open stored content {sha256.hex()}"
        content = self.catalog.content(sha256)
        if content is None:
            raise NotKnown(attempted, "it is not stored")
        if content.poisoned is not None:
            raise StoreDamaged(attempted, f"it is quarantined: {content.poisoned}", "run: wheelfs verify --repair")
        with self._sealed_lock:
            kept = self._sealed.get(sha256)
            # Another time of sealing means another recipe: after a repair the old one's extents may be gone.
            if kept is not None and kept.sealed_at_us == content.sealed_at_us:
                return kept.file
        encoded = self.catalog.recipe(sha256)
        if encoded is None:
            if self.catalog.content(sha256) is None:
                raise NotKnown(attempted, "it was removed a moment ago")
            raise StoreDamaged(attempted, "its recipe is missing", "run: wheelfs verify --repair")
        try:
            sealed = SealedFile(Recipe.decode(encoded), self.chunks)
        except RecipeError as error:
            raise StoreDamaged(attempted, f"its recipe is damaged: {error}", "run: wheelfs verify --repair") from error
        with self._sealed_lock:
            self._sealed.put(sha256, _Kept(content.sealed_at_us, len(encoded), sealed))
        return sealed

    def hold(self, sha256: bytes) -> None:
        """Keep a content readable by those who open it after this, until `release`, also when it is removed meanwhile."""
        self.leases.hold(sha256)

    def release(self, sha256: bytes) -> None:
        """End one `hold`."""
        self.leases.release(sha256)

    @contextmanager
    def reading(self, sha256: bytes) -> Iterator[SealedFile]:
        """Lend stored content for the duration of the block; raises what `open_sealed` does."""
        self.hold(sha256)
        try:
            yield self.open_sealed(sha256)
        finally:
            self.release(sha256)

    def digests_of(self, sha256: bytes, algorithms: Iterable[str]) -> dict[str, str]:
        """Read stored content once, and return its digests, in hexadecimal by algorithm; raises what `open_sealed` does."""
        with self.reading(sha256) as sealed:
            return hashes.digests_of(hashes.pieces(sealed.read, sealed.size, piece_bytes=_READ_BYTES), algorithms)

    def quarantine(self, sha256: bytes, reason: str) -> None:
        """Stop serving damaged content, and stop finding its damaged chunks for other files.

        It stays quarantined until it is sealed again, from its origin or by the user.
        """
        encoded = self.catalog.recipe(sha256)
        try:
            recipe = None if encoded is None else Recipe.decode(encoded)
        except RecipeError:
            recipe = None
        if recipe is not None:
            for chunks in (recipe.skeleton, recipe.data):
                bad = ((chunk.digest, place) for chunk, place in places(chunks) if not self.chunks.is_sound(chunk.digest, place))
                while some := list(islice(bad, _FORGOTTEN)):
                    self.chunks.forget(some).result()
        self.catalog.quarantine(sha256, reason).result()

    def metadata_of_stored(self, sha256: bytes) -> bytes | None:
        """Return the METADATA of a stored wheel out of the wheel itself; None when it is no wheel that has one."""
        names = self.catalog.names_of(sha256)
        if not names:
            raise NotKnown(f"read the metadata of {sha256.hex()}", "it is not stored")
        try:
            with self.reading(sha256) as sealed:
                return metadata.read_from(sealed.read, sealed.size, _TAIL_BYTES, names[0].project)
        except zip_layout.NotAZip:
            return None

    # --- limits --------------------------------------------------------------------------------------------------------

    def has_room(self, need: Need) -> bool:
        """Tell whether what is about to be taken fits without anything having to go."""
        return excess_bytes(self, self.limits, need) <= 0

    def make_room(self, need: Need, attempted: str) -> None:
        """Evict what may go until ``need`` fits; blocks.  Raises `StoreFull`."""
        make_room(self, self.limits, need, attempted=attempted)

    def keep_limits(self) -> list[str]:
        """Write down what was used, and make room where the store is above its limits; return the filenames that went."""
        if not self.directory.readonly:
            self.uses.flush()
            self._keep_reserve()
            return make_room(self, self.limits)
        return []

    def _keep_reserve(self) -> None:
        """Make the reserve again where it was given up, and let it grow with the store."""
        tuning = self.tuning.reserve
        wanted_bytes = max(tuning.least_bytes, int(self.catalog_bytes() * tuning.catalog_part))
        if self.limits.quota_bytes is not None:
            wanted_bytes = min(wanted_bytes, self.tuning.evict.slack_of(self.limits.quota_bytes) // 2)
        if not self.directory.readonly:
            self.reserve.keep(min(wanted_bytes, tuning.most_bytes))

    def collect_if_due(self) -> None:
        """Give back the room of what was removed, if that is worth it; blocks.  Does nothing while another process collects."""
        if not self.directory.readonly and is_due(self):
            with suppress(StoreLocked):
                done = collect(self, grace_s=0, lock_s=0)
                log.info("gave back %d bytes of what was removed", done.freed_bytes)

    def solidify_if_due(self) -> None:
        """Make solid what was not used for as long as `Limits` says, once a day; blocks.  Not while another process collects."""
        if self.directory.readonly or not self.limits.solid_unused_s:
            return
        if time.monotonic() - self._solidified_s < _SOLIDIFY_EVERY_S:
            return
        self._solidified_s = time.monotonic()
        if not self.directory.format.solid:
            log.warning("nothing is made solid: other processes had the store %s open when this one began; %s", self.path, _ALONE)
        else:
            with suppress(StoreLocked):
                done = solidify(self, unused_s=self.limits.solid_unused_s, most_bytes=_SOLIDIFY_BYTES)
                log.info("made %d wheels solid in part: %d bytes less", done.wheels, done.freed_bytes)
