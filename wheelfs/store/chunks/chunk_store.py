"""The chunk store: deduplicated pieces of files, packed into blocks in the order of their wheel.

Blocks are immutable and their numbers are never used twice, also not after a collection: another process may still hold an
extent of a block that is gone, and must then find nothing rather than other bytes.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final

import blake3

from wheelfs.core.solid.repeating import SolidBlock
from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import InternalError, StoreDamaged
from wheelfs.model.recipe import Extent
from wheelfs.store.chunks.members import MemberIndex
from wheelfs.store.chunks.residency import is_resident
from wheelfs.store.chunks.solid_blocks import SOLID_DATABASES, SolidBlocks, other_bytes
from wheelfs.store.engine.iteration import batches, rows
from wheelfs.store.limits import TUNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import lmdb

    from wheelfs.core.solid.arranging import ArrangedStream
    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer
    from wheelfs.store.limits import ReadTuning

    Piece = tuple[bytes, bytes | memoryview]
    """A chunk to store: its BLAKE3 digest and its bytes (at most `BLOCK_BYTES`)."""

log = logging.getLogger(__name__)

CHUNK_DATABASES: Final = ("blocks", "block-info", "index", "counters", "members", *SOLID_DATABASES)

_NUMBER: Final = struct.Struct(">Q")
_INFO: Final = struct.Struct(">32sL")
_PLACE: Final = struct.Struct(">QLL")
_NEXT_BLOCK: Final = b"next-block"
_SETTLED: Final = b"settled"
_LOOKED_AT: Final = b"solid "
"""And the name of a project that was looked at for solid blocks in vain."""

_BLOCKS_BATCH: Final = 10_000
_ENTRIES_BATCH: Final = 20_000
"""How many are read in one transaction: some milliseconds."""


class ChunkStore:
    """Chunks by digest, and blocks by number.  Reads may come from any thread; writes go through the writer."""

    def __init__(self, environment: Environment, writer: Writer | ReadOnlyWriter, tuning: ReadTuning = TUNING.read) -> None:
        """``environment`` was opened with `CHUNK_DATABASES`."""
        self.environment = environment
        self.tuning = tuning
        self._writer = writer
        self._blocks = environment.database("blocks")
        self._info = environment.database("block-info")
        self._index = environment.database("index")
        self._counters = environment.database("counters")
        self.members = MemberIndex(environment, writer)
        self.solid = SolidBlocks(environment)
        self._puts_back = not environment.readonly
        # One byte per block rather than one bit: stores of single bytes need no lock, and a full TiB is 4 MiB of them.
        self._checked = bytearray()
        self._growing = threading.Lock()

    # --- writing -------------------------------------------------------------------------------------------------------

    def append(self, pieces: Sequence[Piece]) -> Future[list[Extent]]:
        """Store the pieces that are not here yet; the future gives an extent for each, once its transaction is committed.

        The buffers must not change until then.  Small pieces share blocks in their order; pieces of one call never share a
        block with those of another.  A commit alone may be undone by power loss: `sync` before relying on it.
        """
        lengths = [len(data) for _, data in pieces]
        if lengths and not 0 < min(lengths) <= max(lengths) <= BLOCK_BYTES:
            raise InternalError("store chunks", f"a chunk has 1 to {BLOCK_BYTES} bytes")
        return self._writer.submit(lambda transaction: self._append(transaction, pieces), weight_bytes=sum(lengths))

    def sync(self) -> None:
        """Make every committed transaction survive a power loss (commits leave out the flush of the last meta page)."""
        self.environment.sync()

    def _append(self, transaction: lmdb.Transaction, pieces: Sequence[Piece]) -> list[Extent]:
        counter = transaction.get(_NEXT_BLOCK, db=self._counters)
        next_block = first_block = _NUMBER.unpack(counter)[0] if counter else 0
        open_block: int | None = None
        parts: list[bytes | memoryview] = []
        filled = 0
        extents: list[Extent] = []
        # All at once and in order of key: each step of its own would cost more than LMDB's part of it.
        with transaction.cursor(db=self._index) as index:
            places = dict(index.getmulti([digest for digest, _ in pieces]))
        if self.solid.are_out_of_reach(transaction):  # relied on, they would make a file that this Python cannot read
            places = {
                digest: place for digest, place in places.items() if not self.solid.is_one(transaction, _PLACE.unpack(place)[0])
            }
        fresh: list[tuple[bytes, bytes]] = []
        for digest, data in pieces:
            place = places.get(digest)
            if place is not None:
                extents.append(tuple.__new__(Extent, _PLACE.unpack(place)))
                continue
            length = len(data)
            if length == BLOCK_BYTES:
                self._put_block(transaction, next_block, [data], digest)
                block, offset = next_block, 0
                next_block += 1
            else:
                if open_block is not None and filled + length > BLOCK_BYTES:
                    self._put_block(transaction, open_block, parts)
                    open_block = None
                if open_block is None:
                    open_block, parts, filled = next_block, [], 0
                    next_block += 1
                block, offset = open_block, filled
                parts.append(data)
                filled += length
            places[digest] = place = _PLACE.pack(block, offset, length)
            fresh.append((digest, place))
            extents.append(tuple.__new__(Extent, (block, offset, length)))  # half of what its own constructor takes
        if open_block is not None:
            self._put_block(transaction, open_block, parts)
        with transaction.cursor(db=self._index) as index:
            index.putmulti(sorted(fresh))
        if next_block != first_block:
            transaction.put(_NEXT_BLOCK, _NUMBER.pack(next_block), db=self._counters)
        return extents

    def _put_block(
        self, transaction: lmdb.Transaction, block: int, parts: Sequence[bytes | memoryview], digest: bytes | None = None
    ) -> None:
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        transaction.put(_NUMBER.pack(block), data, db=self._blocks)
        self._put_info(transaction, block, data, digest)

    def _put_info(self, transaction: lmdb.Transaction, block: int, data: bytes | memoryview, digest: bytes | None = None) -> None:
        info = _INFO.pack(digest if digest is not None else blake3.blake3(data).digest(), len(data))
        transaction.put(_NUMBER.pack(block), info, db=self._info)

    def append_solid(self, stream: ArrangedStream, frame: bytes) -> Future[list[Extent]]:
        """Store what `wheelfs.core.solid` has arranged; the future gives the extents of the blocks' chunks, in order.

        ``frame`` is the stream packed (`packed_stream`).  From then on the index leads to these blocks, and not to where their
        chunks were before.
        """

        def work(transaction: lmdb.Transaction) -> list[Extent]:
            counter = transaction.get(_NEXT_BLOCK, db=self._counters)
            first = _NUMBER.unpack(counter)[0] if counter else 0
            places: list[tuple[bytes, Extent]] = []
            for number, block in enumerate(stream.blocks, first):
                self._put_info(transaction, number, block.data)
                position = 0
                for digest, length in block.chunks:
                    places.append((digest, Extent(number, position, length)))
                    position += length
            made = [SolidBlock(first, block.repeats) for block in stream.blocks]
            self.solid.add(transaction, first, frame, list(enumerate(made, first)))
            with transaction.cursor(db=self._index) as index:
                index.putmulti(sorted((digest, _PLACE.pack(*place)) for digest, place in places))
            transaction.put(_NEXT_BLOCK, _NUMBER.pack(first + len(stream.blocks)), db=self._counters)
            return [place for _, place in places]

        return self._writer.submit(work, weight_bytes=len(frame))

    # --- reading -------------------------------------------------------------------------------------------------------

    def locate(self, digest: bytes) -> Extent | None:
        """Return where a chunk lies, or None when it is not here."""
        with self.environment.read() as transaction:
            place = transaction.get(digest, db=self._index)
            return None if place is None else Extent._make(_PLACE.unpack(place))

    def locate_all(self, digests: Sequence[bytes]) -> list[Extent | None]:
        """Do what `locate` does for some thousand chunks, in one transaction."""
        with self.environment.read() as transaction, transaction.cursor(db=self._index) as index:
            places = {digest: Extent._make(_PLACE.unpack(place)) for digest, place in index.getmulti(digests)}
        return [places.get(digest) for digest in digests]

    def read(self, extent: Extent) -> bytes:
        """Return a copy of an extent's bytes.  Raises `StoreDamaged` when its block is missing or not what was written."""
        with self.environment.read() as transaction:
            return bytes(self.view(transaction, *extent))

    def is_sound(self, digest: bytes, place: Extent) -> bool:
        """Tell whether the bytes at ``place`` are the chunk of ``digest``; reads them."""
        try:
            return blake3.blake3(self.read(place)).digest() == digest
        except StoreDamaged:
            return False

    def view(self, transaction: lmdb.Transaction, block: int, offset: int, length: int) -> memoryview:
        """Return an extent's bytes inside the map: valid only as long as ``transaction``, a read transaction of this store.

        The block is checked against its digest when this process has not done so before.  Raises `StoreDamaged`.
        """
        found = transaction.get(_NUMBER.pack(block), db=self._blocks)
        if found is None:
            data = memoryview(self._made_again(transaction, block))
        else:
            data = memoryview(found)
            if not self.is_checked(block):
                self._check(transaction, block, data)
        if offset + length > len(data):
            raise StoreDamaged(f"read block {block}", "it is shorter than a recipe says", "run: wheelfs verify --repair")
        return data[offset : offset + length]

    def _made_again(self, transaction: lmdb.Transaction, block: int) -> bytes:
        """Return the bytes of a block that is solid, and let it become an ordinary one; raises `StoreError`."""
        solid = self.solid.get(transaction, block)
        if solid is None:
            raise StoreDamaged(f"read block {block}", "it is missing", "run: wheelfs verify --repair")
        made = self.solid.made_again(transaction, block, solid)
        if not self._is_as_written(transaction, block, made):
            raise other_bytes(block)
        if self._puts_back:
            self._put_back(block, made)
        return made

    def _put_back(self, block: int, data: bytes) -> None:
        """Keep what was made again; it is not waited for, and what fails is only logged: the next reader makes it once more."""

        def work(transaction: lmdb.Transaction) -> None:
            if self.solid.drop(transaction, block):  # unless another process has been here
                transaction.put(_NUMBER.pack(block), data, db=self._blocks)

        def note(done: Future[None]) -> None:
            if (error := done.exception()) is not None:
                log.warning("block %d stays solid: %s", block, error)

        self._writer.submit(work, weight_bytes=len(data)).add_done_callback(note)

    @contextmanager
    def left_solid(self) -> Iterator[None]:
        """Let solid blocks that this process reads during the block stay so."""
        before, self._puts_back = self._puts_back, False
        self.solid.stay(True)
        try:
            yield
        finally:
            self._puts_back = before
            self.solid.stay(not before)

    def is_solid(self, block: int) -> bool:
        """Tell whether a block is made again when it is read."""
        return bool(self.solid_among((block,)))

    def solid_among(self, blocks: Iterable[int]) -> set[int]:
        """Return those of the blocks that are made again when they are read, found in one transaction."""
        with self.environment.read() as transaction:
            return {block for block in blocks if self.solid.is_one(transaction, block)}

    def looked_at(self, project: str) -> bytes:
        """Return what `note_looked_at` was given, or nothing."""
        with self.environment.read() as transaction:
            return bytes(transaction.get(_LOOKED_AT + project.encode(), b"", db=self._counters))

    def note_looked_at(self, project: str, state: bytes) -> Future[None]:
        """Keep in what state a project was looked at for solid blocks in vain."""

        def work(transaction: lmdb.Transaction) -> None:
            transaction.put(_LOOKED_AT + project.encode(), state, db=self._counters)

        return self._writer.submit(work)

    def is_checked(self, block: int) -> bool:
        """Tell whether this process has checked the block, and so read it, before."""
        return block < len(self._checked) and self._checked[block] == 1

    def are_at_hand(self, blocks: Iterable[int]) -> bool:
        """Tell whether reading these blocks takes no long time: each was checked before, or is in memory, and those are few."""
        unchecked = {block for block in blocks if not self.is_checked(block)}
        if not unchecked:
            return True
        if len(unchecked) > self.tuning.checked_blocks:
            return False
        with self.environment.read() as transaction:
            for block in unchecked:
                found = transaction.get(_NUMBER.pack(block), db=self._blocks)
                if found is None or not is_resident(memoryview(found)):
                    return False
        return True

    def _check(self, transaction: lmdb.Transaction, block: int, data: memoryview) -> None:
        if not self._is_as_written(transaction, block, data):
            raise StoreDamaged(
                f"read block {block}", "its bytes are not what was written", "run: wheelfs verify --repair; check the disk"
            )
        if block >= len(self._checked):
            with self._growing:
                # Doubling, so that a walk over a whole store does not copy the map for each block.
                missing = block + 1 - len(self._checked)
                if missing > 0:
                    self._checked.extend(bytes(max(missing, len(self._checked), 1024)))
        self._checked[block] = 1

    def _is_as_written(self, transaction: lmdb.Transaction, block: int, data: bytes | memoryview) -> bool:
        info = transaction.get(_NUMBER.pack(block), db=self._info)
        return info is not None and len(info) == _INFO.size and _INFO.unpack(info) == (blake3.blake3(data).digest(), len(data))

    # --- upkeep, see `wheelfs.store.gc.collect` and `wheelfs.store.verify` --------------------------------------------------

    def next_block(self) -> int:
        """Return the number that the next new block will get; no block at or above it exists yet."""
        with self.environment.read() as transaction:
            counter = transaction.get(_NEXT_BLOCK, db=self._counters)
            return _NUMBER.unpack(counter)[0] if counter else 0

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield number and length in bytes of the blocks, in order of number, a batch a transaction."""

        def decode(key: bytes, info: bytes | memoryview) -> tuple[int, int]:
            return _NUMBER.unpack(key)[0], _INFO.unpack(info)[1]

        def read(transaction: lmdb.Transaction, after: int | None, limit: int) -> list[tuple[int, int]]:
            key = None if after is None else _NUMBER.pack(after)
            return rows(transaction, self._info, decode, after=key, limit=limit)

        return chain.from_iterable(batches(self.environment, read, lambda block: block[0], size=_BLOCKS_BATCH))

    def block_length(self, block: int) -> int | None:
        """Return the length of a block in bytes, None when it is not here."""
        with self.environment.read() as transaction:
            info = transaction.get(_NUMBER.pack(block), db=self._info)
            return None if info is None else int(_INFO.unpack(info)[1])

    def entry_batches(self) -> Iterator[list[tuple[bytes, Extent]]]:
        """Yield, in batches, the entries of the index: digests and where their chunks lie, in order of digest."""

        def decode(digest: bytes, place: bytes | memoryview) -> tuple[bytes, Extent]:
            return digest, Extent._make(_PLACE.unpack(place))

        def read(transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[tuple[bytes, Extent]]:
            return rows(transaction, self._index, decode, after=after, limit=limit)

        return batches(self.environment, read, lambda entry: entry[0], size=_ENTRIES_BATCH)

    def forget(self, entries: Sequence[tuple[bytes, Extent]]) -> Future[None]:
        """Take entries out of the index, where they still say the same: nothing new will rely on these places."""

        def work(transaction: lmdb.Transaction) -> None:
            for digest, extent in entries:
                if transaction.get(digest, db=self._index) == _PLACE.pack(*extent):
                    transaction.delete(digest, db=self._index)

        return self._writer.submit(work, frees=True)

    def delete_blocks(self, blocks: Sequence[int]) -> Future[None]:
        """Delete blocks to which no entry of the index and no recipe in use points."""

        def work(transaction: lmdb.Transaction) -> None:
            for block in blocks:
                self.solid.drop(transaction, block)
                transaction.delete(_NUMBER.pack(block), db=self._blocks)
                transaction.delete(_NUMBER.pack(block), db=self._info)

        return self._writer.submit(work, frees=True)

    def settle(self) -> None:
        """Let what is written next use the pages of deleted blocks: LMDB reuses them from the second transaction on."""
        for _ in range(2):
            self._writer.submit(
                lambda transaction: transaction.put(_SETTLED, time.time_ns().to_bytes(8, "big"), db=self._counters), frees=True
            ).result()
