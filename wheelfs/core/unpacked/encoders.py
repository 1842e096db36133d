"""Which DEFLATE encoder made a wheel's members, found by making some of them again.

Python's zipfile, and so most builders, have used zlib at one of its levels; its releases give the same bytes.  Builders written
in Rust use zlib-rs, which is zlib-ng in this.  What other encoders of the same format made (libdeflate, 7-Zip) is not made again.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SAMPLES: Final = 8
SAMPLE_BYTES: Final = 64 << 10
"""Samples are no larger than this where there are such: larger ones take long, and smaller ones look alike at most levels."""
LARGEST_SAMPLE_BYTES: Final = 64 << 20


class Encoder(NamedTuple):
    """zlib, or zlib-ng (``is_ng``), with this level and memory level (`zlib.compressobj`).

    ``piece_bytes``: how much it was given at a time, where that tells; then a flush came before the end, too (Z_SYNC_FLUSH).
    """

    level: int
    memory: int = zlib.DEF_MEM_LEVEL
    is_ng: bool = False
    piece_bytes: int = 0

    def pack(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the data of a member with this content, which may come in pieces of any size."""
        library = zlib_ng if self.is_ng else zlib
        begun = library.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS, self.memory)
        for piece in _in_pieces(content, self.piece_bytes) if self.piece_bytes else content:
            if data := begun.compress(piece):
                yield data
        if self.piece_bytes:
            yield begun.flush(zlib.Z_SYNC_FLUSH)
        yield begun.flush()

    def packed(self, content: bytes) -> bytes:
        """Return the data of a member with this content."""
        return b"".join(self.pack([content]))


def _in_pieces(content: Iterable[bytes], size: int) -> Iterator[bytes]:
    kept = b""
    for piece in content:
        kept += piece
        whole = len(kept) - len(kept) % size
        yield from (kept[start : start + size] for start in range(0, whole, size))
        kept = kept[whole:]
    if kept:
        yield kept


OF_ZLIB: Final = (
    *(Encoder(6), Encoder(9), Encoder(1)),
    *(Encoder(level) for level in (2, 3, 4, 5, 7, 8)),
    *(Encoder(9, 9), Encoder(6, 9)),
)
"""In order of preference, where several give the same sizes: the levels that tools have by default, or call fastest and best."""
OF_RUST: Final = (Encoder(6, is_ng=True), Encoder(6, is_ng=True, piece_bytes=8 << 10))
"""zlib-rs packs as zlib-ng does: the backend of uv, and maturin, which copies files in pieces and flushes them."""
CANDIDATES: Final = (*OF_ZLIB, *OF_RUST)

_KNOWN_BYTES: Final = 50_000
_KNOWN_SHA256: Final = "23f6568d00e00f3b2ed1a4b91c9eeb459a7467d4412d41d0b290b49560e940f9"


def recognised(samples: Sequence[tuple[bytes, int]], candidates: Iterable[Encoder] = CANDIDATES) -> Encoder | None:
    """Return the encoder that gives most of ``samples`` (content, and the size of its data) that size; None for none of them."""
    best: tuple[int, Encoder] | None = None
    for encoder in candidates:
        right = sum(len(encoder.packed(content)) == size for content, size in samples)
        if right and (best is None or right > best[0]):
            best = right, encoder
        if right == len(samples):
            break
    return None if best is None else best[1]


@cache
def is_the_original() -> bool:
    """Return whether this Python's zlib gives the bytes that zlib gives: some systems have put another library in its place."""
    known = _known()
    digest = hashlib.sha256()
    for encoder in OF_ZLIB:
        digest.update(encoder.packed(known))
    return digest.hexdigest() == _KNOWN_SHA256


def _known() -> bytes:
    """Return bytes that are compressible as text is: words of a few lengths in an order without a pattern."""
    words = [hashlib.sha256(bytes([number])).hexdigest()[: 2 + number % 9] for number in range(200)]
    order = hashlib.shake_256(b"wheelfs").digest(_KNOWN_BYTES // 5)
    return " ".join(words[place % len(words)] for place in order).encode()


def samples_of(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """Return which members to try, by their number, of ``(number, size)``: the largest up to `SAMPLE_BYTES`, or the smallest."""
    known = sorted((size, number) for number, size in sizes if size <= LARGEST_SAMPLE_BYTES)
    within = [number for size, number in known if size <= SAMPLE_BYTES]
    return within[: -SAMPLES - 1 : -1] or [number for _, number in known[:1]]
