"""Any moment can be asked for in any offset; anything else is no time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.times import parse_asof, rfc3339

_MOMENTS = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.just(UTC))
_OFFSETS = st.integers(-(24 * 60 - 1), 24 * 60 - 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?")


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@given(_MOMENTS, _OFFSETS)
def test_an_instant_means_the_same_in_every_offset(moment: datetime, offset_minutes: int) -> None:
    name = moment.astimezone(timezone(timedelta(minutes=offset_minutes))).isoformat()
    found = parse_asof(name)
    assert found is not None
    assert found.name == name
    assert found.before_us == micros(moment) // 1_000 * 1_000


@given(_MOMENTS)
def test_a_date_ends_where_the_next_one_begins(moment: datetime) -> None:
    today, tomorrow = parse_asof(moment.date().isoformat()), parse_asof((moment.date() + timedelta(days=1)).isoformat())
    assert today is not None
    assert tomorrow is not None
    assert today.before_us - 86_400_000_000 <= micros(moment) < today.before_us
    assert tomorrow.before_us - today.before_us == 86_400_000_000


@given(_MOMENTS)
def test_a_time_that_was_told_can_be_asked_for(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    found = parse_asof(rfc3339(micros(whole)))
    assert found is not None
    assert found.before_us == micros(whole)


@given(
    st.one_of(
        st.text(max_size=40),
        st.text("0123456789-:TtZz+. W", max_size=40),
        st.from_regex(_SHAPE, fullmatch=True),
        st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.{0,20}", fullmatch=True),
    )
)
def test_junk_is_no_time_and_breaks_nothing(name: str) -> None:
    found = parse_asof(name)
    if found is not None:
        assert _SHAPE.fullmatch(name)
        assert found.before_us % 1_000 == 0
