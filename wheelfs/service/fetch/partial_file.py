"""A file that is not completely here yet: its bytes in the spool, its identity, and the streams that bring more.

The bytes that are here belong to one *generation*: when the origin's file turns out to be another one than before, everything is
dropped and the number grows.  A stream belongs to the generation in which it began, and writes into no other.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import trio

from wheelfs.core.fetch import plan
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import ContentChanged, OriginFault, StoreReadOnly, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.model.links import Validators
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.fetch.source import KnownManifest, Source
    from wheelfs.service.file_refs import FileRef
    from wheelfs.store.spool.file import SpoolFile

_OPENINGS: Final = 4
"""Attempts to open the spool file while the file keeps changing."""
_NOTHING: Final = Spans()
_MOST_COMPARED_BYTES: Final = 8 << 20
"""Up to this size a file that may be another one is hashed on the spot; of a larger one, readers are told that it changed."""


class Stream(msgspec.Struct):
    """One HTTP response in progress; ``at`` is the offset of the next byte it will bring, ``end`` where it will end if known.

    ``new_bytes`` counts those that were not here before.  ``is_part``: no more of the file is wanted.  ``has_asked``: a request
    was made, and not another process waited for.
    """

    at: int = 0
    end: int | None = None
    new_bytes: int = 0
    is_part: bool = False
    has_asked: bool = False
    error: WheelfsError | None = None
    done: bool = False


class EarlierBytes(NamedTuple):
    """The sha256 of the bytes ``[start, end)`` of a file."""

    start: int
    end: int
    digest: bytes


class PartialFile(msgspec.Struct):
    """The bytes of one file that are here so far.  ``size_bytes`` is None until it is known.

    ``ask_past_caches`` is set when what came did not have the announced hash, ``is_sealing`` while the bytes are being stored and
    must stay where they are, ``is_finished`` when they are stored.  ``origin_has_ranges`` is set once a partial response came.
    ``received_bytes`` counts all that came, whatever became of it.  Once it ``is_given_up``, no more comes.
    """

    ref: FileRef
    context: FetchContext
    size_bytes: int | None = None
    ask_past_caches: bool = False
    is_sealing: bool = False
    is_finished: bool = False
    is_given_up: bool = False
    generation: int = 0
    received_bytes: int = 0
    coming_tail_bytes: int = 0
    """How much of the end is being fetched for those who open the file: the fetch of the whole leaves it out."""
    is_from_index: bool = False  # the last response, and not a share's
    live: list[Stream] = msgspec.field(default_factory=list)
    unusable: set[str] = msgspec.field(default_factory=set)
    """Ways of shares that did not serve this file."""
    ruled_out_s: float = -math.inf
    """When the last one of them did not, by trio's clock."""
    slow: set[str] = msgspec.field(default_factory=set)
    """Shares that were slower than another source."""
    manifest: KnownManifest | None = None
    asks_alone: bool = False
    """Set when another process on the store brought nothing of what it said that it fetches."""
    asking_manifest: trio.Lock = msgspec.field(default_factory=trio.Lock)
    goes_without_manifest: bool = False
    """Set when all of it comes in one answer, of which nothing is shown before it has its sha256, and little can be here."""
    waited_s: float = 0.0
    """Time already spent waiting without a response; counts against the caller's total timeout."""
    origin_has_ranges: bool = False
    is_size_confirmed: bool = False
    """Whether a response had the size that is expected."""
    is_size_disputed: bool = False
    """Whether the index's page gave another size than its server does."""
    etag: str | None = None
    """The entity tag that responses must have; None where the sha256 is known and decides instead."""
    validators: Validators | None = None
    """Those of the index's last answer; None while it has not answered."""
    takes_whole_answers: bool = False
    """Set when the entity tag or size of a file without a hash was another one than before: then all is taken from one answer.
    Servers that share an address may each have tags of their own."""
    _earlier: dict[int, list[EarlierBytes]] = msgspec.field(default_factory=dict)
    """By generation: what was here of the file before, to find out whether it is the same one after all."""
    _same: set[int] = msgspec.field(default_factory=set)
    _awaited: list[int] = msgspec.field(default_factory=list)
    """Where the ranges end that are waited for."""
    _spool: SpoolFile | None = None
    _opening: trio.Lock = msgspec.field(default_factory=trio.Lock)
    _changed: trio.Event = msgspec.field(default_factory=trio.Event)
    _unsynced_bytes: int = 0

    @property
    def attempted(self) -> str:
        """What fetching is called in messages."""
        return f"fetch {self.ref.filename} from {self.ref.origin}"

    # --- what is here ---------------------------------------------------------------------------------------------

    @property
    def spans(self) -> Spans:
        """The bytes that are here."""
        return _NOTHING if self._spool is None else self._spool.spans

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.size_bytes is not None and self._spool is not None and self.spans.covers(0, self.size_bytes)

    @property
    def spool(self) -> SpoolFile:
        """The open spool file; only after `open`, and when the size is known."""
        assert self._spool is not None
        return self._spool

    def rule_out(self, way: str) -> None:
        """Ask a share no more for this file in this way, for as long as it is in use."""
        self.unusable.add(way)
        self.ruled_out_s = trio.current_time()

    @property
    def open_spool(self) -> SpoolFile | None:
        """`spool`, where it is open."""
        return self._spool

    def is_open(self, spool: SpoolFile) -> bool:
        """Whether ``spool`` is still the spool file: it is dropped when the origin's file changes."""
        return self._spool is spool

    async def read(self, start: int, end: int) -> bytes | None:
        """Return bytes that are here; None when they have gone: the file was stored, or is another one than before."""
        generation, spool = self.generation, self._spool
        if spool is None or not spool.covers(start, end - start):
            return None
        try:
            # Mostly it has just been written.
            if end - start <= self.context.limits.flush_bytes and (at_once := spool.read_at_once(start, end - start)) is not None:
                await trio.lowlevel.checkpoint()
                return at_once if generation == self.generation else None
            data = await trio.to_thread.run_sync(spool.read, start, end - start, limiter=self.context.disk)
        except ValueError:  # closed before the thread got to it
            return None
        return data if generation == self.generation else None

    async def write(self, stream: Stream, pieces: Sequence[bytes | memoryview], generation: int) -> None:
        """Append what a stream of ``generation`` received; raises `ContentChanged`, `OriginFault` for more than there can be."""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        limits = self.context.limits
        end = stream.at + len(data)
        most = limits.max_unsized_bytes if self.size_bytes is None else self.size_bytes
        if end > most:
            raise OriginFault(self.attempted, f"it sends more than {most} bytes")
        self.check(generation)
        if self._spool is None:
            self._spool = self.context.open_unsized_spool(self.ref)
        spool = self._spool
        new_bytes = sum(gap_end - gap for gap, gap_end in spool.spans.missing(stream.at, end))
        try:
            await trio.to_thread.run_sync(spool.write, stream.at, data, limiter=self.context.disk)
            self._unsynced_bytes += len(data)
            if self._unsynced_bytes >= limits.sync_bytes:
                self._unsynced_bytes = 0
                await trio.to_thread.run_sync(spool.sync, limiter=self.context.disk)
        except ValueError:  # closed meanwhile, since the file changed or all of it is stored
            self.check(generation)
            if self._spool is spool:
                raise
        self.context.counters.count_fetched(len(data))
        self.received_bytes += len(data)
        stream.at = end
        stream.new_bytes += new_bytes
        self.wake()

    async def open(self) -> None:
        """Open the spool file when the size is known, with what earlier runs have fetched."""
        async with self._opening:  # a second opening meanwhile would find the file in use, by us
            for _ in range(_OPENINGS):
                if self.size_bytes is None:
                    self._load_facts()
                if self.size_bytes is None:
                    return
                if self._spool is not None:
                    try:
                        self._spool.set_size(self.size_bytes)
                    except ValueError:  # a response without a length has brought more than the file has
                        self._drop()
                        continue
                    return
                generation = self.generation
                arguments = self.ref, self.size_bytes, self.etag, self.ask_past_caches
                spool = await trio.to_thread.run_sync(self.context.open_spool, *arguments, limiter=self.context.disk)
                if generation != self.generation:
                    spool.delete()
                    continue
                self._spool = spool
                return
        raise ContentChanged(self.attempted, "it changes at its origin again and again")

    def _load_facts(self) -> None:
        # After a change the stored facts describe the old file, until the new one's size overwrites them.
        if self.generation:
            if not self.is_size_disputed:
                self.size_bytes = self.ref.link.size_bytes
            return
        self.size_bytes = self.context.facts.size_of(self.ref)
        if self.ref.link.sha256 is None:
            self.etag = self.context.facts.etag_of(self.ref)

    async def check_is_wheel(self) -> None:
        """Raise `OriginFault`, and drop what is here, when a wheel without a hash cannot be read as a ZIP.

        It may be a proxy's page, say, and installers would take an older version.
        """
        if self.ref.kind != "wheel" or self.ref.is_vouched:
            return
        read, size_bytes, project = self.spool.read, self.size_bytes or 0, self.ref.project
        try:
            await trio.to_thread.run_sync(
                metadata.read_from, read, size_bytes, plan.TAIL_BYTES, project, limiter=self.context.disk
            )
        except zip_layout.NotAZip as error:
            self.start_over()
            raise OriginFault(self.attempted, f"what it serves is no wheel: {error}", "its index is broken") from None

    def is_same_as(self, generation: int) -> bool:
        """Return whether the file that is here, all of it, has the bytes that were here in an earlier generation."""
        return generation == self.generation or generation in self._same

    async def compare_with_earlier(self) -> None:
        """Find out, when all is here, for which earlier generations `is_same_as` holds."""
        spool, earlier, self._earlier = self.spool, self._earlier, {}

        def holds(part: EarlierBytes) -> bool:
            return part.end <= (self.size_bytes or 0) and _digest(spool, part.start, part.end) == part.digest

        def same() -> list[int]:
            return [generation for generation, parts in earlier.items() if all(map(holds, parts))]

        if earlier:
            self._same.update(await trio.to_thread.run_sync(same, limiter=self.context.disk))

    def _note_earlier(self) -> None:
        spool = self._spool
        if spool is None or self.ref.link.sha256 is not None or not 0 < spool.spans.total <= _MOST_COMPARED_BYTES:
            return
        with suppress(ValueError):  # closed meanwhile
            parts = [EarlierBytes(start, end, _digest(spool, start, end)) for start, end in spool.spans]
            self._earlier[self.generation] = parts

    def start_over(self) -> None:
        """Drop what is here, and what was found out: the next bytes may be of another file."""
        self._note_earlier()
        self.takes_whole_answers = self.ref.link.sha256 is None
        with suppress(StoreReadOnly):  # it may have been read from what is dropped
            self.context.store.catalog.put_metadata(self.ref.key, b"")
        self.generation += 1
        for stream in self.live:
            stream.end = 0  # it will bring nothing more
        self._drop()
        # A page may be wrong about a size: where no response had it, the next one says, and the digest of the whole decides.
        self.is_size_disputed = self.ref.link.size_bytes is not None and not self.is_size_confirmed
        self.is_size_confirmed = False
        self.size_bytes = None if self.is_size_disputed else self.ref.link.size_bytes
        self.etag = self.manifest = self.validators = None
        self.wake()

    def finish(self) -> None:
        """Drop what is here since it is stored; threads that are reading from it finish undisturbed."""
        self.is_finished, self.manifest = True, None
        self._drop()

    def _drop(self) -> None:
        if self._spool is not None:
            self._spool.delete()
            self._spool = None

    def close(self) -> None:
        """Close the spool file; what it holds stays for the next time."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    # --- which file it is -----------------------------------------------------------------------------------------

    def check(self, generation: int) -> None:
        """Raise `ContentChanged` when responses that began in ``generation`` are no longer of use."""
        if not self.is_current(generation):
            raise ContentChanged(self.attempted, "the file is no longer the one that this answer is a part of")

    def is_current(self, generation: int) -> bool:
        """Whether what began in ``generation`` is still of use: the file is the same, and not stored yet."""
        return generation == self.generation and not self.is_finished

    async def adopt(self, total_bytes: int | None, etag: str | None) -> None:
        """Accept what a response says of the whole file; a size that contradicts the index's is the origin's fault."""
        is_hashless = self.ref.link.sha256 is None
        if is_hashless and etag is not None and self.etag is not None and _strong(etag) != _strong(self.etag):
            raise ContentChanged(self.attempted, "its entity tag is another one than before", "what was fetched is of no use")
        if total_bytes is None:
            return
        if total_bytes == 0 and self.ref.kind != "other":  # a server that is fetching it itself, say; nothing to be remembered
            raise OriginFault(self.attempted, "it is empty there", "try again; if it stays so, its index serves a broken file")
        if self.size_bytes not in (None, total_bytes):
            happened = f"it has {total_bytes} bytes there, but {self.size_bytes} were announced"
            if self.ref.link.size_bytes is not None and (self.is_size_confirmed or not self.is_from_index):
                raise OriginFault(self.attempted, happened)
            raise ContentChanged(self.attempted, happened, "what was fetched is of no use")
        self.is_size_confirmed = True
        if self.size_bytes is None or (is_hashless and etag is not None and self.etag is None):
            self.size_bytes = total_bytes
            self.etag = etag if is_hashless else None
            self.context.facts.keep_size(self.ref, total_bytes, etag)
        await self.open()

    # --- where more comes from ------------------------------------------------------------------------------------

    def sources(self, *, is_part: bool = False) -> list[Source]:
        """Return the sources that can be asked for bytes now, in order; raises `OriginUnreachable` when there is none.

        The share whose manifest is known yields only bytes that match it.
        """
        sources = self.context.sources
        found = sources.of(self.ref, without=self.unusable, slow=self.slow, past_shares=self.ask_past_caches, is_part=is_part)
        share, composition = self.manifest or ("", None)
        if composition is None:
            return found
        origin = sources.shares[share].checked(composition)
        return [source._replace(origin=origin) if source.share == share else source for source in found]

    def coming(self, offset: int) -> Stream | None:
        """Return a stream that will bring the byte at ``offset`` soon."""
        ahead_bytes = self.context.limits.ahead_bytes
        for stream in self.live:
            end = stream.at + ahead_bytes if stream.end is None else min(stream.end, stream.at + ahead_bytes)
            if stream.at <= offset < end:
                return stream
        return None

    @contextmanager
    def awaiting(self, end: int) -> Iterator[None]:
        """Have what is received written as soon as it reaches ``end``, and not when it is worth a write."""
        self._awaited.append(end)
        try:
            yield
        finally:
            self._awaited.remove(end)

    def is_awaited(self, start: int, end: int) -> bool:
        """Whether ``[start, end)`` is what a waiting caller lacks the last bytes of."""
        return any(start < awaited <= end for awaited in self._awaited)

    async def next_change(self) -> None:
        """Wait until more bytes are here, or a stream has ended."""
        await self._changed.wait()

    def wake(self) -> None:
        """Wake all waiters of `next_change`."""
        self._changed.set()
        self._changed = trio.Event()


def _digest(spool: SpoolFile, start: int, end: int) -> bytes:
    return hashlib.sha256(spool.read(start, end - start)).digest()


def _strong(etag: str) -> str:
    return etag.strip().removeprefix("W/")
