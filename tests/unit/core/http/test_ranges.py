"""Every way in which a server can answer a request for a part of a file, without a socket."""

from __future__ import annotations

import pytest

from wheelfs.core.http.ranges import (
    AskAgain,
    Busy,
    ByteRequest,
    Changed,
    Complete,
    Denied,
    From,
    Missing,
    Moved,
    Nonsense,
    NothingThere,
    Outcome,
    PartialBody,
    Range,
    Suffix,
    Whole,
    brings_page,
    judge,
    request_headers,
)


def outcome(wanted: ByteRequest, status: int, validator: str | None = None, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(wanted, validator=validator, status=status, headers=named)


@pytest.mark.parametrize(
    ("wanted", "header"),
    [(From(5), "bytes=5-"), (Range(5, 10), "bytes=5-9"), (Suffix(7), "bytes=-7"), (Whole(), None)],
)
def test_what_is_wanted_is_asked_for_uncompressed(wanted: ByteRequest, header: str | None) -> None:
    headers = request_headers(wanted, validator=None, fresh=False)
    assert headers.get("Range") == header
    assert headers["Accept-Encoding"] == "identity"
    assert "Cache-Control" not in headers


def test_only_a_strong_validator_of_a_part_is_sent() -> None:
    assert request_headers(From(5), validator='"a"', fresh=False)["If-Range"] == '"a"'
    assert "If-Range" not in request_headers(From(5), validator='W/"a"', fresh=False)
    assert "If-Range" not in request_headers(Whole(), validator='"a"', fresh=False)


def test_fresh_bytes_are_asked_for_past_caches() -> None:
    assert request_headers(Whole(), validator=None, fresh=True)["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("wanted", "content_range", "part"),
    [
        (Range(5, 10), "bytes 5-9/20", PartialBody(5, 10, 20)),
        (Range(5, 10), "bytes 5-7/20", PartialBody(5, 8, 20)),
        (Range(5, 10), "bytes 0-19/20", PartialBody(0, 20, 20)),
        (Range(5, 10), "bytes 5-9/*", PartialBody(5, 10, None)),
        (From(5), "bytes 5-19/20", PartialBody(5, 20, 20)),
        (Suffix(5), "bytes 15-19/20", PartialBody(15, 20, 20)),
        (Suffix(50), "bytes 0-19/20", PartialBody(0, 20, 20)),
        (Suffix(5), "Bytes  15-19/*", PartialBody(15, 20, 20)),
    ],
)
def test_a_part_is_what_its_content_range_says(wanted: ByteRequest, content_range: str, part: PartialBody) -> None:
    assert outcome(wanted, 206, content_range=content_range) == part


@pytest.mark.parametrize(
    ("wanted", "headers"),
    [
        (Range(5, 10), {}),
        (Range(5, 10), {"content_range": "bytes 10-12/20"}),
        (Range(5, 10), {"content_range": "bytes 0-4/20"}),
        (Range(5, 10), {"content_range": "bytes 9-5/20"}),
        (Range(5, 10), {"content_range": "bytes 5-20/20"}),
        (Range(5, 10), {"content_range": "items 5-9/20"}),
        (Range(5, 10), {"content_range": "bytes 5-9/20", "content_length": "4"}),
        (Range(5, 10), {"content_range": "bytes 5-9/20", "content_type": "multipart/byteranges; boundary=x"}),
        (Suffix(5), {"content_range": "bytes 0-4/20"}),
        (Suffix(5), {}),
    ],
)
def test_a_part_that_cannot_be_placed_is_nonsense_and_asked_for_in_another_way(
    wanted: ByteRequest, headers: dict[str, str]
) -> None:
    found = outcome(wanted, 206, **headers)
    assert isinstance(found, AskAgain)
    assert found.nonsense
    assert found.wanted == Whole() or isinstance(wanted, Suffix)


def test_a_server_that_takes_a_suffix_for_the_beginning_is_asked_explicitly() -> None:
    nonsense = "it sent another part (bytes 0-4/20) than the end that was asked for"
    assert outcome(Suffix(5), 206, content_range="bytes 0-4/20") == AskAgain(Range(15, 20), nonsense)
    found = outcome(Suffix(5), 206, content_range="bytes 0-4/*")
    assert isinstance(found, AskAgain)
    assert found.wanted is None


def test_a_total_that_the_end_contradicts_is_not_believed() -> None:
    found = outcome(Suffix(5), 206, content_range="bytes 15-19/30")
    assert isinstance(found, AskAgain)
    assert found.wanted is None
    found = judge(Range(15, 20), validator=None, status=206, headers={"content-range": "bytes 15-19/30"}, size_bytes=20)
    assert isinstance(found, AskAgain)
    assert found.wanted == Whole()


@pytest.mark.parametrize(
    ("said", "is_page"),
    [
        (None, True),
        ("bytes 0-19/20", True),
        ("bytes 0-19/*", True),
        ("bytes 0-18/20", False),
        ("bytes 1-19/20", False),
        ("lines 0-19/20", False),
    ],
)
def test_a_part_of_a_page_is_none(said: str | None, is_page: bool) -> None:
    assert brings_page(206, {} if said is None else {"content-range": said}) == is_page


def test_only_all_of_a_file_is_taken_for_the_whole_of_it() -> None:
    assert isinstance(outcome(Whole(), 206, content_range="bytes 0-18/20"), Nonsense)
    assert outcome(Whole(), 206, content_range="bytes 0-19/20") == PartialBody(0, 20, 20)


def test_a_part_of_a_compressed_body_is_of_no_use() -> None:
    assert outcome(From(5), 206, content_range="bytes 5-9/10", content_encoding="gzip") == AskAgain(Whole())


def test_a_server_that_ignores_ranges_sends_all() -> None:
    assert outcome(Range(5, 10), 200, content_length="20") == Complete(20, encoded=False)
    assert outcome(Suffix(5), 200, content_length="2000") == Complete(2000, encoded=False)
    assert outcome(Whole(), 200) == Complete(None, encoded=False)


def test_a_compressed_whole_has_no_known_size() -> None:
    assert outcome(Whole(), 200, content_length="20", content_encoding="gzip") == Complete(None, encoded=True)
    assert outcome(Whole(), 200, content_length="20", content_encoding="identity") == Complete(20, encoded=False)


def test_a_charset_in_place_of_a_coding_changes_nothing() -> None:
    assert outcome(Whole(), 200, content_length="20", content_encoding="UTF-8") == Complete(20, encoded=False)
    assert outcome(From(5), 206, content_range="bytes 5-9/10", content_encoding="utf-8") == PartialBody(5, 10, 10)


def test_a_server_that_only_ignores_suffixes_is_asked_explicitly_when_that_saves_bytes() -> None:
    assert outcome(Suffix(5), 200, content_length="2000", accept_ranges="bytes") == AskAgain(Range(1995, 2000))
    assert outcome(Suffix(5), 200, content_length="20", accept_ranges="bytes") == Complete(20, encoded=False)
    assert outcome(Suffix(5), 200, content_length="2000", accept_ranges="none") == Complete(2000, encoded=False)


@pytest.mark.parametrize("length", ["-1", "x", "", "٣", "9" * 30])
def test_a_length_that_is_none_is_not_believed(length: str) -> None:
    assert outcome(Whole(), 200, content_length=length) == Complete(None, encoded=False)


@pytest.mark.parametrize("status", [400, 405, 406, 416, 501])
def test_a_server_that_refuses_ranges_is_asked_without(status: int) -> None:
    assert outcome(From(5), status) == AskAgain(Whole())
    assert outcome(Range(5, 9), status) == AskAgain(Whole())
    assert outcome(Suffix(5), status) == AskAgain(None)
    assert isinstance(outcome(Whole(), status), Nonsense)


@pytest.mark.parametrize(
    ("status", "of_the_whole"),
    [(403, Denied()), (404, Missing()), (412, Nonsense("it answered with status 412")), (500, Busy(None)), (502, Busy(None))],
)
def test_what_may_be_said_of_the_range_alone_is_asked_of_the_whole(status: int, of_the_whole: Outcome) -> None:
    for wanted in (From(5), Range(5, 9), Suffix(5)):
        assert outcome(wanted, status) == AskAgain(Whole(), suspected=True)
    assert outcome(Whole(), status) == of_the_whole


def test_an_unsatisfiable_range_tells_the_size() -> None:
    assert outcome(From(20), 416, content_range="bytes */20") == NothingThere(20)
    assert outcome(From(5), 416, content_range="bytes */20") == AskAgain(Whole())
    assert outcome(Suffix(5), 416, content_range="bytes */20") == AskAgain(Range(15, 20))
    assert outcome(Suffix(5), 416, content_range="bytes */0") == AskAgain(Whole())


def test_another_entity_tag_is_another_file() -> None:
    assert outcome(From(5), 206, '"a"', content_range="bytes 5-9/10", etag='"b"') == Changed()
    assert outcome(From(5), 200, '"a"', etag='"b"') == Changed()
    assert outcome(From(5), 206, '"a"', content_range="bytes 5-9/10", etag='W/"a"') == PartialBody(5, 10, 10)
    assert outcome(From(5), 206, '"a"', content_range="bytes 5-9/10") == PartialBody(5, 10, 10)


@pytest.mark.parametrize("wanted", [Whole(), Suffix(5)])
def test_statuses_mean_the_same_whatever_was_asked_for(wanted: ByteRequest) -> None:
    assert outcome(wanted, 302, location="/x") == Moved("/x")
    assert isinstance(outcome(wanted, 302), Nonsense)
    assert outcome(wanted, 410) == Missing()
    for status in (401, 407):
        assert outcome(wanted, status) == Denied()
    for status in (429, 503, 504):
        assert outcome(wanted, status) == Busy(None)
    for status in (201, 204, 304, 418):
        assert isinstance(outcome(wanted, status), Nonsense)


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-1", None), ("9" * 20, None), ("", None)]
)
def test_retry_after_is_understood_in_seconds(header: str, seconds: float | None) -> None:
    assert outcome(Whole(), 503, retry_after=header) == Busy(seconds)


def test_a_date_to_come_back_at_is_compared_with_the_servers_own() -> None:
    date, later = "Fri, 31 Dec 1999 23:59:49 GMT", "Fri, 31 Dec 1999 23:59:59 GMT"
    assert outcome(Whole(), 429, retry_after=later, date=date) == Busy(10.0)
    assert outcome(Whole(), 429, retry_after=date, date=later) == Busy(0.0)
