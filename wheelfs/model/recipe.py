"""How a stored file is put together: its chunks in order, and where their bytes lie in the chunk store.

A wheel may have 70,000 members, so everything is kept in packed arrays.  The bytes of an encoded recipe are described in
``docs/design/format.md``; a change there needs a new magic and a golden store of the old format.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIGEST_BYTES: Final = 32
_MAGIC: Final = b"WFR1"
_HEAD: Final = struct.Struct("<4sQQ4L")
_CHECK_BYTES: Final = 16


class RecipeError(ValueError):
    """These bytes are no recipe; the message says why."""


class Chunk(NamedTuple):
    """A piece of a file: its BLAKE3 digest (32 bytes) and its length in bytes."""

    digest: bytes
    length: int


class Extent(NamedTuple):
    """A run of bytes inside one block of the chunk store."""

    block: int
    offset: int
    length: int


class Extents:
    """An ordered list of extents in three packed arrays; neighbours in the list that are neighbours in a block are one."""

    __slots__ = ("blocks", "lengths", "offsets")

    def __init__(self) -> None:
        self.blocks = array("Q")
        self.offsets = array("I")
        self.lengths = array("I")

    @classmethod
    def merged(cls, extents: Iterable[Extent]) -> Extents:
        """Make the list from one extent per chunk, in order."""
        made = cls()
        made.extend(extents)
        return made

    def extend(self, extents: Iterable[tuple[int, int, int]]) -> None:
        """Add extents at the end, joining each to the last one where it continues that one's block."""
        last, end = (self.blocks[-1], self.offsets[-1] + self.lengths[-1]) if self.blocks else (-1, 0)
        for block, offset, length in extents:
            if block == last and offset == end:
                self.lengths[-1] += length
            else:
                self.blocks.append(block)
                self.offsets.append(offset)
                self.lengths.append(length)
            last, end = block, offset + length

    def __iter__(self) -> Iterator[Extent]:
        return map(Extent, self.blocks, self.offsets, self.lengths)

    def __len__(self) -> int:
        return len(self.blocks)


class ChunkList:
    """Chunks in order: packed lengths, packed digests, and the extents that hold their concatenation."""

    __slots__ = ("digests", "extents", "lengths", "size_bytes")

    def __init__(self, lengths: array[int], digests: bytes, extents: Extents) -> None:
        if len(digests) != DIGEST_BYTES * len(lengths):
            raise RecipeError("as many digests as lengths are needed")
        self.lengths = lengths
        self.digests = digests
        self.extents = extents
        self.size_bytes = sum(lengths)
        if sum(extents.lengths) != self.size_bytes:
            raise RecipeError("its extents are not as long as its chunks")

    def __iter__(self) -> Iterator[Chunk]:
        for index, length in enumerate(self.lengths):
            yield Chunk(self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES], length)

    def __len__(self) -> int:
        return len(self.lengths)


class Recipe:
    """A sealed file.  Element ``i`` of it is ``gaps[i]`` bytes of skeleton, then chunk ``i`` of ``data``; the rest is skeleton.

    ``data``'s extents lie in *data space*: the concatenation of all its chunks, skeleton left out, where they merge.
    ``skeleton`` are the chunks whose concatenation is one zstd frame of ``skeleton_bytes`` bytes when unpacked.
    """

    __slots__ = ("data", "gaps", "size_bytes", "skeleton", "skeleton_bytes")

    def __init__(self, size_bytes: int, gaps: array[int], data: ChunkList, skeleton_bytes: int, skeleton: ChunkList) -> None:
        if len(gaps) != len(data):
            raise RecipeError("as many gaps as chunks are needed")
        if data.size_bytes + skeleton_bytes != size_bytes or sum(gaps) > skeleton_bytes:
            raise RecipeError("its parts do not add up to its size")
        if bool(skeleton_bytes) != bool(skeleton.size_bytes):
            raise RecipeError("its skeleton is missing")
        self.size_bytes = size_bytes
        self.gaps = gaps
        self.data = data
        self.skeleton_bytes = skeleton_bytes
        self.skeleton = skeleton

    def encode(self) -> bytes:
        """Return the recipe as bytes, ending in a checksum of all before it."""
        body = b"".join(
            (
                _HEAD.pack(
                    _MAGIC,
                    self.size_bytes,
                    self.skeleton_bytes,
                    len(self.data),
                    len(self.data.extents),
                    len(self.skeleton),
                    len(self.skeleton.extents),
                ),
                _packed(self.gaps),
                *_encoded(self.data),
                *_encoded(self.skeleton),
            )
        )
        return body + _check(body)

    @classmethod
    def decode(cls, encoded: bytes | memoryview) -> Recipe:
        """Read what `encode` wrote; raise `RecipeError` for anything else, a single flipped bit included."""
        encoded = bytes(encoded)
        if encoded[: len(_MAGIC)] != _MAGIC:
            raise RecipeError("it is no recipe of this format")
        if len(encoded) < _HEAD.size + _CHECK_BYTES or _check(encoded[:-_CHECK_BYTES]) != encoded[-_CHECK_BYTES:]:
            raise RecipeError("its checksum is wrong")
        _, size_bytes, skeleton_bytes, chunks, extents, skeleton_chunks, skeleton_extents = _HEAD.unpack_from(encoded)
        expected = (4 + 4 + DIGEST_BYTES) * chunks + (4 + DIGEST_BYTES) * skeleton_chunks + 16 * (extents + skeleton_extents)
        if _HEAD.size + expected + _CHECK_BYTES != len(encoded):
            raise RecipeError("its length does not fit what it says of itself")
        reader = _Reader(encoded, _HEAD.size)
        gaps = reader.numbers("I", chunks)
        data = reader.chunk_list(chunks, extents)
        skeleton = reader.chunk_list(skeleton_chunks, skeleton_extents)
        return cls(size_bytes, gaps, data, skeleton_bytes, skeleton)


class _Reader:
    def __init__(self, encoded: bytes, position: int) -> None:
        self._encoded = encoded
        self._position = position

    def take(self, size: int) -> bytes:
        self._position += size
        return self._encoded[self._position - size : self._position]

    def numbers(self, typecode: str, count: int) -> array[int]:
        numbers = array(typecode)
        numbers.frombytes(self.take(count * numbers.itemsize))
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def chunk_list(self, chunks: int, extents: int) -> ChunkList:
        lengths = self.numbers("I", chunks)
        digests = self.take(chunks * DIGEST_BYTES)
        made = Extents()
        made.blocks = self.numbers("Q", extents)
        made.offsets = self.numbers("I", extents)
        made.lengths = self.numbers("I", extents)
        return ChunkList(lengths, digests, made)


def _encoded(chunks: ChunkList) -> tuple[bytes, ...]:
    extents = chunks.extents
    return _packed(chunks.lengths), chunks.digests, _packed(extents.blocks), _packed(extents.offsets), _packed(extents.lengths)


def _packed(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _check(body: bytes) -> bytes:
    # LMDB's pages carry no checksum, and a flipped bit in an extent would read right bytes from a wrong place.
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()
