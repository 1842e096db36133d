"""How a file of a share is put together: its skeleton, its chunks in order, and the packs that hold them, if it lies in packs.

The bytes are described in ``docs/design/share-format.md``; a change there needs a new magic.  A reader trusts nothing
in it: each chunk is compared with its digest, and the whole file with its sha256.
"""

from __future__ import annotations

import struct
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.model.framing import FRAMING_BYTES, ShareFormatError, framed, packed_numbers, read_numbers, unframed
from wheelfs.model.recipe import DIGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

PACK_NAME_BYTES: Final = 16
MAX_PACK_BYTES: Final = 64 << 20
MAX_CHUNK_BYTES: Final = 262_128
MAX_CHUNKS: Final = 4_000_000
"""A wheel of 70,000 members has as many; one of 16 GiB in pieces of 262,128 bytes has 65,541."""
_MAGIC: Final = b"WFM1"
_HEAD: Final = struct.Struct("<QQ3L")


class Placed(NamedTuple):
    """A chunk of a file: where it begins in the file, its digest and length, and where it lies in which pack."""

    offset: int
    digest: bytes
    length: int
    pack: bytes
    pack_offset: int


class Manifest:
    """A file of ``size_bytes``.  Element ``i`` of it is ``gaps[i]`` bytes of skeleton, then chunk ``i``; the rest is skeleton.

    ``frame`` is the skeleton as one zstd frame, ``skeleton_bytes`` its size when unpacked.  Chunk ``i`` lies at ``offsets[i]``
    of the pack called ``packs[pack_of[i]]``; without packs it has its place in the file alone, as at a gateway.  Raises
    `ShareFormatError` for parts that do not fit each other.
    """

    __slots__ = ("digests", "frame", "gaps", "lengths", "offsets", "pack_of", "packs", "size_bytes", "skeleton_bytes")

    def __init__(
        self,
        *,
        skeleton_bytes: int,
        frame: bytes,
        gaps: array[int],
        lengths: array[int],
        digests: bytes,
        packs: tuple[bytes, ...] = (),
        pack_of: array[int] | None = None,
        offsets: array[int] | None = None,
    ) -> None:
        pack_of = array("I") if pack_of is None else pack_of
        offsets = array("I") if offsets is None else offsets
        if len(digests) != DIGEST_BYTES * len(lengths) or len(gaps) != len(lengths):
            raise ShareFormatError("as many gaps, lengths and digests are needed")
        if not len(pack_of) == len(offsets) == (len(lengths) if packs else 0):
            raise ShareFormatError("each chunk has its place in a pack, or none has")
        if len(lengths) > MAX_CHUNKS or any(not 0 < length <= MAX_CHUNK_BYTES for length in lengths):
            raise ShareFormatError("a chunk is empty or too long, or there are too many")
        if any(len(pack) != PACK_NAME_BYTES for pack in packs) or any(number >= len(packs) for number in pack_of):
            raise ShareFormatError("a chunk lies in no pack")
        if any(offset + length > MAX_PACK_BYTES for offset, length in zip(offsets, lengths, strict=bool(packs))):
            raise ShareFormatError("a chunk lies beyond the end of its pack")
        if sum(gaps) > skeleton_bytes or bool(frame) != bool(skeleton_bytes):
            raise ShareFormatError("its parts do not add up to its size")
        self.size_bytes = sum(lengths) + skeleton_bytes
        self.skeleton_bytes = skeleton_bytes
        self.frame = frame
        self.gaps = gaps
        self.lengths = lengths
        self.digests = digests
        self.packs = packs
        self.pack_of = pack_of
        self.offsets = offsets

    @property
    def encoded_bytes(self) -> int:
        """How long `encode` is: what it took to bring the manifest here."""
        each = DIGEST_BYTES + (16 if self.packs else 8)
        return FRAMING_BYTES + _HEAD.size + PACK_NAME_BYTES * len(self.packs) + each * len(self.lengths) + len(self.frame)

    def placed(self) -> Iterator[Placed]:
        """Yield the chunks of a file that lies in packs, in the order of the file."""
        ends = accumulate(gap + length for gap, length in zip(self.gaps, self.lengths, strict=True))
        return (self.place(number, end - self.lengths[number]) for number, end in enumerate(ends))

    def place(self, number: int, offset: int) -> Placed:
        """Return a chunk of a file that lies in packs; ``offset`` is where in the file it begins."""
        digest = self.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
        return Placed(offset, digest, self.lengths[number], self.packs[self.pack_of[number]], self.offsets[number])

    def skeleton_ranges(self) -> Iterator[tuple[int, int]]:
        """Yield ``(offset in the file, length)`` of the skeleton's pieces, in order; their lengths add up to the skeleton."""
        at = 0
        for gap, length in zip(self.gaps, self.lengths, strict=True):
            if gap:
                yield at, gap
            at += gap + length
        if at < self.size_bytes:
            yield at, self.size_bytes - at

    def encode(self) -> bytes:
        """Return the manifest as bytes."""
        head = _HEAD.pack(self.size_bytes, self.skeleton_bytes, len(self.lengths), len(self.packs), len(self.frame))
        numbers = map(packed_numbers, (self.gaps, self.lengths, self.pack_of, self.offsets))
        return framed(_MAGIC, b"".join((head, *self.packs, *numbers, self.digests, self.frame)))

    @classmethod
    def decode(cls, encoded: bytes) -> Manifest:
        """Read what `encode` wrote; raise `ShareFormatError` for anything else, a single flipped bit included."""
        body = unframed(_MAGIC, encoded)
        if len(body) < _HEAD.size:
            raise ShareFormatError("it is too short")
        size_bytes, skeleton_bytes, chunks, packs, frame_bytes = _HEAD.unpack_from(body)
        names = _HEAD.size + PACK_NAME_BYTES * packs
        places = names + 8 * chunks
        digests = places + (8 * chunks if packs else 0)
        frame = digests + DIGEST_BYTES * chunks
        if frame + frame_bytes != len(body):
            raise ShareFormatError("its length does not fit what it says of itself")
        gaps, lengths = (read_numbers(body[at : at + 4 * chunks]) for at in (names, names + 4 * chunks))
        pack_of, offsets = (read_numbers(body[at : at + 4 * chunks] if packs else b"") for at in (places, places + 4 * chunks))
        read = cls(
            skeleton_bytes=skeleton_bytes,
            frame=body[frame:],
            gaps=gaps,
            lengths=lengths,
            digests=body[digests:frame],
            packs=tuple(body[at : at + PACK_NAME_BYTES] for at in range(_HEAD.size, names, PACK_NAME_BYTES)),
            pack_of=pack_of,
            offsets=offsets,
        )
        if read.size_bytes != size_bytes:
            raise ShareFormatError("its parts do not add up to its size")
        return read
