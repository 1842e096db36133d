"""Points in time in a path: what counts as one, and which moment it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wheelfs.core.times import AsOf, parse_asof, rfc3339, rfc3339_seconds


def us(*parts: int) -> int:
    """Return microseconds since the epoch of a moment in UTC."""
    return round(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "before_us"),
    [
        ("2026-01-31", us(2026, 2, 1)),
        ("2024-02-29", us(2024, 3, 1)),
        ("2026-12-31", us(2027, 1, 1)),
        ("2099-01-01", us(2099, 1, 2)),
        ("2026-01-31T12:00:00Z", us(2026, 1, 31, 12)),
        ("2026-01-31t12:00:00z", us(2026, 1, 31, 12)),
        ("2026-01-31T12:00:00+01:30", us(2026, 1, 31, 10, 30)),
        ("2026-01-31T12:00:00-01:30", us(2026, 1, 31, 13, 30)),
        ("2026-01-31T12:00:00-00:00", us(2026, 1, 31, 12)),
        ("2026-01-31T00:30:00+01:00", us(2026, 1, 30, 23, 30)),
        ("2026-01-31T12:00:00.5Z", us(2026, 1, 31, 12) + 500_000),
        ("2026-01-31T12:00:00.123999999Z", us(2026, 1, 31, 12) + 123_000),
        ("2016-12-31T23:59:60Z", us(2016, 12, 31, 23, 59, 59)),
        ("2016-12-31T18:59:60-05:00", us(2016, 12, 31, 23, 59, 59)),
        ("0001-01-01T00:00:00Z", us(1, 1, 1)),
    ],
)
def test_a_date_is_the_whole_day_and_an_instant_its_millisecond(name: str, before_us: int) -> None:
    assert parse_asof(name) == AsOf(name, before_us)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "now",
        "2026",
        "2026-01",
        "2026-1-31",
        "26-01-31",
        "+2026-01-31",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "0000-01-01",
        "9999-12-31",
        "20260131",
        "2026-W05-6",
        "2026-031",
        "2026-01-31Z",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+01",
        "0001-01-01T00:00:00+01:00",
        "2026-01-31T12:00:00Z[UTC]",
        "2026-01-31\n",
        " 2026-01-31",
        "٢٠٢٦-٠١-٣١",  # other scripts' digits are digits to Python
        "2026\N{EN DASH}01\N{EN DASH}31",
    ],
)
def test_what_is_not_exactly_a_time_is_none(name: str) -> None:
    assert parse_asof(name) is None


def test_times_are_told_with_a_fraction_only_where_there_is_one() -> None:
    assert rfc3339(us(2026, 1, 31, 12)) == "2026-01-31T12:00:00Z"
    assert rfc3339(us(2026, 1, 31, 12) + 5) == "2026-01-31T12:00:00.000005Z"
    assert rfc3339(us(1, 1, 1)) == "0001-01-01T00:00:00Z"


def test_reports_tell_the_second_that_has_begun() -> None:
    assert rfc3339_seconds(us(2026, 1, 31, 12) + 999_999) == "2026-01-31T12:00:00Z"
    assert rfc3339_seconds(us(1969, 12, 31, 23, 59, 59) + 1) == "1969-12-31T23:59:59Z"
