"""What the gateway answers with, decided without a socket."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.http.authorization import carries
from wheelfs.core.http.conditions import Failed, Full, NotModified, PartialContent, Unsatisfiable, decide
from wheelfs.core.simple.negotiation import HTML_TYPE, JSON_TYPE, PLAIN_TYPE, choose_form

PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
TAG = '"abc"'


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PIP, JSON_TYPE),
        (UV, JSON_TYPE),
        (BROWSER, PLAIN_TYPE),
        (None, PLAIN_TYPE),
        ("", PLAIN_TYPE),
        ("*/*", PLAIN_TYPE),
        ("text/*", PLAIN_TYPE),
        ("application/*", HTML_TYPE),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("application/vnd.pypi.simple.latest+html", HTML_TYPE),
        ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON;Q=0.5", JSON_TYPE),
        ("text/html;q=0, */*", HTML_TYPE),
        ("text/html;q=0.5;level=1, application/vnd.pypi.simple.v1+json;q=0.6", JSON_TYPE),
        ("text/html;q=2, application/vnd.pypi.simple.v1+json", JSON_TYPE),
        ("application/vnd.pypi.simple.v2+json", None),
        ("image/png", None),
        ("*/*;q=0", None),
    ],
)
def test_the_form_is_the_one_that_the_client_prefers(accept: str | None, content_type: str | None) -> None:
    chosen = choose_form(accept)
    assert (None if chosen is None else chosen[1]) == content_type


def test_the_query_goes_before_the_header() -> None:
    assert choose_form("text/html", JSON_TYPE) == ("json", JSON_TYPE)
    assert choose_form("text/html", "application/json") is None


@given(st.text(max_size=60), st.none() | st.text(max_size=30))
def test_any_header_has_an_answer(accept: str, asked: str | None) -> None:
    choose_form(accept, asked)


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        ("bytes=0-0", PartialContent(0, 1)),
        ("bytes=0-99", PartialContent(0, 10)),
        ("bytes=3-", PartialContent(3, 10)),
        ("bytes=-4", PartialContent(6, 10)),
        ("bytes=-40", PartialContent(0, 10)),
        ("Bytes = 2 - 3", PartialContent(2, 4)),
        ("bytes=10-", Unsatisfiable()),
        ("bytes=99-100", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=5-4", Full()),
        ("bytes=-", Full()),
        ("bytes=0-1,3-4", Full()),
        ("lines=0-1", Full()),
        ("bytes=0x1-2", Full()),
        ("bytes=\u0663-", Full()),
        ("bytes=" + "9" * 5000 + "-", Full()),
    ],
)
def test_a_range_is_answered_as_rfc_9110_says(header: str, reply: object) -> None:
    assert decide(size_bytes=10, etag=TAG, range_=header) == reply


def test_no_range_of_an_empty_file_can_be_given() -> None:
    assert decide(size_bytes=0, etag=TAG, range_="bytes=-5") == Unsatisfiable()
    assert decide(size_bytes=0, etag=TAG, range_="bytes=0-") == Unsatisfiable()


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", "abc"', "*", ' "x" ,W/"abc"'])
def test_who_has_the_file_is_told_so(header: str) -> None:
    assert decide(size_bytes=10, etag=TAG, if_none_match=header, range_="bytes=0-1") == NotModified()


@pytest.mark.parametrize("header", ['"ab"', "abc", '"x"', ""])
def test_another_tag_is_no_match(header: str) -> None:
    assert decide(size_bytes=10, etag=TAG, if_none_match=header) == Full()


@pytest.mark.parametrize("header", ['"x"', 'W/"abc"', "abc", ""])
def test_who_wants_another_file_than_there_is_gets_none(header: str) -> None:
    assert decide(size_bytes=10, etag=TAG, if_match=header, range_="bytes=0-1") == Failed()
    assert decide(size_bytes=10, etag=TAG, if_match='"x", "abc"', range_="bytes=0-1") == PartialContent(0, 2)
    assert decide(size_bytes=10, etag=TAG, if_match="*") == Full()


def test_a_file_without_a_tag_has_ranges_and_matches_none() -> None:
    assert decide(size_bytes=10, etag=None, range_="bytes=0-1") == PartialContent(0, 2)
    assert decide(size_bytes=10, etag=None, range_="bytes=0-1", if_range=TAG, if_none_match=TAG) == Full()
    assert decide(size_bytes=10, etag=None, if_match=TAG) == Failed()


def test_a_range_of_another_file_is_not_mixed_with_this_one() -> None:
    assert decide(size_bytes=10, etag=TAG, range_="bytes=2-3", if_range='"other"') == Full()
    assert decide(size_bytes=10, etag=TAG, range_="bytes=2-3", if_range='W/"abc"') == Full()
    assert decide(size_bytes=10, etag=TAG, range_="bytes=2-3", if_range="Sat, 21 Nov 2026 00:00:00 GMT") == Full()
    assert decide(size_bytes=10, etag=TAG, range_="bytes=2-3", if_range=TAG) == PartialContent(2, 4)


@given(st.text(max_size=40), st.integers(0, 10_000))
def test_any_range_stays_inside_the_file(header: str, size_bytes: int) -> None:
    match decide(size_bytes=size_bytes, etag=TAG, range_="bytes=" + header):
        case PartialContent(start, end):
            assert 0 <= start < end <= size_bytes
        case _:
            pass


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_token_is_taken_as_bearer_or_as_password_and_in_no_other_way() -> None:
    assert carries("s3cret", "Bearer s3cret")
    assert carries("s3cret", "bearer  s3cret ")
    assert carries("s3cret", basic("anybody", "s3cret"))
    assert carries("s3:cret", basic("", "s3:cret"))
    for header in (
        None,
        "",
        "s3cret",
        "Bearer",
        "Bearer s3cre",
        "Basic s3cret",
        basic("s3cret", ""),
        "Basic \xff",
        "Digest s3cret",
    ):
        assert not carries("s3cret", header)
    assert not carries("", "Bearer ")


@given(st.text(max_size=40))
def test_no_header_but_the_right_one_opens(header: str) -> None:
    assert not carries("a token that cannot be guessed", header)
