"""Which proxy of the caller's a connection is chained through."""

from __future__ import annotations

import pytest

from wheelfs.core.proxy.hosts import Endpoint
from wheelfs.core.proxy.upstream import Unusable, Upstream, upstream_of

INDEX = Endpoint("index.example", 443)


def test_no_proxy_in_the_environment_means_straight() -> None:
    assert upstream_of({}, "https", INDEX) is None


def test_the_schemes_own_variable_goes_before_the_general_one() -> None:
    environ = {
        "ALL_PROXY": "http://all.example:1",
        "HTTPS_PROXY": "http://secure.example:2",
        "https_proxy": "http://low.example:3",
    }
    found = upstream_of(environ, "https", INDEX)
    assert isinstance(found, Upstream)
    assert found.endpoint == Endpoint("low.example", 3)
    found = upstream_of(environ, "http", INDEX)
    assert isinstance(found, Upstream)
    assert found.endpoint == Endpoint("all.example", 1)


def test_a_password_becomes_a_header_and_is_never_shown() -> None:
    found = upstream_of({"HTTPS_PROXY": "https://ada:p%40ss@proxy.example"}, "https", INDEX)
    assert found == Upstream(Endpoint("proxy.example", 443), True, b"Basic YWRhOnBAc3M=")
    assert "YWRh" not in repr(found)


@pytest.mark.parametrize("exception", ["index.example", ".example", "*", "other.example, index.example", "index.example:443"])
def test_the_callers_exceptions_go_straight(exception: str) -> None:
    assert upstream_of({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": exception}, "https", INDEX) is None


@pytest.mark.parametrize("url", ["socks5://proxy.example:1080", "http://proxy.example:x", "http://"])
def test_what_cannot_be_chained_through_is_said(url: str) -> None:
    assert isinstance(upstream_of({"HTTPS_PROXY": url}, "https", INDEX), Unusable)


def test_a_proxy_without_a_scheme_is_plain_http() -> None:
    assert upstream_of({"HTTPS_PROXY": "proxy.example:3128"}, "https", INDEX) == Upstream(
        Endpoint("proxy.example", 3128), False, None
    )
