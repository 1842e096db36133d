"""Whatever strangers write: parsing never fails but with `OriginFault`, and what is rendered is read back as it was."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wheelfs.core.simple import json_render
from wheelfs.core.simple.api import parse_page
from wheelfs.core.simple.html_render import RenderedFile, render_project_page
from wheelfs.core.simple.links import Links, plain_text
from wheelfs.errors import InvalidInput, OriginFault
from wheelfs.model.links import PASSED_ON, FileLink
from wheelfs.model.names import ProjectName, check_filename

URL = "https://index.example/simple/demo/"
DEMO = ProjectName("demo")

hostile = st.text(st.one_of(st.sampled_from("<>\"'&#;-! \t\n\0=%/\\?+"), st.characters()), max_size=30)
told = hostile.map(plain_text)
digests = st.none() | st.binary(min_size=32, max_size=32)


def is_safe(name: str) -> bool:
    with suppress(InvalidInput):
        is_one = name.count("-") <= 6 or not name.endswith(".whl")
        return is_one and check_filename(name) == name == name.strip() and plain_text(name) == name
    return False


ends = st.sampled_from(["-py3-none-any.whl", ".tar.gz"])
names = st.builds(lambda inner, end: f"demo-1{inner}{end}", hostile, ends).filter(is_safe)
addresses = st.sampled_from(["https://index.example/p/1", "https://other.example/?a=b&c=%22"])
links = st.builds(
    FileLink,
    names,
    st.just(""),
    sha256=digests,
    size_bytes=st.none() | st.integers(1, 1 << 40),
    requires_python=st.none() | told.filter(bool),
    yanked=st.none() | told,
    upload_time_us=st.none() | st.integers(0, 200_000_000_000_000_000),
    **{one.field: st.none() | (addresses if one.is_address else told.filter(bool)) for one in PASSED_ON},
)
files = st.builds(
    lambda link, metadata, digest: replace(link, has_metadata=metadata, metadata_sha256=digest if metadata else None),
    links,
    st.booleans(),
    digests,
)


@given(
    st.lists(files, unique_by=lambda link: link.filename, max_size=5),
    st.none() | told.filter(bool),
    st.lists(hostile, max_size=3),
)
def test_a_rendered_page_is_read_back_as_the_same_links(written: list[FileLink], status: str | None, comments: list[str]) -> None:
    body = render_project_page(
        "demo",
        [RenderedFile.of(link, metadata=link.has_metadata) for link in written],
        status=status,
        comments=comments,
    )
    page = parse_page(body, "text/html", URL, DEMO)
    assert [replace(link, url="") for link in page.files] == written
    assert (page.status, page.refused) == (status, 0)


@given(st.lists(files, unique_by=lambda link: link.filename, max_size=5), st.none() | told.filter(bool))
def test_a_page_rendered_as_json_is_read_back_as_the_same_links(written: list[FileLink], status: str | None) -> None:
    body = json_render.render_project_page(
        "demo", [RenderedFile.of(link, metadata=link.has_metadata) for link in written], status=status
    )
    page = parse_page(body, "application/vnd.pypi.simple.v1+json", URL, DEMO)
    assert [replace(link, url="") for link in page.files] == written
    assert (page.status, page.refused) == (status, 0)
    assert page.api_version == ("1.0" if any(link.size_bytes is None for link in written) else "1.4")


@given(
    st.binary(max_size=200) | hostile.map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["text/html", "application/json", None]),
)
def test_no_body_fails_but_by_the_origins_fault(body: bytes, content_type: str | None) -> None:
    with suppress(OriginFault):
        parse_page(body, content_type, URL, DEMO)


@given(hostile, hostile)
def test_every_accepted_name_is_safe_and_every_accepted_address_is_of_the_web(href: str, text: str) -> None:
    files = [
        {"url": href + "demo-1.tar.gz", "filename": text},
        {"url": href, "filename": text + ".whl"},
        {"url": "demo-1.whl" + href, "filename": ""},
    ]
    from msgspec import json

    body = json.encode(
        {
            "meta": {"api-version": "1.0"},
            "files": [{k: v.encode("utf-8", "replace").decode() for k, v in f.items()} for f in files],
        }
    )
    for link in parse_page(body, None, URL, DEMO).files:
        assert check_filename(link.filename)
        assert link.url.startswith(("https://", "http://"))
        assert link.url.isascii()
        assert not set(link.url) & set(" \t\r\n\\#")


@given(
    base=st.sampled_from(["https://h.example/a/b/", "https://h.example/a/b", "https://h.example", "http://h.example:1/x/?q=1"]),
    hrefs=st.lists(st.text("ab/.:?#%+-_=&;@", max_size=20) | st.sampled_from(["/a", "a", "../a", "b/a", "/b/a#a=b"]), max_size=4),
)
def test_relative_addresses_mean_what_the_standard_library_says(base: str, hrefs: list[str]) -> None:
    links = Links(base, ProjectName("demo"))
    for href in hrefs * 2:
        assert links._joined(href) == urljoin(base, href)


_ADDRESS_PIECES = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "file://",
            "HTTP://",
            "//",
            "/",
            "../",
            "./",
            "a",
            "a/",
            "b.index.example",
            "B:80",
            ":0",
            ":99999",
            "u:p@",
        ),
        *(
            "[::1]",
            "[",
            "]",
            "?q=1",
            "#",
            "#sha256=ab",
            "%20",
            " ",
            "\\",
            "{",
            "^",
            "é",
            "\0",
            "demo-1.whl",
            "demo-1.tar.gz",
            "a" * 9_000,
        ),
    ]
)


@given(
    base=st.sampled_from(["https://h.example/a/b/", "http://h.example", "file:///a/b/"]),
    hrefs=st.lists(st.lists(_ADDRESS_PIECES, max_size=7).map("".join), max_size=4),
)
def test_plain_addresses_are_read_as_all_others_are(base: str, hrefs: list[str]) -> None:
    links = Links(base, ProjectName("demo"))
    for href in hrefs * 2:
        assert links._address(href) == Links(base, ProjectName("demo"))._any_address(href)
