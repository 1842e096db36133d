"""What a request for a file is to be answered with: the server's side of conditions and ranges (RFC 9110, chapters 13 and 14).

Every file served has a strong entity tag, and no date is a validator here: those of wheels are upload times, which do not change
with the bytes.  Of several ranges none is honoured: a server may ignore them, and no installer asks so.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec


class NotModified(msgspec.Struct, frozen=True):
    """304: the client has this already."""


class Failed(msgspec.Struct, frozen=True):
    """412: the client wants another one than there is."""


class Full(msgspec.Struct, frozen=True):
    """200: the whole file."""


class PartialContent(msgspec.Struct, frozen=True):
    """206: the bytes ``[start, end)``, never empty."""

    start: int
    end: int


class Unsatisfiable(msgspec.Struct, frozen=True):
    """416: the range lies beyond the end."""


Reply = NotModified | Failed | Full | PartialContent | Unsatisfiable

_RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,19})[ \t]*-[ \t]*([0-9]{0,19})[ \t]*\Z", re.ASCII | re.IGNORECASE)
_TAG: Final = re.compile(r'(W/)?"([^"]*)"')


def decide(
    *,
    size_bytes: int,
    etag: str | None,
    if_match: str | None = None,
    if_none_match: str | None = None,
    range_: str | None = None,
    if_range: str | None = None,
) -> Reply:
    """Return how to answer a GET of a file of ``size_bytes`` whose tag is ``etag`` (with its quotes; None: it has none).

    The headers are given as they came, None when absent.  A range that cannot be read is ignored (RFC 9110, 14.2).
    """
    if if_match is not None and not _names(if_match, etag, weakly=False):
        return Failed()
    if if_none_match is not None and _names(if_none_match, etag):
        return NotModified()
    if range_ is None or (if_range is not None and if_range.strip() != etag):
        return Full()
    found = _RANGE.match(range_.strip())
    if found is None:
        return Full()
    first, last = found.groups()
    if not first:
        return _suffix(int(last), size_bytes) if last else Full()
    start = int(first)
    if last and int(last) < start:
        return Full()
    if start >= size_bytes:
        return Unsatisfiable()
    return PartialContent(start, min(size_bytes, int(last) + 1) if last else size_bytes)


def _suffix(length: int, size_bytes: int) -> Reply:
    return PartialContent(max(0, size_bytes - length), size_bytes) if length and size_bytes else Unsatisfiable()


def _names(told: str, etag: str | None, *, weakly: bool = True) -> bool:
    """Tell whether the list has this tag; compared weakly for If-None-Match, not for If-Match (RFC 9110, 13.1)."""
    tags = [tag for weak, tag in _TAG.findall(told) if weakly or not weak]
    return told.strip() == "*" or (etag is not None and etag.strip('"') in tags)
