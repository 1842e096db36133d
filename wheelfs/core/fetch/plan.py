"""Which bytes of a file to ask for next, given which are here: decisions without IO.

A wheel is opened by its tail and read as a whole, in any order; every request costs a round trip, and no byte should come twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.http.ranges import ByteRequest, From, Range, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelfs.core.fetch.spans import Spans

TAIL_BYTES: Final = 64 * 1024
"""First suffix request when nothing better is known: it holds the directory of 61 % of wheels, and METADATA too of 51 %."""

LONGEST_TAIL_BYTES: Final = 1024 * 1024
_LARGE_TAIL_BYTES: Final = 128 * 1024
_TAIL_SHARE: Final = 128
"""A wheel of more than 8 MB has a larger directory: a 128th of its size, up to 128 KiB, holds that of 81 % in one request."""

AT_ONCE_BYTES: Final = 192 * 1024
"""A file no larger than this is fetched whole instead of by its tail: a second request would cost more than the bytes."""

_INSTALLER_AT_ONCE_BYTES: Final = 512 * 1024
_INSTALLER_TAIL_BYTES: Final = 256 * 1024
"""Installers want all of it: so the first request may be for more, that METADATA needs no second one (in 82 % of wheels)."""

_RESOLVER_AT_ONCE_BYTES: Final = 16 * 1024
"""One that only resolves pays for bytes that it does not read: of 64 wheels, 55 had directory and METADATA in the tails below."""
_RESOLVER_TAILS: Final = ((192 * 1024, 16 * 1024), (2 * 1024 * 1024, 24 * 1024))
"""Up to this size, that tail."""

SIDE_BYTES: Final = 256 * 1024
"""What a read far from every stream asks for at least."""


def at_once_bytes(purpose: Purpose) -> int:
    """Return up to which size a file is fetched whole when it is opened."""
    match purpose:
        case Purpose.INSTALLING:
            return _INSTALLER_AT_ONCE_BYTES
        case Purpose.RESOLVING:
            return _RESOLVER_AT_ONCE_BYTES
        case Purpose.UNKNOWN:
            return AT_ONCE_BYTES


def metadata_in_tail_bytes(purpose: Purpose) -> int:
    """Return up to which size the first request for a wheel will most likely bring its METADATA as well."""
    return _RESOLVER_TAILS[-1][0] if purpose is Purpose.RESOLVING else at_once_bytes(purpose)


def tail_bytes(*, seen_directory_bytes: int | None, size_bytes: int | None, purpose: Purpose = Purpose.UNKNOWN) -> int:
    """Return how long a tail to ask for.

    ``seen_directory_bytes`` is how much of its end the directory of the project's file before took (the next version's will be
    much alike), None when none was seen; ``size_bytes`` the size of the file, None when it is not known.
    """
    if seen_directory_bytes is not None:
        least = {Purpose.INSTALLING: _INSTALLER_TAIL_BYTES, Purpose.RESOLVING: _RESOLVER_AT_ONCE_BYTES}.get(
            purpose, TAIL_BYTES // 2
        )
        return min(LONGEST_TAIL_BYTES, max(least, seen_directory_bytes + seen_directory_bytes // 8 + 16 * 1024))
    if size_bytes is None:
        return TAIL_BYTES
    if purpose is Purpose.INSTALLING:
        return _INSTALLER_TAIL_BYTES
    if purpose is Purpose.RESOLVING:
        for most, tail in _RESOLVER_TAILS:
            if size_bytes <= most:
                return tail
    return min(_LARGE_TAIL_BYTES, max(TAIL_BYTES, size_bytes // _TAIL_SHARE))


def next_wanted(spans: Spans, size_bytes: int | None, *, coming_tail_bytes: int = 0) -> ByteRequest | None:
    """Return what the fetch of the whole file asks for next: its first gap; None when nothing is missing.

    ``coming_tail_bytes`` of its end are being fetched otherwise.
    """
    if size_bytes is None:
        return Whole()
    gaps = spans.missing(0, size_bytes - coming_tail_bytes)
    if not gaps:
        return None
    start, end = gaps[0]
    if (start, end) == (0, size_bytes):
        return Whole()
    return From(start) if end == size_bytes else Range(start, end)


def later_gaps(spans: Spans, size_bytes: int | None, *, most: int, coming_tail_bytes: int = 0) -> list[Range]:
    """Return what lies after the first gap, to be asked for beside it: one after the other, each would add a round trip.

    They are small, since it is the tail's requests that leave them.
    """
    gaps = [] if size_bytes is None else spans.missing(0, size_bytes - coming_tail_bytes)
    return [Range(start, end) for start, end in gaps[1 : 1 + most]]


def side_range(spans: Spans, size_bytes: int, gaps: list[tuple[int, int]], streams_at: Iterable[int]) -> Range:
    """Return what a read asks for by itself: all its ``gaps``, and more after them as far as none of it is here or coming.

    ``streams_at`` are the offsets that running streams have reached.
    """
    start, least = gaps[0][0], gaps[-1][1]
    last = min(size_bytes, max(least, start + SIDE_BYTES))
    last = min([last, *(at for at in streams_at if at >= least)])
    free = spans.missing(least, last)
    return Range(start, free[0][1] if free and free[0][0] == least else least)
