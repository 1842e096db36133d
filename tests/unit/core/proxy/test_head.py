"""The first request on a connection to the proxy."""

from __future__ import annotations

import pytest

from wheelfs.core.proxy.head import Asked, Connect, Nonsense, Plain, asked_of, passed_on
from wheelfs.core.proxy.hosts import Endpoint


@pytest.mark.parametrize(
    ("method", "target", "asked"),
    [
        (b"CONNECT", b"index.example:443", Connect(Endpoint("index.example", 443))),
        (b"GET", b"http://index.example/simple/x/?a=1", Plain(Endpoint("index.example", 80), b"/simple/x/?a=1")),
        (b"POST", b"http://index.example", Plain(Endpoint("index.example", 80), b"/")),
        (b"GET", b"/simple/x/", Nonsense()),
        (b"GET", b"https://index.example/", Nonsense()),
        (b"CONNECT", b"index.example", Nonsense()),
        (b"GET", b"http://\xff/", Nonsense()),
    ],
)
def test_what_is_asked(method: bytes, target: bytes, asked: Asked) -> None:
    assert asked_of(method, target) == asked


def test_what_concerned_this_connection_is_not_passed_on() -> None:
    headers = [(b"Host", b"a.example"), (b"Proxy-Authorization", b"Basic ours"), (b"Connection", b"keep-alive"), (b"X", b"1")]
    assert passed_on(b"GET", b"/x", headers) == b"GET /x HTTP/1.1\r\nHost: a.example\r\nX: 1\r\nConnection: close\r\n\r\n"
    assert b"Proxy-Authorization: Basic theirs\r\n" in passed_on(b"GET", b"/x", headers, authorization=b"Basic theirs")
