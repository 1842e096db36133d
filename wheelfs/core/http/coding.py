"""Content codings undone as RFC 9110 (8.4) and RFC 1952 say, and whether a file was encoded on its way or only labelled so.

Done here and not by the HTTP library, whose decoder stops after the first member of a gzip stream (RFC 1952, 2.2, allows many,
and servers that compress block by block send them) and takes a stream that ends in the middle for a whole one.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIECE_BYTES: Final = 1 << 20
"""Most that is unpacked at a time: a bomb is noticed by who counts the pieces before it is all there."""
HEAD_BYTES: Final = 4_096
"""As many bytes of an encoded file tell its kind, packed or unpacked."""

_GZIP: Final = ("gzip", "x-gzip")
_OTHER_CODINGS: Final = frozenset(
    {"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "aes128gcm"}
    | {"bzip2", "x-bzip2", "xz", "lzma", "zip"}
)
"""Codings that are not undone here: the rest of IANA's registry, and what servers call archives.  All other words of the header
(charsets, ``none``, S3's ``aws-chunked``) name none, and change no byte: HTTP libraries pass over what they do not know."""
_KNOWN: Final = frozenset({*_GZIP, "deflate"})
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MAGIC: Final = {
    (".whl", ".zip", ".egg"): b"PK",
    (".tar.gz", ".tgz"): _GZIP_MAGIC,
    (".tar.bz2",): b"BZh",
    (".tar.xz",): b"\xfd7zXZ\x00",
    (".tar.Z",): b"\x1f\x9d",
}
_COMPRESSED: Final = (".gz", ".tgz", ".bz2", ".xz", ".Z", ".zip")
"""Endings for which servers name a coding that the file has by itself (Apache's ``AddEncoding x-gzip .gz .tgz``)."""


class BadCoding(ValueError):
    """A body is not what its content coding says; the message says in which way."""


def codings_of(header: str | None) -> tuple[str, ...]:
    """Return the codings of a Content-Encoding header in the order in which they were applied, without what names none."""
    named = (coding.strip().lower() for coding in (header or "").split(","))
    return tuple(coding for coding in named if coding in _KNOWN or coding in _OTHER_CODINGS)


def can_decode(codings: Sequence[str]) -> bool:
    """Return whether codings can be undone here: what indexes are asked for, and the older name of it."""
    return _KNOWN.issuperset(codings) and len(codings) <= 4


class Decoder:
    """Undoes codings, piece by piece."""

    def __init__(self, codings: Sequence[str]) -> None:
        """``codings`` as `codings_of` returns them; raises `BadCoding` for one that cannot be undone."""
        if not can_decode(codings):
            raise BadCoding("a coding that was not asked for")
        self._stages = [_Stage(is_gzip=coding in _GZIP) for coding in reversed(codings)]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` becomes, at most `PIECE_BYTES` at a time; raises `BadCoding`."""
        return self._fed(data, 0)

    def _fed(self, data: bytes, stage: int) -> Iterator[bytes]:
        if stage == len(self._stages):
            yield data
            return
        for piece in self._stages[stage].feed(data):
            yield from self._fed(piece, stage + 1)

    def finish(self) -> None:
        """Raise `BadCoding` when the body ends before a coding does."""
        for stage in self._stages:
            stage.finish()


class _Stage:
    """One coding.  What follows a complete stream and is no further member is padding, as all clients have it."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._inflater: zlib._Decompress | None = None
        self._begin = b""
        self._members = 0
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._is_over:
            if self._inflater is None:
                self._begin += data
                if len(self._begin) < 2:
                    return
                data, self._begin = self._begin, b""
                self._inflater = self._started(data[:2])
                if self._inflater is None:
                    return
            try:
                piece = self._inflater.decompress(data, PIECE_BYTES)
                data = self._inflater.unconsumed_tail
                while piece:
                    yield piece
                    # Something may be left inside though all was consumed.
                    piece = self._inflater.decompress(data, PIECE_BYTES)
                    data = self._inflater.unconsumed_tail
            except zlib.error as error:
                raise BadCoding(f"not what it is said to be packed as ({error})") from None
            if self._inflater.eof:
                data = self._inflater.unused_data
                self._members += 1
                self._inflater = None
                self._is_over = not self._is_gzip

    def finish(self) -> None:
        if self._inflater is not None or not self._members:
            raise BadCoding("truncated")

    def _started(self, begin: bytes) -> zlib._Decompress | None:
        if self._is_gzip:
            if begin == _GZIP_MAGIC or not self._members:
                return zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._is_over = True
            return None
        # "deflate" is a zlib stream (RFC 9110, 8.4.1.2), and some servers send it without zlib's header (RFC 1950, 2.2).
        has_header = begin[0] & 0x0F == zlib.DEFLATED and int.from_bytes(begin) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def is_packed_on_the_way(filename: str, head: bytes, codings: Sequence[str], *, otherwise: bool = False) -> bool:
    """Return whether a file must be unpacked to be what its name says; ``head`` is the beginning of the body as it was sent.

    Servers name a coding for what they have packed, and for what is packed by itself because its name ends in ``.gz``; pip
    takes what was sent, uv unpacks.  The kind of file that the name promises decides: the one of the two that begins like it.
    Where neither does, files with a compressed name are taken as sent and others unpacked, or with ``otherwise`` the reverse
    (for when the digest was wrong).  Raises `BadCoding` when it must be unpacked and cannot be.
    """
    magic = next((magic for endings, magic in _MAGIC.items() if filename.endswith(endings)), None)
    if magic is not None and can_decode(codings) and _unpacked_head(head, codings).startswith(magic):
        return True
    if magic is not None and head.startswith(magic):
        return False
    is_packed = not filename.endswith(_COMPRESSED)
    if not can_decode(codings):
        if is_packed:
            raise BadCoding("a coding that was not asked for")
        return False
    return is_packed is not otherwise


def _unpacked_head(head: bytes, codings: Sequence[str]) -> bytes:
    try:
        return next(Decoder(codings).feed(head), b"")
    except BadCoding:
        return b""
