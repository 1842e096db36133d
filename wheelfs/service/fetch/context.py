"""What the fetching of one content needs of the rest: its origin, the store, and what was learned about it before."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import trio

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.delta import CONNECTIONS
from wheelfs.core.http.ranges import Range
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.errors import ContentMismatch, OriginTimeout, OriginUnreachable, StoreDamaged, StoreReadOnly, WheelfsError
from wheelfs.model.content import key_of_sha256
from wheelfs.service.fetch.download import Content
from wheelfs.service.fetch.partial_file import Partial
from wheelfs.service.fetch.share_losses import Losses
from wheelfs.service.fetch.space import Room
from wheelfs.service.tasks import await_future
from wheelfs.store.catalog.records import ContentFacts, StoredName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from wheelfs.config.settings import Delta
    from wheelfs.model.content import ContentKey
    from wheelfs.remote.origin import Origin
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.store.chunks.sealed_file import SealedFile
    from wheelfs.store.spool.file import SpoolFile
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

log = logging.getLogger(__name__)

IDLE_CONTENTS: Final = 64
"""Contents that nobody uses keep what they know about their tail; each costs three file descriptors."""

DISK_THREADS: Final = 8
SEAL_THREADS: Final = 2
"""Sealing is hashing: more threads than processors only take turns."""

POISON_S: Final = 600.0
"""How long a content that twice did not match its hash is refused before its origin is asked again."""

_KNOWN_DIRECTORIES: Final = 10_000


class Source(NamedTuple):
    """Where bytes of a file can be asked for.

    ``host`` is an address of the host whose state counts, ``share`` the share's name, None for the file's index.
    """

    origin: Origin
    url: str
    host: str
    share: str | None


class Supply:
    """Shared by all contents of one process."""

    def __init__(
        self,
        *,
        store: Store,
        origins: Mapping[str, Origin],
        hosts: Hosts,
        counters: Counters,
        nursery: trio.Nursery,
        progress_bound_s: float,
        delta: Delta = "auto",
        shares: Sequence[Share] = (),
    ) -> None:
        """``progress_bound_s``: how long a stream may bring (nearly) nothing before it is given up.

        ``shares`` are asked for files in their order, before any index.
        """
        self.store = store
        self.hosts = hosts
        self.counters = counters
        self.nursery = nursery
        self.progress_bound_s = progress_bound_s
        self.disk = trio.CapacityLimiter(DISK_THREADS)
        self.delta = delta
        self.parts = trio.CapacityLimiter(CONNECTIONS)
        self.room = Room(store, self.disk, bound_s=progress_bound_s, forget_idle=self._forget_idle)
        self._sealing = trio.CapacityLimiter(SEAL_THREADS)
        self._origins = origins
        self.shares = {share.name: share for share in shares}
        self.losses = Losses(store.shared, shares, hosts, nursery, bound_s=progress_bound_s)
        self._contents: OrderedDict[ContentKey, Content] = OrderedDict()
        self._directory_bytes: OrderedDict[str, int] = OrderedDict()

    # --- contents -------------------------------------------------------------------------------------------------

    @contextmanager
    def using(self, ref: FileRef) -> Iterator[Content]:
        """Lend the one live `Content` of ``ref`` for the duration of the block."""
        content = self.acquire(ref)
        try:
            yield content
        finally:
            self.release(content)

    def acquire(self, ref: FileRef) -> Content:
        """Return the one live `Content` of ``ref``, to be given back with `release`; raises when it is quarantined."""
        self.refuse_poisoned(ref)
        content = self._contents.get(ref.key)
        # One that was stored and has been removed or quarantined since stays with whoever has it open.
        if content is None or (content.sealed_sha256 is not None and not self.store.holds(content.sealed_sha256)):
            content = self._contents[ref.key] = Content(ref, self, Partial(ref, self))
        self._contents.move_to_end(ref.key)
        content.also(ref)
        content.users += 1
        return content

    def release(self, content: Content) -> None:
        """Give a content back; what nobody uses is kept for a while and then forgotten."""
        content.users -= 1
        self.tidy(content)

    def tidy(self, content: Content) -> None:
        """Forget ``content`` when it is idle and stored, and idle ones that are too many."""
        if not content.is_busy and (content.sealed_sha256 is not None or self._contents.get(content.ref.key) is not content):
            self._forget(content)
        if len(self._contents) > IDLE_CONTENTS:
            self._forget_idle(len(self._contents) - IDLE_CONTENTS)

    def _forget_idle(self, most: int | None = None) -> None:
        """Forget contents that nobody uses, the longest unused first; their parts are then for anybody to take or to delete."""
        for other in [one for one in self._contents.values() if not one.is_busy][:most]:
            self._forget(other)

    def _forget(self, content: Content) -> None:
        if self._contents.get(content.ref.key) is content:
            del self._contents[content.ref.key]
        content.partial.close()

    def on_its_way(self, sha256: bytes) -> tuple[FileRef, int] | None:
        """Return the file of which all is being fetched from its index just now, and its size; None for any other.

        Not from a share: two nodes that are each other's shares would then wait for each other.
        """
        content = self._contents.get(key_of_sha256(sha256))
        if content is None or not (content.is_fetching_whole and content.partial.is_of_index):
            return None
        return None if content.partial.size_bytes is None else (content.ref, content.partial.size_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether nobody has a file open that is not stored, and none is on its way."""
        return not any(content.is_busy for content in self._contents.values())

    def present_bytes(self, ref: FileRef) -> int | None:
        """Return how many bytes of a file that is not sealed are here, or None when there is nothing; never opens anything."""
        content = self._contents.get(ref.key)
        return content.partial.spans.total if content is not None else self.store.spool.state(ref.key)

    def close(self) -> None:
        """Give up all spool files; what they hold stays for the next start."""
        for content in list(self._contents.values()):
            content.partial.close()
        self._contents.clear()

    # --- what is known of a file ----------------------------------------------------------------------------------

    def known_size(self, ref: FileRef) -> int | None:
        """Return the exact size: from the index, or as found out before; None when nobody knows it."""
        if ref.link.size_bytes is not None:
            return ref.link.size_bytes
        facts = self.store.catalog.facts(ref.key)
        if facts is not None and facts.size_bytes is not None:
            return facts.size_bytes
        stored = self.store.catalog.content(ref.key)  # fetched under another key, before its sha256 was known
        return None if stored is None else stored.size_bytes

    def known_sizes(self, refs: Sequence[FileRef]) -> list[int | None]:
        """Do what `known_size` does for many files that may not be stored, by one look into the catalog."""
        untold = [ref.key for ref in refs if ref.link.size_bytes is None]
        found = iter(self.store.catalog.sizes(untold))
        return [ref.link.size_bytes if ref.link.size_bytes is not None else next(found) for ref in refs]

    async def ask_size(self, ref: FileRef) -> int | None:
        """Ask the origin for a file's size without its bytes, and keep it; None when the origin does not tell."""
        attempted = f"look up {ref.filename} on {ref.origin}"
        origin = self.origin(ref)
        try:
            with self.hosts.asking(attempted, ref.link.url), trio.fail_after(self.progress_bound_s):
                head = await origin.head(ref.link.url)
                size_bytes, etag = head.size_bytes, head.etag
                if size_bytes is None:
                    async with origin.open_range(ref.link.url, Range(0, 1)) as reply:
                        size_bytes, etag = reply.total_bytes, reply.etag
        except trio.TooSlowError:
            raise OriginTimeout(attempted, f"no answer within {self.progress_bound_s:.0f} s") from None
        if size_bytes is not None:
            self.keep_size(ref, size_bytes, etag)
        return size_bytes

    def known_etag(self, ref: FileRef) -> str | None:
        """Return the entity tag that came with what was fetched of a file before."""
        facts = self.store.catalog.facts(ref.key)
        return None if facts is None else facts.etag

    def keep_size(self, ref: FileRef, size_bytes: int, etag: str | None) -> None:
        """Remember a size that was found out."""
        self.store.catalog.put_facts(ref.key, ContentFacts(size_bytes=size_bytes, etag=etag, checked_at_us=_now_us()))

    async def keep_metadata(self, ref: FileRef, metadata: bytes) -> None:
        """Remember the METADATA of a wheel (empty: forget it); it can be looked up when this returns.

        One that is what the index promised is not replaced by another.
        """
        promised = ref.link.metadata_sha256
        if metadata and promised is not None and hashlib.sha256(metadata).digest() != promised:
            kept = self.store.catalog.metadata(ref.key)
            if kept and hashlib.sha256(kept).digest() == promised:
                return
        await await_future(self.store.catalog.put_metadata(ref.key, metadata))

    def tail_bytes(self, project: str, size_bytes: int | None) -> int:
        """Return how long a tail to ask for of a file of ``size_bytes`` (None: not known)."""
        return plan.tail_bytes(seen_directory_bytes=self._directory_bytes.get(project), size_bytes=size_bytes)

    def saw_directory(self, project: str, size_bytes: int) -> None:
        """Remember how much of a file's end its directory took: the next version's will be much alike."""
        self._directory_bytes[project] = size_bytes
        self._directory_bytes.move_to_end(project)
        if len(self._directory_bytes) > _KNOWN_DIRECTORIES:
            self._directory_bytes.popitem(last=False)

    async def poison(self, ref: FileRef, error: ContentMismatch) -> None:
        """Quarantine a content whose origin twice sent other bytes than its index promised.

        What another process has stored and verified meanwhile is not touched: the fault is this origin's.
        """
        if not self.store.holds(ref.key):
            await await_future(self.store.catalog.poison(ref.key, error.happened))

    def refuse_poisoned(self, ref: FileRef) -> None:
        """Raise `ContentMismatch` while a content is quarantined."""
        facts = self.store.catalog.facts(ref.key)
        if facts is not None and facts.poisoned is not None and _now_us() - facts.checked_at_us < POISON_S * 1e6:
            raise ContentMismatch(
                f"open {ref.filename} from {ref.origin}", facts.poisoned, "it is quarantined and asked for again later"
            )

    # --- origin and store -----------------------------------------------------------------------------------------

    def sources(
        self, ref: FileRef, *, without: Collection[str] = (), slow: Collection[str] = (), past_shares: bool = False
    ) -> list[Source]:
        """Return who can be asked for bytes of a file, in order: shares that are not in ``without``, and its index.

        Only a file with a known sha256 is asked of shares, which know files by nothing else.  Those that are ``slow``, or have
        failed or let somebody wait the last time, come behind the index; an index that is down comes last.  Raises
        `OriginUnreachable`.
        """
        prompt: list[Source] = []
        behind: list[Source] = []
        if ref.link.sha256 is not None and not past_shares:
            for share in self.shares.values():
                if share.name not in without and self.hosts.wanted(share.url):
                    source = Source(share.origin, share.file_url(ref.link.sha256), share.url, share.name)
                    (behind if share.name in slow or self.hosts.is_behind(share.url) else prompt).append(source)
        try:
            index = Source(self.origin(ref), ref.link.url, ref.link.url, None)
        except OriginUnreachable:
            if prompt or behind:
                return [*prompt, *behind]
            raise
        return [*prompt, index, *behind] if self.hosts.may_ask(index.host) else [*prompt, *behind, index]

    def origin(self, ref: FileRef) -> Origin:
        """Return the client of the index that vouches for ``ref``."""
        origin = self._origins.get(ref.origin)
        if origin is None or not ref.link.url:
            raise OriginUnreachable(
                f"fetch {ref.filename}",
                f"it came from {ref.origin!r}, which is not configured",
                "add its index with --index, or add the file with `wheelfs add`",
            )
        return origin

    def spool(self, ref: FileRef, size_bytes: int, etag: str | None) -> SpoolFile:
        """Open the partial file of a content, with what earlier runs have brought of the file with this entity tag."""
        return self.store.spool.open(ref.key, size_bytes=size_bytes, validator=etag)

    def spool_without_size(self, ref: FileRef) -> SpoolFile:
        """Open a partial file for an answer that does not tell its length."""
        return self.store.spool.open_growing(ref.key)

    async def seal(self, refs: Sequence[FileRef], spool: SpoolFile, size_bytes: int) -> bytes:
        """Verify the whole file, store it, make it visible under all ``refs`` and return its sha256; raises `ContentMismatch`."""
        names = [_stored_name(ref, size_bytes, self._metadata_sha256(ref)) for ref in refs]
        expected = refs[0].link.sha256
        return await trio.to_thread.run_sync(
            lambda: self.store.add_content(spool.fd, size_bytes, expected_sha256=expected, names=names),
            limiter=self._sealing,
        )

    def _metadata_sha256(self, ref: FileRef) -> bytes | None:
        """Return the digest of a wheel's METADATA: what its index promises, else of what was found in the wheel itself."""
        if ref.link.metadata_sha256 is not None:
            return ref.link.metadata_sha256
        kept = None if ref.link.has_metadata else self.store.catalog.metadata(ref.key)
        return hashlib.sha256(kept).digest() if kept else None

    def keep_name(self, ref: FileRef, sha256: bytes, size_bytes: int) -> None:
        """Note, where it is not known yet, that stored content also goes by this name, so that it is found without its index."""
        known = self.store.catalog.stored_names(ref.project)
        if not any((name.filename, name.sha256) == (ref.filename, sha256) and ref.origin in name.origins for name in known):
            name = msgspec.structs.replace(_stored_name(ref, size_bytes, ref.link.metadata_sha256), sha256=sha256)
            with suppress(StoreReadOnly):
                self.store.catalog.add_name(name).add_done_callback(_log_failure)

    async def read_sealed(self, sha256: bytes, offset: int, size: int) -> bytes | memoryview:
        """Read stored bytes: at once when that is quick, else in a thread."""
        with self.store.reading(sha256) as sealed:
            if sealed.is_warm(offset, size):
                return sealed.read(offset, size)
            return await trio.to_thread.run_sync(sealed.read, offset, size, limiter=self.disk)

    async def heal(self, ref: FileRef, sha256: bytes, sealed: SealedFile | None, damage: StoreDamaged) -> None:
        """Quarantine stored content that cannot be read, and bring it here again; raises `StoreDamaged` when that cannot be.

        ``sealed`` is what could not be read, None when not even its recipe could; when there is another one by now, somebody else
        was faster.
        """
        attempted = f"read {ref.filename}"
        happened = f"{damage.attempted}: {damage.happened}"
        if self.store.holds(sha256):
            with suppress(StoreDamaged):
                if self.store.open_sealed(sha256) is not sealed:
                    return
            log.error("%s: %s; it is quarantined and fetched again", attempted, happened)
            with suppress(StoreReadOnly):
                await trio.to_thread.run_sync(self.store.quarantine, sha256, happened, limiter=self.disk)
        try:
            with self.using(ref) as content:
                await content.until_sealed()
        except WheelfsError as error:
            raise StoreDamaged(attempted, f"{happened}; it could not be fetched again: {error}", damage.advice) from error
        if content.sealed_sha256 != sha256:
            raise StoreDamaged(attempted, f"{happened}; its origin has another file now", damage.advice)

    def refuse_damaged(self, ref: FileRef) -> None:
        """Raise `StoreDamaged` for content that is quarantined for damage and has no origin that could be asked again."""
        stored = None if ref.link.sha256 is None else self.store.catalog.content(ref.link.sha256)
        if stored is not None and stored.poisoned is not None and (ref.origin not in self._origins or not ref.link.url):
            raise StoreDamaged(f"open {ref.filename}", stored.poisoned, "it is quarantined; add it again with wheelfs add")


def _stored_name(ref: FileRef, size_bytes: int, metadata_sha256: bytes | None) -> StoredName:
    return StoredName(
        project=ref.project,
        filename=ref.filename,
        index=ref.origin,
        size_bytes=size_bytes,
        private=ref.origin == LOCAL,  # one that was added by hand on another node
        url=ref.link.url,
        upload_time_us=ref.link.upload_time_us,
        requires_python=ref.link.requires_python,
        yanked=ref.link.yanked,
        metadata_sha256=metadata_sha256,
        added_at_us=_now_us(),
    )


def _log_failure(future: Future[bool]) -> None:
    if (error := future.exception()) is not None:
        log.warning("a name of stored content was not kept: %s", error)


def _now_us() -> int:
    return time.time_ns() // 1_000
