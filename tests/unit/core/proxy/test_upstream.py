"""Which proxy of the caller's a connection is chained through."""

from __future__ import annotations

import pytest

from wheelfs.core.proxy.hosts import Endpoint
from wheelfs.core.proxy.upstream import Unusable, Upstream, check_proxies, upstream_of
from wheelfs.errors import UsageError

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


@pytest.mark.parametrize(
    ("host", "straight"), [("10.1.2.3", True), ("11.1.2.3", False), ("fd00::1", True), ("lab.example", False)]
)
def test_networks_are_exceptions_of_addresses(host: str, straight: bool) -> None:
    environ = {"http_proxy": "http://proxy.example:1", "no_proxy": "localhost, 10.0.0.0/8 ,fd00::/8,x/8"}
    assert (upstream_of(environ, "http", Endpoint(host, 80)) is None) == straight


@pytest.mark.parametrize(
    ("exception", "host", "straight"),
    [
        ("fd00::1", "fd00::1", True),
        ("fd00:0::1", "fd00::1", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]:80", "fd00::1", True),
        ("[fd00::1]:81", "fd00::1", False),
        ("::1", "fd00::1", False),
        ("::/0", "10.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
    ],
)
def test_addresses_are_exceptions_with_and_without_brackets(exception: str, host: str, straight: bool) -> None:
    environ = {"http_proxy": "http://proxy.example:1", "no_proxy": exception}
    assert (upstream_of(environ, "http", Endpoint(host, 80)) is None) == straight


@pytest.mark.parametrize("url", ["socks5://proxy.example:1080", "http://proxy.example:x", "http://"])
def test_what_cannot_be_chained_through_is_said(url: str) -> None:
    assert isinstance(upstream_of({"HTTPS_PROXY": url}, "https", INDEX), Unusable)


def test_a_proxy_without_a_scheme_is_plain_http() -> None:
    assert upstream_of({"HTTPS_PROXY": "proxy.example:3128"}, "https", INDEX) == Upstream(
        Endpoint("proxy.example", 3128), False, None
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"ALL_PROXY": "socks5://ada:word@h:1"},
            "use the proxy that ALL_PROXY names: proxies of the kind socks5:// cannot be used",
        ),
        ({"https_proxy": "socks5h://h:1", "HTTPS_PROXY": "http://h:1"}, "https_proxy names: proxies of the kind socks5h://"),
        ({"HTTP_PROXY": "ftp://h:1"}, "HTTP_PROXY names: proxies of the kind ftp://"),
        ({"HTTPS_PROXY": "http://[word"}, "HTTPS_PROXY names: its address is invalid"),
        ({"HTTPS_PROXY": "http://h:wordy"}, "HTTPS_PROXY names: its address is invalid"),
        ({"HTTPS_PROXY": "http://word h"}, "HTTPS_PROXY names: its address is invalid"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_usage_error_that_names_the_variable(environ: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_proxies(environ)
    assert said in str(caught.value)
    assert "http://HOST:PORT" in caught.value.advice
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTPS_PROXY": "proxy.example:3128", "HTTP_PROXY": "http://ada:p%40ss@[::1]:1", "ALL_PROXY": "https://proxy.example"},
        {"HTTPS_PROXY": "socks5://h:1", "https_proxy": ""},
        {"ALL_PROXY": "socks5://h:1", "NO_PROXY": "*"},
    ],
)
def test_proxies_that_can_be_used_and_those_that_nobody_asks_are_no_error(environ: dict[str, str]) -> None:
    check_proxies(environ)
