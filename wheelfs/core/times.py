"""Instants as text, above all in paths: ``asof/2026-01-31`` and ``asof/2026-01-31T12:00:00Z``.

Those mean what ``uv --exclude-newer`` takes them for, so that both show the same files: a date is the whole of that day, and
what was uploaded in the millisecond of the instant itself is not there yet.  uv takes a date for one of the local time zone; here
it is one of UTC, since a path must mean the same on every node that has the mount.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(\.(?P<fraction>\d{1,9}))?"
    r"([Zz]|(?P<sign>[+-])(?P<offset_hours>\d\d):(?P<offset_minutes>\d\d))",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AsOf(msgspec.Struct, frozen=True):
    """A point in time under the name that it was asked for.

    Files are there that were uploaded before ``before_us`` (microseconds since the epoch).
    """

    name: str
    before_us: int


def parse_asof(name: str) -> AsOf | None:
    """Return the point in time that a date (RFC 3339, ``full-date``) or instant (``date-time``) names; None for any other name.

    Nothing is guessed: an instant without an offset, which uv reads as a date, is invalid.
    """
    try:
        moment = _end_of_day(name) if _DATE.fullmatch(name) else _instant(name)
    except (ValueError, OverflowError):
        return None
    return None if moment is None else AsOf(name, (moment - _EPOCH) // timedelta(milliseconds=1) * 1_000)


def _end_of_day(name: str) -> datetime:
    day = date.fromisoformat(name) + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _instant(name: str) -> datetime | None:
    match = _INSTANT.fullmatch(name)
    if match is None:
        return None
    hours, minutes = int(match["offset_hours"] or 0), int(match["offset_minutes"] or 0)
    if hours > 23 or minutes > 59:
        return None
    # A leap second (RFC 3339, 5.7) is taken for the one before: there is no such second since the epoch.
    second = min(int(match["second"]), 59) if match["second"] == "60" else int(match["second"])
    local = datetime.fromisoformat(match["date"]).replace(
        hour=int(match["hour"]),
        minute=int(match["minute"]),
        second=second,
        microsecond=int((match["fraction"] or "").ljust(6, "0")[:6]),
        tzinfo=UTC,
    )
    offset = timedelta(hours=hours, minutes=minutes)
    return local + offset if match["sign"] == "-" else local - offset


def rfc3339(time_us: int) -> str:
    """Return microseconds since the epoch as text, in UTC, with a fraction only where there is one."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def rfc3339_seconds(time_us: float) -> str:
    """Return the whole second that microseconds since the epoch are in, as text in UTC: for reports, which promise no more."""
    return rfc3339(int(time_us // 1_000_000) * 1_000_000)
