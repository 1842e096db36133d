"""What an answer to a request for a file means: a closed set of outcomes, decided from the request, the status and the headers.

Servers ignore ranges (200), refuse them (416, 501), know no suffix ranges, compress what was asked for uncompressed, change
the file between two requests, and send other parts than asked for.  Source: RFC 9110, chapters 13 to 15.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.http.coding import codings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# --- what can be asked for ----------------------------------------------------------------------------------------------


class Whole(msgspec.Struct, frozen=True):
    """The whole file."""


class From(msgspec.Struct, frozen=True):
    """All bytes from offset ``start`` on."""

    start: int


class Range(msgspec.Struct, frozen=True):
    """The bytes ``[start, end)``; never empty."""

    start: int
    end: int


class Suffix(msgspec.Struct, frozen=True):
    """The last ``length`` bytes, or all when there are fewer; ``length`` is above zero."""

    length: int


ByteRequest = Whole | From | Range | Suffix


def bounds_of(wanted: ByteRequest, size_bytes: int) -> tuple[int, int]:
    """Return which bytes ``[start, end)`` of a file of ``size_bytes`` are wanted; ``start`` may lie beyond the end."""
    match wanted:
        case Whole():
            return 0, size_bytes
        case From(start):
            return start, size_bytes
        case Range(start, end):
            return start, min(end, size_bytes)
        case Suffix(length):
            return max(0, size_bytes - length), size_bytes


# --- what can come of it ------------------------------------------------------------------------------------------------


class PartialBody(msgspec.Struct, frozen=True):
    """The body is the bytes ``[start, end)`` of a file of ``total_bytes`` (None: not told)."""

    start: int
    end: int
    total_bytes: int | None


class Complete(msgspec.Struct, frozen=True):
    """The body is the whole file.

    ``size_bytes`` is None when not told.  ``encoded``: it must be decoded first (and no size is told).
    """

    size_bytes: int | None
    encoded: bool


class NothingThere(msgspec.Struct, frozen=True):
    """The range lies beyond the end: the file has only ``total_bytes``."""

    total_bytes: int


class AskAgain(msgspec.Struct, frozen=True):
    """This way of asking is not supported; ask for ``wanted`` instead (None: for an explicit range, once the size is known).

    ``nonsense`` is what was wrong with an answer that breaks the rules: its server is not asked in that way again soon.
    ``suspected``: what was refused may be the file as well; the answer to ``wanted`` says which of them.
    """

    wanted: ByteRequest | None
    nonsense: str | None = None
    suspected: bool = False


class Changed(msgspec.Struct, frozen=True):
    """The file is no longer the one that the validator was given for."""


class Moved(msgspec.Struct, frozen=True):
    """A redirect."""

    location: str


class Missing(msgspec.Struct, frozen=True):
    """There is no such file (404, 410)."""


class Denied(msgspec.Struct, frozen=True):
    """Credentials are refused or wanted (401, 403, 407)."""


class Busy(msgspec.Struct, frozen=True):
    """The origin cannot now (429, 5xx); ``retry_after_s`` is None when it does not say when it can."""

    retry_after_s: float | None


class Nonsense(msgspec.Struct, frozen=True):
    """The answer breaks the rules; ``reason`` is a phrase."""

    reason: str


Common = Moved | Missing | Denied | Busy
Outcome = PartialBody | Complete | NothingThere | AskAgain | Changed | Common | Nonsense

_CONTENT_RANGE = re.compile(r"bytes[ \t]+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\Z", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes[ \t]+\*/(\d{1,18})\Z", re.IGNORECASE)
_NO_RANGES: Final = frozenset({400, 405, 406, 416, 501})
"""What servers say to a Range header that they do not understand; the same request without it deserves a try."""
_MAYBE_NO_RANGES: Final = frozenset({403, 404, 412, 500, 502})
"""What firewalls, routers of URLs and frameworks say to a Range header, and what all servers say of files."""
_WITH_PAGE: Final = frozenset({200, 201, 202, 203, 226, 300})
_BUSY: Final = frozenset({408, 421, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
_PREFERS_EXPLICIT: Final = 4
"""A whole file this many times larger than the suffix wanted is not read when its server says that it knows ranges."""


def request_headers(wanted: ByteRequest, *, validator: str | None, fresh: bool) -> dict[str, str]:
    """Return the headers that ask for ``wanted``.

    ``validator``: an entity tag; with a strong one a server that has another file now answers with all of it.  A weak one must
    not be sent (RFC 9110, 13.1.5).  ``fresh``: caches on the way must ask the origin.
    """
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    match wanted:
        case From(start):
            headers["Range"] = f"bytes={start}-"
        case Range(start, end):
            headers["Range"] = f"bytes={start}-{end - 1}"
        case Suffix(length):
            headers["Range"] = f"bytes=-{length}"
        case Whole():
            pass
    if validator is not None and _is_strong(validator) and "Range" in headers:
        headers["If-Range"] = validator
    if fresh:
        headers["Cache-Control"] = "no-cache"
        headers["Pragma"] = "no-cache"
    return headers


def judge(
    wanted: ByteRequest, *, validator: str | None, status: int, headers: Mapping[str, str], size_bytes: int | None = None
) -> Outcome:
    """Decide what an answer means.  ``headers`` are looked up by lower-case names; ``validator`` as for `request_headers`.

    ``size_bytes`` is what the server has just said that the file has, None where it was not asked.
    """
    if status in _MAYBE_NO_RANGES and not isinstance(wanted, Whole):
        return AskAgain(Whole(), suspected=True)
    common = judge_status(status, headers)
    if common is not None:
        return common
    if status in (200, 206) and _is_other(validator, headers.get("etag")):
        return Changed()
    if status == 206:
        return _partial(wanted, headers, size_bytes)
    if status == 200:
        return _complete(wanted, headers)
    if status in _NO_RANGES and not isinstance(wanted, Whole):
        return _refused(wanted, status, headers)
    return Nonsense(f"it answered with status {status}")


def judge_status(status: int, headers: Mapping[str, str]) -> Common | None:
    """Decide what a status means wherever it comes; None when that depends on what was asked for."""
    if status in (301, 302, 303, 307, 308) and (location := headers.get("location")):
        return Moved(location)
    if status in (404, 410):
        return Missing()
    if status in (401, 403, 407):
        return Denied()
    if status in _BUSY:
        return Busy(_retry_after_s(headers.get("retry-after"), headers.get("date")))
    return None


def brings_page(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether a body is read as a page, as pip and uv do, though of a 206 only one that is whole or says no part."""
    if status != 206:
        return status in _WITH_PAGE
    text = headers.get("content-range", "").strip()
    told = _CONTENT_RANGE.match(text)
    return not text or (told is not None and int(told[1]) == 0 and told[3] in ("*", str(int(told[2]) + 1)))


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the Content-Length, or None when there is none that makes sense."""
    text = headers.get("content-length", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether a content coding was applied to the body, in spite of our asking for none."""
    return bool(codings_of(headers.get("content-encoding")))


def _partial(wanted: ByteRequest, headers: Mapping[str, str], size_bytes: int | None) -> Outcome:
    if is_encoded(headers):
        # Offsets then count compressed bytes: of no use.
        return Nonsense("it sent a compressed part") if isinstance(wanted, Whole) else AskAgain(Whole())
    if headers.get("content-type", "").lower().startswith("multipart/byteranges"):
        return _another_way(wanted, None, "it sent several parts where one was asked for")
    told = _CONTENT_RANGE.match(headers.get("content-range", "").strip())
    if told is None:
        return _another_way(wanted, None, "it sent a part without saying which")
    start, end = int(told[1]), int(told[2]) + 1
    total = None if told[3] == "*" else int(told[3])
    if start >= end or (total is not None and end > total):
        return _another_way(wanted, None, f"it sent an impossible part ({told[0]})")
    if None not in (total, size_bytes) and total != size_bytes:
        return _another_way(wanted, None, f"it sent a part ({told[0]}) of a file of {size_bytes} bytes")
    length = length_of(headers)
    if length is not None and length != end - start:
        return _another_way(wanted, None, f"it sent a part ({told[0]}) and another length ({length})")
    match wanted:
        case Whole():
            if (start, end) != (0, total):
                return Nonsense("it sent a part where the whole was asked for")
        case From(at) | Range(at, _):
            # A part that begins earlier or ends elsewhere is true all the same; one without the first byte wanted leads nowhere.
            if not start <= at < end:
                return _another_way(wanted, total, f"it sent another part ({told[0]}) than was asked for")
        case Suffix(suffix):
            if total is None:
                if start == 0 and end >= suffix:  # the beginning, most likely: of a small file it is the whole, as is seen then
                    return _another_way(wanted, None, f"it sent what may be the beginning ({told[0]}) for the end")
                total = end  # a suffix ends where the file does
            elif end != total:
                # The beginning, or the end cut short, by a total that is right; else it is the total that is wrong.
                believed = total if start in (0, total - suffix) else None
                return _another_way(wanted, believed, f"it sent another part ({told[0]}) than the end that was asked for")
    return PartialBody(start, end, total)


def _another_way(wanted: ByteRequest, total_bytes: int | None, nonsense: str) -> AskAgain | Nonsense:
    """Return what to ask after an answer that makes no sense: an explicit range for a suffix, and then the whole."""
    match wanted:
        case Whole():
            return Nonsense(nonsense)
        case Suffix(length) if total_bytes:
            return AskAgain(Range(max(0, total_bytes - length), total_bytes), nonsense)
        case Suffix():
            return AskAgain(None, nonsense)
        case From() | Range():
            return AskAgain(Whole(), nonsense)


def _complete(wanted: ByteRequest, headers: Mapping[str, str]) -> Outcome:
    encoded = is_encoded(headers)
    size = None if encoded else length_of(headers)
    if (
        isinstance(wanted, Suffix)
        and size is not None
        and size > _PREFERS_EXPLICIT * wanted.length
        and headers.get("accept-ranges", "").strip().lower() == "bytes"
    ):
        return AskAgain(Range(size - wanted.length, size))
    return Complete(size, encoded)


def _refused(wanted: From | Range | Suffix, status: int, headers: Mapping[str, str]) -> Outcome:
    told = _UNSATISFIED.match(headers.get("content-range", "").strip()) if status == 416 else None
    total = int(told[1]) if told else None
    match wanted:
        case Suffix(length):
            if total == 0:
                return AskAgain(Whole())
            return AskAgain(None if total is None else Range(max(0, total - length), total))
        case From(start) | Range(start, _):
            if total is not None and start >= total:
                return NothingThere(total)
            return AskAgain(Whole())


def _retry_after_s(text: str | None, date: str | None) -> float | None:
    """Return the seconds of a Retry-After header; of its other form, a date, those after the answer's own: clocks differ."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(date or "")).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: one of them has no time zone
        return None


def _is_strong(etag: str) -> bool:
    return len(etag) >= 2 and etag.startswith('"') and etag.endswith('"')


def _is_other(validator: str | None, etag: str | None) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2): servers weaken a tag when they compress."""
    if validator is None or etag is None:
        return False
    return validator.removeprefix("W/") != etag.strip().removeprefix("W/")
