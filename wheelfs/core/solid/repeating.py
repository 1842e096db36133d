"""A block of chunks as what gives its bytes again: members inflated, side by side in a stream, and how each was packed.

Only zlib's own levels are used: what other encoders give changes with their releases, and a store outlives those.  What is made
again is compared with the block's digest by `wheelfs.store.chunks`, so nothing here is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.unpacked.encoders import Encoder
from wheelfs.model.decoding import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable


class Repeat(msgspec.Struct, frozen=True, array_like=True):
    """A member whose data gives part of a block.

    Its content are ``size`` bytes of the stream from ``start`` on, which zlib packs with this level and memory level; ``pieces``
    are the parts of that data which the block has, in order, as offset and length.
    """

    start: int
    size: int
    level: int
    memory: int
    pieces: tuple[tuple[int, int], ...]

    @property
    def encoder(self) -> Encoder:
        """What packs its content."""
        return Encoder(self.level, self.memory)


class SolidBlock(msgspec.Struct, frozen=True, array_like=True):
    """A block that is kept as parts of the stream of this number."""

    stream: int
    repeats: tuple[Repeat, ...]

    def encode(self) -> bytes:
        """Return it as it is stored: a MessagePack array."""
        return _encoder.encode(self)

    @classmethod
    def decode(cls, encoded: bytes | memoryview) -> SolidBlock:
        """Read what `encode` wrote; raises ValueError for anything else."""
        try:
            return _decoder.decode(encoded)
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error

    def made_again(self, data_of: Callable[[Repeat], bytes]) -> bytes:
        """Return the block's bytes; ``data_of`` gives a member's data."""
        parts: list[memoryview] = []
        for repeat in self.repeats:
            data = memoryview(data_of(repeat))
            parts += [data[offset : offset + length] for offset, length in repeat.pieces]
        return b"".join(parts)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SolidBlock)
