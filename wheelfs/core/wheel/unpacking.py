"""Streams that unpack what members are packed by: deflate, and what pip unpacks since Python's zipfile does, bzip2 and LZMA.

Source: PKWARE APPNOTE 6.3.10, 4.4.5 (methods) and 5.8 (LZMA's header); the LZMA specification for its five bytes of properties.
"""

from __future__ import annotations

import bz2
import lzma
from typing import Any, Final, cast

from zlib_ng import zlib_ng  # takes .6 of the time of zlib (decision 0071)

STORED: Final = 0
DEFLATED: Final = 8
BZIP2: Final = 12
LZMA: Final = 14
UNPACKING_ERRORS: Final = (cast("type[Exception]", zlib_ng.error), OSError, lzma.LZMAError)  # its stub has no class there
"""What a stream raises for bytes that make no sense."""

_LZMA_HEAD_BYTES: Final = 9
_LZMA_PROPERTIES: Final = 9 * 5 * 5
_LEAST_DICTIONARY_BYTES: Final = 4096


def stream_of(method: int, size_bytes: int) -> Any:
    """Return what has ``decompress`` and ``unconsumed_tail`` as zlib's objects have them; None where installers have none, too.

    ``size_bytes`` is what the member takes when it is unpacked.  ``decompress`` raises one of `UNPACKING_ERRORS`.
    """
    if method == DEFLATED:
        return zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
    if method == BZIP2:
        return _Bzip2()
    return _Lzma(size_bytes) if method == LZMA else None


class _Bzip2:
    """What is too much for one piece is kept inside, and asked for with empty ones."""

    unconsumed_tail = b""

    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    def decompress(self, packed: bytes | memoryview, most_bytes: int) -> bytes:
        return b"" if self._stream.eof else self._stream.decompress(packed, most_bytes)


class _Lzma:
    """As `_Bzip2`; the stream begins when its header has come."""

    unconsumed_tail = b""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._head = b""
        self._stream: lzma.LZMADecompressor | None = None

    def decompress(self, packed: bytes | memoryview, most_bytes: int) -> bytes:
        if self._stream is None:
            self._head += packed
            if len(self._head) < _LZMA_HEAD_BYTES:
                return b""
            self._stream, packed = _lzma_stream(self._head, self._size_bytes), self._head[_LZMA_HEAD_BYTES:]
        return b"" if self._stream.eof else self._stream.decompress(packed, most_bytes)


def _lzma_stream(head: bytes, size_bytes: int) -> lzma.LZMADecompressor:
    """Return what unpacks the rest of a member, by its first bytes: version, length of the properties, properties."""
    packed_numbers = head[4]
    if head[2:4] != b"\x05\x00" or packed_numbers >= _LZMA_PROPERTIES:
        raise lzma.LZMAError("its LZMA properties make no sense")
    rest, literal_context = divmod(packed_numbers, 9)
    positions, literal_positions = divmod(rest, 5)
    # Nothing lies further back than the beginning, whatever is announced: up to 4 GiB, which would be taken at once.
    dictionary = min(int.from_bytes(head[5:9], "little"), size_bytes)
    chosen = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, _LEAST_DICTIONARY_BYTES),
        "lc": literal_context,
        "lp": literal_positions,
        "pb": positions,
    }
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chosen])
    except ValueError as error:
        raise lzma.LZMAError(str(error)) from None
