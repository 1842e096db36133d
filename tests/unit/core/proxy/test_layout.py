"""URLs below a gateway's own: told back from where they are put."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from wheelfs.core.proxy.layout import place_of, url_of, way_from_page

INDEXES = ["https://index.example/simple", "http://lab.example:8080/root/simple", "http://plain.example/simple"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://files.example/a/x-1.0.tar.gz", "files.example/a/x-1.0.tar.gz"),
        ("https://FILES.example:443/a%20b/x.whl?sig=1#sha256=0", "files.example/a%20b/x.whl?sig=1"),
        ("http://plain.example/x.whl", "plain.example:80/x.whl"),
        ("http://lab.example:8080/x.whl", "lab.example:8080/x.whl"),
        ("https://files.example:8443/x.whl", "files.example:8443/x.whl"),
        ("https://[2001:db8::1]/x.whl", "[2001:db8::1]/x.whl"),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443/"),
    ],
)
def test_a_place_means_the_url_that_was_put_there(url: str, place: str) -> None:
    assert place_of(url) == place
    told = url_of(place, INDEXES)
    assert told is not None
    assert place_of(told) == place
    assert told.partition("://")[0] == url.partition("://")[0]


def test_a_port_may_be_spelled_as_pip_spells_it() -> None:
    assert url_of("files.example%3A8443/x.whl", INDEXES) == "https://files.example:8443/x.whl"


@pytest.mark.parametrize("url", ["file:///mnt/x.whl", "ftp://files.example/x.whl", "x.whl", "https:///x", "https://a:b/x"])
def test_other_urls_have_no_place(url: str) -> None:
    assert place_of(url) is None
    assert way_from_page(INDEXES[0], url) is None


@pytest.mark.parametrize("place", ["", "/x", "no host/x", "user@host/x", "user%40host/x", "host:0/x", "host:99999/x", "a\nb/x"])
def test_what_is_no_place_means_nothing(place: str) -> None:
    assert url_of(place, INDEXES) is None


@pytest.mark.parametrize("index", [*INDEXES, "https://index.example"])
def test_a_page_leads_to_files_wherever_the_gateway_is(index: str) -> None:
    url = "https://files.example/a/x.whl"
    way = way_from_page(index, url)
    assert way is not None
    page = f"http://gateway.example/wheels/proxy/{place_of(index).removesuffix('/')}/demo/"  # type: ignore[union-attr]
    assert urljoin(page, way) == "http://gateway.example/wheels/proxy/files.example/a/x.whl"
