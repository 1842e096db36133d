"""Blocks that are kept as inflated members in compressed streams, and made again when they are read.

Such a block has its number, its length and its digest like any other, so recipes, the index and a collection know no difference;
only its bytes are elsewhere.  A stream goes with the last block that is made of it.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import zstandard

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.solid.repeating import SolidBlock
from wheelfs.core.unpacked.encoders import is_the_original
from wheelfs.errors import StoreDamaged, StoreError
from wheelfs.store.catalog import compressed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lmdb

    from wheelfs.core.solid.repeating import Repeat
    from wheelfs.store.engine.environment import Environment

log = logging.getLogger(__name__)

SOLID_DATABASES: Final = ("solid-blocks", "solid-streams")

_NUMBER: Final = struct.Struct(">Q")
_LEVEL: Final = 12
"""Of zstd.  Level 19 takes ten times as long for 3 % (measured)."""
_WINDOW_LOG: Final = 27
_STREAMS_BYTES: Final = 32 << 20
"""Unpacked streams that are kept for the next block: four of the usual size, or a large member's versions."""
_DATA_BYTES: Final = 24 << 20
"""Members that lie in several blocks are kept until those have been read."""
_MADE_BYTES: Final = 8 << 20
"""Blocks that were made are kept until the next reader finds them as ordinary ones."""
_MADE_TO_STAY_BYTES: Final = 64 << 20
"""More of them where they do not become ordinary: in a wheel whose members are not in order of name the next read is of another
block, and what is not kept is made dozens of times."""
THREADS: Final = min(4, os.cpu_count() or 1)
"""That pack the members of a block."""
_SPLIT_BYTES: Final = 128 << 10
"""Less content than this is packed sooner than a thread is woken."""


class SolidBlocks:
    """The two databases of solid blocks.  Methods may be called from any thread."""

    def __init__(self, environment: Environment) -> None:
        """``environment`` may be a read-only one of an older build, without these databases."""
        self._blocks = environment.database_if_any("solid-blocks")
        self._streams = environment.database_if_any("solid-streams")
        self._unpacked: BoundedCache[int, bytes] = BoundedCache(_STREAMS_BYTES, weight=len)
        self._data: BoundedCache[tuple[int, int], bytes] = BoundedCache(_DATA_BYTES, weight=len)
        self._made: BoundedCache[int, bytes]
        self.stay(environment.readonly)
        self._lock = threading.Lock()
        # Readers of one block wait for the first of them; those of other blocks hardly ever.
        self._turns = [threading.Lock() for _ in range(16)]

    def stay(self, stays: bool) -> None:
        """Say whether blocks that are made again stay solid from now on."""
        self._made = BoundedCache(_MADE_TO_STAY_BYTES if stays else _MADE_BYTES, weight=len)

    def add(self, transaction: lmdb.Transaction, stream: int, frame: bytes, blocks: Sequence[tuple[int, SolidBlock]]) -> None:
        """Store what `packed_stream` gave, by the number of its first block, and the blocks that are made of it."""
        if self._blocks is None or self._streams is None:
            raise StoreError("store a solid block", "the store has no place for it", "let this wheelfs write to it once")
        for number, block in blocks:
            transaction.put(_NUMBER.pack(number), block.encode(), db=self._blocks)
        compressed.put(transaction, self._streams, _NUMBER.pack(stream), frame)

    def get(self, transaction: lmdb.Transaction, number: int) -> SolidBlock | None:
        """Return how a block is made, None when it is not solid.  Raises `StoreDamaged`."""
        found = None if self._blocks is None else transaction.get(_NUMBER.pack(number), db=self._blocks)
        try:
            return None if found is None else SolidBlock.decode(found)
        except ValueError as error:
            raise _damaged(number, f"how it is made cannot be read ({error})") from error

    def is_one(self, transaction: lmdb.Transaction, number: int) -> bool:
        """Tell whether a block is solid, whatever its entry says."""
        return self._blocks is not None and transaction.get(_NUMBER.pack(number), db=self._blocks) is not None

    def are_out_of_reach(self, transaction: lmdb.Transaction) -> bool:
        """Tell whether there are solid blocks, and this Python's zlib cannot make them again."""
        return self._blocks is not None and transaction.stat(self._blocks)["entries"] > 0 and not is_the_original()

    def made_again(self, transaction: lmdb.Transaction, number: int, block: SolidBlock) -> bytes:
        """Return a block's bytes, which the caller compares with its digest.  Raises `StoreDamaged`."""
        with self._turns[number % len(self._turns)]:
            with self._lock:
                made = self._made.get(number)
            if made is None:
                made = self._make(transaction, number, block)
                with self._lock:
                    self._made.put(number, made)
            return made

    def _make(self, transaction: lmdb.Transaction, number: int, block: SolidBlock) -> bytes:
        stream = self._stream(transaction, number, block.stream)
        with self._lock:
            data = {repeat.start: found for repeat in block.repeats if (found := self._data.get((block.stream, repeat.start)))}
        missing = [repeat for repeat in block.repeats if repeat.start not in data]
        try:
            data.update(_packed(stream, missing))
        except (ValueError, OverflowError) as error:  # a level that zlib does not have
            raise _damaged(number, f"its members cannot be packed ({error})") from error
        with self._lock:
            for repeat in missing:
                if len(data[repeat.start]) > sum(length for _, length in repeat.pieces):  # other blocks may have the rest
                    self._data.put((block.stream, repeat.start), data[repeat.start])
        return block.made_again(lambda repeat: data[repeat.start])

    def _stream(self, transaction: lmdb.Transaction, number: int, stream: int) -> bytes:
        with self._lock:
            kept = self._unpacked.get(stream)
        if kept is not None:
            return kept
        frame = None if self._streams is None else compressed.get(transaction, self._streams, _NUMBER.pack(stream))
        if frame is None:
            raise _damaged(number, "its stream is missing")
        try:
            content = zstandard.ZstdDecompressor(max_window_size=1 << _WINDOW_LOG).decompress(frame)
        except (zstandard.ZstdError, MemoryError) as error:
            raise _damaged(number, f"its stream cannot be unpacked ({error})") from error
        with self._lock:
            self._unpacked.put(stream, content)
        return content

    def forget(self) -> None:
        """Give up the memory that was taken for the next reader."""
        with self._lock:
            for kept in (self._unpacked, self._data, self._made):
                kept.clear()

    def drop(self, transaction: lmdb.Transaction, number: int) -> bool:
        """Forget how a block is made, with its stream when no other needs that; tell whether it was solid.

        One whose entry is damaged goes, too, and leaves its stream: collections must not fail for it.
        """
        if self._blocks is None or self._streams is None:
            return False
        key = _NUMBER.pack(number)
        found = transaction.get(key, db=self._blocks)
        if found is None:
            return False
        stream = _stream_of(found)
        transaction.delete(key, db=self._blocks)
        if stream is not None and not self._is_needed(transaction, stream):
            compressed.delete(transaction, self._streams, _NUMBER.pack(stream))
        return True

    def _is_needed(self, transaction: lmdb.Transaction, stream: int) -> bool:
        """Tell whether a block of the stream is left: they have consecutive numbers from the stream's on."""
        with transaction.cursor(self._blocks) as cursor:
            return cursor.set_range(_NUMBER.pack(stream)) and _stream_of(cursor.value()) in (stream, None)


def _stream_of(encoded: bytes | memoryview) -> int | None:
    """Return the number of the stream that an entry names, None where the entry is damaged."""
    try:
        return SolidBlock.decode(encoded).stream
    except ValueError:
        return None


def packed_stream(content: bytes) -> bytes:
    """Return a stream's content as one zstd frame that states its size and ends with a checksum."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=_WINDOW_LOG, enable_ldm=True, write_checksum=True, source_size=len(content)
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


def other_bytes(number: int) -> StoreError:
    """Return the error for a block that was made again and is not what was stored: damage, unless this Python's zlib differs."""
    if is_the_original():
        return _damaged(number, "what is made again is not what was stored")
    happened = "it is kept inflated, and this Python has another library in the place of zlib"
    return StoreError(f"read block {number}", happened, "use a Python that has zlib; nothing is lost")


def _shares(repeats: Sequence[Repeat], most: int) -> list[list[Repeat]]:
    """Divide work by its content: at most so many shares, none too small to be worth it."""
    total = sum(repeat.size for repeat in repeats)
    count = max(1, min(most, total // _SPLIT_BYTES, len(repeats)))
    shares: list[list[Repeat]] = [[] for _ in range(count)]
    sizes = [0] * count
    for repeat in sorted(repeats, key=lambda repeat: -repeat.size):
        least = sizes.index(min(sizes))
        shares[least].append(repeat)
        sizes[least] += repeat.size
    return shares


def _packed(stream: bytes, repeats: Sequence[Repeat]) -> dict[int, bytes]:
    """Pack members, in several threads where that is worth it: zlib lets others run meanwhile."""
    shares = _shares(repeats, THREADS)
    if len(shares) < 2:
        return _data_of(stream, repeats)
    data: dict[int, bytes] = {}
    with ThreadPoolExecutor(len(shares), thread_name_prefix="packing") as threads:
        for made in threads.map(lambda share: _data_of(stream, share), shares):
            data.update(made)
    return data


def _data_of(stream: bytes, repeats: Sequence[Repeat]) -> dict[int, bytes]:
    return {repeat.start: repeat.encoder.packed(stream[repeat.start : repeat.start + repeat.size]) for repeat in repeats}


def _damaged(number: int, happened: str) -> StoreDamaged:
    return StoreDamaged(f"read block {number}", happened, "run: wheelfs verify --repair; check the disk")
