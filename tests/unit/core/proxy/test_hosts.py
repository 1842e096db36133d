"""Where addresses and ``CONNECT`` lead."""

from __future__ import annotations

import pytest

from wheelfs.core.proxy.hosts import Endpoint, endpoint_of_authority, endpoint_of_url, endpoints_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Index.Example:443", Endpoint("index.example", 443)),
        ("[::1]:8443", Endpoint("::1", 8443)),
        ("127.0.0.1:80", Endpoint("127.0.0.1", 80)),
        ("index.example", None),
        ("index.example:0", None),
        ("index.example:65536", None),
        ("a b:1", None),
        ("", None),
    ],
)
def test_the_target_of_a_tunnel(text: str, found: Endpoint | None) -> None:
    assert endpoint_of_authority(text) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://index.example/simple", Endpoint("index.example", 443)),
        ("http://index.example/simple", Endpoint("index.example", 80)),
        ("https://[::1]:8443/x", Endpoint("::1", 8443)),
        ("https://user:word@index.example/", Endpoint("index.example", 443)),
        ("https://index.example:bad/", None),
        ("https://Bücher.example/x", Endpoint("xn--bcher-kva.example", 443)),
        ("https://ü..example/x", None),
        (f"https://{'ü' * 100_000}/x", None),
        ("file:///wheels", None),
        ("https:///x", None),
    ],
)
def test_the_place_of_an_address(url: str, found: Endpoint | None) -> None:
    assert endpoint_of_url(url) == found


def test_places_are_spelled_as_clients_spell_them() -> None:
    assert Endpoint("::1", 443).authority == "[::1]:443"
    assert Endpoint("::1", 443).origin("https") == "https://[::1]"
    assert Endpoint("index.example", 8443).origin("https") == "https://index.example:8443"
    assert endpoints_of(["https://a.example/", "file:///x"]) == {Endpoint("a.example", 443)}


@pytest.mark.parametrize("host", ["a.example", "my_mirror", "xn--bcher-kva.example", "7.a", "127.0.0.1", "[::1]"])
def test_hosts_that_certificates_can_name(host: str) -> None:
    assert len(endpoints_of([f"https://{host}/x"])) == 1


@pytest.mark.parametrize(
    "host",
    [
        *("${HOST}", "...", "…", "ü…", "a..example", ".example", "example.", "-a.example", "a-.example"),
        *("*.example", "a~b", "%7Bhost%7D", "1.2.3.999"),
        *("[fe80::1%eth0]", f"{'a' * 64}.example", ".".join(["a" * 50] * 6)),
    ],
)
def test_hosts_that_certificates_cannot_name(host: str) -> None:
    assert endpoints_of([f"https://{host}/x", "https://b.example/"]) == {Endpoint("b.example", 443)}
