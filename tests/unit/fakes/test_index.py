"""The fake index does what its options and its fault script say: over plain sockets, so that no client hides anything."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.fakes import faults
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.server import Request

BODY = bytes(range(256)) * 1000
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as running:
        running.add("demo-1.0-py3-none-any.whl", BODY)
        yield running


def get(index: FakeIndex, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(index.url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()


FILE = "/files/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=10-19", 10, 19), ("bytes=-5", len(BODY) - 5, len(BODY) - 1), ("bytes=5-", 5, len(BODY) - 1)],
)
def test_a_range_is_answered_with_exactly_these_bytes(index: FakeIndex, asked: str, first: int, last: int) -> None:
    status, headers, body = get(index, FILE, Range=asked)
    assert (status, body) == (206, BODY[first : last + 1])
    assert headers["content-range"] == f"bytes {first}-{last}/{len(BODY)}"
    assert [(request.range, request.status, request.body_bytes_sent) for request in index.requests] == [(asked, 206, len(body))]


@pytest.mark.parametrize(
    ("ranges", "suffix", "plain"),
    [("ignore", 200, 200), ("refuse", 416, 416), ("not-implemented", 501, 501), ("suffix-unsupported", 501, 206)],
)
def test_ranges_can_be_refused_in_every_known_way(index: FakeIndex, ranges: str, suffix: int, plain: int) -> None:
    index.ranges = ranges  # type: ignore[assignment]
    assert (get(index, FILE, Range="bytes=-5")[0], get(index, FILE, Range="bytes=0-4")[0]) == (suffix, plain)


def test_a_range_beyond_the_end_is_416_with_the_size(index: FakeIndex) -> None:
    status, headers, _ = get(index, FILE, Range=f"bytes={len(BODY)}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(BODY)}")


def test_if_range_with_another_etag_gets_the_whole_file(index: FakeIndex) -> None:
    assert get(index, FILE, Range="bytes=0-4", If_Range='"other"')[2] == BODY


def test_pages_are_negotiated_and_options_change_live(index: FakeIndex) -> None:
    page = json.loads(get(index, "/simple/demo/", **JSON)[2])
    assert (page["files"][0]["size"], page["meta"]["api-version"]) == (len(BODY), "1.1")
    index.sizes = index.hashes = index.upload_times = False
    page = json.loads(get(index, "/simple/demo/", **JSON)[2])
    assert "size" not in page["files"][0] and not page["files"][0]["hashes"] and "upload-time" not in page["files"][0]
    index.page_format = "html"
    status, headers, body = get(index, "/simple/demo/", **JSON)
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert b'<a href="../../files/demo-1.0-py3-none-any.whl">' in body


def test_base_href_and_absolute_urls_name_the_same_file(index: FakeIndex) -> None:
    index.page_format, index.urls = "html", "absolute"
    assert f'href="{index.file_url("demo-1.0-py3-none-any.whl")}#sha256='.encode() in get(index, "/simple/demo/")[2]
    index.base_href = True
    body = get(index, "/simple/demo/")[2]
    assert f'<base href="{index.origin}/files/">'.encode() in body and b'href="demo-1.0' in body


def test_unknown_things_are_404_and_crooked_names_are_redirected(index: FakeIndex) -> None:
    assert [get(index, path)[0] for path in ("/simple/nope/", "/files/nope.whl", "/elsewhere")] == [404, 404, 404]
    status, headers, _ = get(index, "/simple/Demo/")
    assert (status, headers["location"]) == (301, "/simple/demo/")


def test_core_metadata_is_the_wheels_own(index: FakeIndex) -> None:
    filename, _ = index.add_wheel("Meta.Pkg", "2.0", requires=["demo"])
    file = json.loads(get(index, "/simple/meta-pkg/", **JSON)[2])["files"][0]
    body = get(index, f"/files/{filename}.metadata")[2]
    assert b"Requires-Dist: demo" in body and "sha256" in file["core-metadata"]
    index.core_metadata = False
    assert get(index, f"/files/{filename}.metadata")[0] == 404


def test_etags_answer_304_and_no_store_is_said(index: FakeIndex) -> None:
    etag = get(index, FILE)[1]["etag"]
    assert get(index, FILE, If_None_Match=etag)[0] == 304
    index.etags, index.no_store = False, True
    _, headers, _ = get(index, FILE)
    assert "etag" not in headers and headers["cache-control"] == "no-store"


def test_no_content_length_means_chunks(index: FakeIndex) -> None:
    index.content_length = False
    _, headers, body = get(index, FILE)
    assert headers["transfer-encoding"] == "chunked" and "content-length" not in headers and body == BODY


def test_answers_are_compressed_when_accepted_or_always(index: FakeIndex) -> None:
    index.gzip = "accepted"
    assert get(index, FILE)[2] == BODY
    assert gzip.decompress(get(index, FILE, Accept_Encoding="gzip")[2]) == BODY
    index.gzip = "always"
    status, headers, body = get(index, FILE, Range="bytes=0-4")
    assert (status, headers["content-encoding"], gzip.decompress(body)) == (200, "gzip", BODY)


def test_credentials_are_asked_for(index: FakeIndex) -> None:
    index.credentials = ("user", "password")
    assert get(index, FILE)[0] == 401
    assert get(index, FILE, Authorization="Basic dXNlcjpwYXNzd29yZA==")[0] == 200


def test_redirects_lead_to_the_same_content(index: FakeIndex) -> None:
    index.redirects = True
    assert get(index, FILE)[0] == 302
    assert urllib.request.urlopen(index.file_url("demo-1.0-py3-none-any.whl"), timeout=10).read() == BODY


def test_https_is_verified_with_its_own_authority() -> None:
    with FakeIndex(tls=True) as index:
        index.add("demo-1.0-py3-none-any.whl", BODY)
        assert index.ca_pem is not None
        trusting = ssl.create_default_context(cadata=index.ca_pem.decode())
        assert urllib.request.urlopen(index.origin + FILE, context=trusting, timeout=10).read() == BODY
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(index.origin + FILE, context=ssl.create_default_context(), timeout=10)


def test_a_fault_strikes_only_where_and_as_often_as_told(index: FakeIndex) -> None:
    index.faults.append(Fault("demo-1.0", faults.Status(503, {"Retry-After": "7"}), times=2))
    assert get(index, "/simple/demo/")[0] == 200
    status, headers, _ = get(index, FILE)
    assert (status, headers["retry-after"]) == (503, "7")
    assert [get(index, FILE)[0] for _ in range(2)] == [503, 200]


def test_truncation_ends_the_body_early_but_in_good_order(index: FakeIndex) -> None:
    index.faults.append(Fault(FILE, faults.Truncate(1000)))
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(index, FILE)
    assert caught.value.partial == BODY[:1000] and index.body_bytes(FILE) == 1000


@pytest.mark.parametrize("after_bytes", [None, 1000])
def test_a_reset_is_a_reset(index: FakeIndex, after_bytes: int | None) -> None:
    index.faults.append(Fault(FILE, faults.Reset(after_bytes)))
    with pytest.raises(ConnectionResetError):
        get(index, FILE)


def test_wrong_bytes_are_wrong_at_their_place_only(index: FakeIndex) -> None:
    index.faults.append(Fault(FILE, faults.WrongBytes(at=10, length=2), times=None))
    body = get(index, FILE)[2]
    assert [place for place in range(len(BODY)) if body[place] != BODY[place]] == [10, 11]
    assert get(index, FILE, Range="bytes=12-20")[2] == BODY[12:21]


@pytest.mark.parametrize("delta", [7, -7])
def test_wrong_length_is_framed_right(index: FakeIndex, delta: int) -> None:
    index.faults.append(Fault(FILE, faults.WrongLength(delta)))
    assert len(get(index, FILE)[2]) == len(BODY) + delta


@pytest.mark.parametrize("after_bytes", [None, 0, 1000])
def test_a_stall_lasts_until_its_event_and_then_all_is_well(index: FakeIndex, after_bytes: int | None) -> None:
    go = threading.Event()
    index.faults.append(Fault(FILE, faults.Stall(until=go, after_bytes=after_bytes)))
    connection = http.client.HTTPConnection(urlsplit(index.url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", FILE)
        if after_bytes is not None:
            answer = connection.getresponse()
            assert answer.read(after_bytes) == BODY[:after_bytes]
            go.set()
            assert answer.read() == BODY[after_bytes:]
        else:
            go.set()
            assert connection.getresponse().read() == BODY


def test_a_slow_body_comes_whole(index: FakeIndex) -> None:
    index.faults.append(Fault(FILE, faults.Slow(5_000_000)))
    assert get(index, FILE)[2] == BODY


def test_garbage_and_redirect_loops(index: FakeIndex) -> None:
    index.faults += [Fault("/simple/", faults.GarbagePage()), Fault("/simple/", faults.RedirectLoop())]
    assert get(index, "/simple/demo/")[2] == faults.GarbagePage().body
    with pytest.raises(urllib.error.HTTPError, match="redirect") as caught:
        urllib.request.urlopen(f"{index.url}/demo/", timeout=10)
    caught.value.close()


def test_a_stopped_index_refuses_and_starts_again_on_its_port(index: FakeIndex) -> None:
    url = index.url
    index.stop()
    with pytest.raises(ConnectionRefusedError):
        get(index, FILE)
    index.start()
    assert index.url == url and get(index, FILE)[2] == BODY


def test_a_hanging_index_accepts_and_is_silent_until_it_hangs_no_more(index: FakeIndex) -> None:
    index.hang()
    with socket.create_connection(("127.0.0.1", urlsplit(index.url).port or 0), timeout=0.2) as connection:
        connection.sendall(f"GET {FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            connection.recv(1)
        index.unhang()
        connection.settimeout(10)
        assert connection.recv(9).startswith(b"HTTP/1.1")


def test_closing_ends_every_thread_even_one_that_stalls_or_hangs() -> None:
    before = threading.active_count()
    index = FakeIndex()
    index.start()
    index.faults.append(Fault("/simple/a/", faults.Stall(seconds=3600)))
    connections = [socket.create_connection(("127.0.0.1", urlsplit(index.url).port or 0)) for _ in range(3)]
    connections[0].sendall(b"GET /simple/a/ HTTP/1.1\r\n\r\n")
    connections[1].sendall(b"GET /simple/b/ HTTP/1.1\r\n\r\n")
    assert connections[1].recv(9)
    index.hang()
    connections[1].sendall(b"GET /simple/b/ HTTP/1.1\r\n\r\n")
    index.close()
    assert threading.active_count() == before
    for connection in connections:
        connection.close()


def test_counters_can_be_reset(index: FakeIndex) -> None:
    get(index, FILE)
    assert index.body_bytes(".whl") == len(BODY) and len(index.requests_for(".whl")) == 1
    index.reset_counters()
    assert index.body_bytes() == 0


def raw(index: FakeIndex) -> bytes:
    """Return all that the server sends for a file, to the byte; raises ConnectionResetError when it ends with a reset."""
    with socket.create_connection(("127.0.0.1", urlsplit(index.url).port or 0), timeout=10) as connection:
        connection.sendall(f"GET {FILE} HTTP/1.1\r\nHost: demo\r\n\r\n".encode())
        pieces = []
        while piece := connection.recv(65_536):
            pieces.append(piece)
        return b"".join(pieces)


def test_a_wire_fault_sends_its_own_bytes_and_closes(index: FakeIndex) -> None:
    index.faults.append(Fault(FILE, faults.Wire(lambda answer: iter([b"no status line ", 0.01, answer.body[:3]]))))
    assert raw(index) == b"no status line " + BODY[:3]


def test_a_wire_fault_can_end_with_a_reset(index: FakeIndex) -> None:
    index.faults.append(Fault(FILE, faults.Wire(lambda _: iter(()), resets=True)))
    with pytest.raises(ConnectionResetError):
        raw(index)


def test_a_changed_answer_is_made_of_the_right_one(index: FakeIndex) -> None:
    def teapot(request: Request, answer: Answer) -> Answer:
        return Answer(418, answer.body[:5] + request.method.encode())

    index.faults.append(Fault(FILE, faults.Changed(teapot)))
    status, _, body = get(index, FILE)
    assert (status, body) == (418, BODY[:5] + b"GET")
    assert get(index, FILE)[0] == 200
