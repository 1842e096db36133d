"""What a project page may say, in HTML and in JSON, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wheelfs.core.simple.api import MAX_BODY_BYTES, parse_page
from wheelfs.core.simple.links import MAX_FILES
from wheelfs.errors import OriginFault
from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.model.names import ProjectName

URL = "https://index.example/simple/demo/"
DEMO = ProjectName("demo")
DIGEST = "ab" * 32
WHEEL = "demo-1.0-py3-none-any.whl"
JSON = "application/vnd.pypi.simple.v1+json"


def html(links: str, head: str = "", *, content_type: str | None = "text/html") -> ProjectPage:
    body = f"<!DOCTYPE html><html><head>{head}<title>Links for demo</title></head><body>{links}</body></html>"
    return parse_page(body.encode(), content_type, URL, DEMO)


def one(links: str, head: str = "") -> FileLink:
    (link,) = html(links, head).files
    return link


def js(*files: Any, content_type: str | None = JSON, meta: Any = None, also: dict[str, Any] | None = None) -> ProjectPage:
    whole = {"meta": meta or {"api-version": "1.1"}, "name": "demo", "files": list(files), **(also or {})}
    return parse_page(json.dumps(whole).encode(), content_type, URL, DEMO)


def entry(**more: Any) -> dict[str, Any]:
    return {"filename": WHEEL, "url": WHEEL, "hashes": {"sha256": DIGEST}, **more}


# --- HTML ---------------------------------------------------------------------------------------------------------------


def test_every_attribute_of_an_anchor_is_read_with_entities_resolved() -> None:
    link = one(
        f'<a href="../../files/{WHEEL}#sha256={DIGEST}" data-requires-python="&gt;=3.8,&lt;4" data-yanked="a &amp; b"'
        f' data-core-metadata="sha256={"cd" * 32}" data-upload-time="2024-05-06T07:08:09.5Z" data-size="123"'
        f' data-provenance="/provenance/1">{WHEEL}</a>'
    )
    assert link == FileLink(
        filename=WHEEL,
        url=f"https://index.example/files/{WHEEL}",
        sha256=bytes.fromhex(DIGEST),
        size_bytes=123,
        requires_python=">=3.8,<4",
        yanked="a & b",
        has_metadata=True,
        metadata_sha256=bytes.fromhex("cd" * 32),
        upload_time_us=1_714_979_289_500_000,
        provenance="https://index.example/provenance/1",
    )


def test_base_moves_relative_links_and_only_the_first_one_counts() -> None:
    head = '<base href="https://files.example/a/"><base href="https://other.example/">'
    assert one(f'<a href="b/{WHEEL}">{WHEEL}</a>', head).url == f"https://files.example/a/b/{WHEEL}"


def test_base_that_is_no_web_address_is_ignored() -> None:
    assert one(f'<a href="{WHEEL}">x</a>', '<base href="file:///etc/">').url == URL + WHEEL


@pytest.mark.parametrize(
    ("attribute", "has", "digest"),
    [
        ('data-core-metadata="true"', True, None),
        ('data-dist-info-metadata="true"', True, None),
        (f'data-dist-info-metadata="sha256={DIGEST}"', True, bytes.fromhex(DIGEST)),
        ('data-core-metadata="false" data-dist-info-metadata="true"', False, None),
        ('data-core-metadata="md5=00"', True, None),
        ("", False, None),
    ],
)
def test_core_metadata_is_believed_under_both_names_the_newer_first(attribute: str, has: bool, digest: bytes | None) -> None:
    link = one(f'<a href="{WHEEL}" {attribute}>{WHEEL}</a>')
    assert (link.has_metadata, link.metadata_sha256) == (has, digest)


def test_yanked_without_a_reason_is_an_empty_reason_and_not_yanked_is_none() -> None:
    assert one(f'<a href="{WHEEL}" data-yanked>{WHEEL}</a>').yanked == ""
    assert one(f'<a href="{WHEEL}">{WHEEL}</a>').yanked is None


def test_other_hashes_are_kept_and_unknown_fragments_are_not() -> None:
    assert one(f'<a href="{WHEEL}#md5={"0F" * 16}">{WHEEL}</a>').other_hashes == {"md5": "0f" * 16}
    link = one(f'<a href="{WHEEL}#egg=demo&sha256={DIGEST}">{WHEEL}</a>')
    assert (link.url, link.sha256, link.other_hashes) == (URL + WHEEL, bytes.fromhex(DIGEST), None)


def test_filename_comes_from_the_text_else_from_the_percent_decoded_address() -> None:
    local = "demo-1.0+local-py3-none-any.whl"
    assert one(f'<a href="/f/{local.replace("+", "%2B")}">Download</a>').filename == local
    assert one(f'<a href="/get?id=7"> {local} </a>').filename == local
    assert one(f'<a href="/f/{WHEEL}?token=1">demo-1.0-py3-n..&gt;</a>').filename == WHEEL


def test_meta_tags_tell_version_status_and_tracks() -> None:
    page = html(
        "",
        '<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="archived">'
        '<meta name="pypi:project-status-reason" content="done"><meta name="pypi:tracks" content="https://other.example/simple/demo/">'
        '<meta name="pypi:alternate-locations" content="../demo2/">',
    )
    assert (page.api_version, page.status, page.status_reason) == ("1.4", "archived", "done")
    assert page.tracks == ("https://other.example/simple/demo/",)
    assert page.alternate_locations == ("https://index.example/simple/demo2/",)


@pytest.mark.parametrize(
    "kind", ["text/html; charset=utf-8", "TEXT/HTML", "application/vnd.pypi.simple.v1+html", None, "text/plain"]
)
def test_html_is_recognized_by_type_or_by_its_first_character(kind: str | None) -> None:
    assert html(f'<a href="{WHEEL}">{WHEEL}</a>', content_type=kind).files[0].filename == WHEEL


def test_a_declared_charset_is_honoured() -> None:
    body = f'<a href="{WHEEL}" data-yanked="zur\xfcck">{WHEEL}</a>'.encode("latin-1")
    assert parse_page(body, "text/html; charset=ISO-8859-1", URL, DEMO).files[0].yanked == "zurück"


# --- JSON ---------------------------------------------------------------------------------------------------------------


def test_every_key_of_a_json_file_is_read() -> None:
    page = js(
        entry(
            **{
                "requires-python": ">=3.8",
                "yanked": "bad",
                "size": 5,
                "upload-time": "2024-05-06T07:08:09Z",
                "core-metadata": {"sha256": "cd" * 32},
                "provenance": "https://index.example/p",
            }
        ),
        also={
            "project-status": {"status": "quarantined", "reason": "why"},
            "alternate-locations": ["https://b.example/simple/demo/"],
        },
        meta={"api-version": "1.4", "tracks": ["https://c.example/simple/demo/"]},
    )
    (link,) = page.files
    assert link.url == URL + WHEEL
    assert (link.sha256, link.size_bytes, link.requires_python) == (bytes.fromhex(DIGEST), 5, ">=3.8")
    assert (link.yanked, link.upload_time_us, link.metadata_sha256) == ("bad", 1_714_979_289_000_000, bytes.fromhex("cd" * 32))
    assert link.provenance == "https://index.example/p"
    assert (page.api_version, page.status, page.status_reason) == ("1.4", "quarantined", "why")
    assert page.tracks == ("https://c.example/simple/demo/",)
    assert page.alternate_locations == ("https://b.example/simple/demo/",)


@pytest.mark.parametrize(
    ("told", "understood"), [(False, None), (True, ""), ("", None), ("why", "why"), (None, None), (7, ""), (0, None), ([], None)]
)
def test_yanked_in_json_is_whatever_counts_as_true(told: object, understood: str | None) -> None:
    assert js(entry(yanked=told)).files[0].yanked == understood


@pytest.mark.parametrize("kind", [f"{JSON}; charset=utf-8", "application/json", "application/vnd.pypi.simple.latest+json", None])
def test_json_is_recognized_by_type_or_by_its_first_character(kind: str | None) -> None:
    assert js(entry(), content_type=kind).files[0].filename == WHEEL


def test_an_entry_of_the_wrong_shape_costs_only_itself() -> None:
    page = js({"filename": 7, "url": WHEEL}, "text", entry(), {})
    assert ([link.filename for link in page.files], page.refused) == ([WHEEL], 3)


@pytest.mark.parametrize("size", [-1, 1 << 60, True, "5 MB", 1.5, None])
def test_a_size_that_cannot_be_is_taken_as_not_told(size: object) -> None:
    assert js(entry(size=size)).files[0].size_bytes is None


@pytest.mark.parametrize(
    "when", ["yesterday", "", 5, "1960-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9" * 100]
)
def test_an_upload_time_that_makes_no_sense_is_taken_as_not_told(when: object) -> None:
    assert js(entry(**{"upload-time": when})).files[0].upload_time_us is None


# --- hostile links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd/demo-1.0.tar.gz",
        "javascript:alert(1)//demo-1.0.tar.gz",
        "data:,/demo-1.0.tar.gz",
        "ftp://index.example/demo-1.0.tar.gz",
        "https:///demo-1.0.tar.gz",
        "https://index.example\\@evil.example/demo-1.0.tar.gz",
        "https://a b/demo-1.0.tar.gz",
        "https://[::1/demo-1.0.tar.gz",
        "https://index.example:99999/demo-1.0.tar.gz",
        "https://index.example/%2e%2e%2fdemo-1.0.tar.gz",
        "/f/..%2f..%2fdemo-1.0.tar.gz",
        "/f/demo-1.0%00.tar.gz",
        "/f/demo-1.0%0a.tar.gz",
        "/f/demo-1.0%ff.tar.gz",
        f"/f/demo-1.0{'0' * 300}.tar.gz",
        f"/{'x' * 9000}/demo-1.0.tar.gz",
        "..",
        "",
        "?C=N;O=D",
        "#sha256=00",
        "/f/demo-1.0.tar.gz.metadata",
        "/f/index.html",
    ],
)
def test_an_unsafe_link_is_left_out_and_counted(href: str) -> None:
    page = html(f'<a href="{href}">x</a><a href="/f/demo-2.0.tar.gz">demo-2.0.tar.gz</a>')
    assert ([link.filename for link in page.files], page.refused) == (["demo-2.0.tar.gz"], 1)


def test_a_hostile_text_is_never_a_filename() -> None:
    assert one(f'<a href="{WHEEL}">../../{WHEEL}</a>').filename == WHEEL


@pytest.mark.parametrize(
    "foreign",
    [
        "other-1.0-py3-none-any.whl",
        "demo_extra-1.0-py3-none-any.whl",
        "demoextra-1.0.tar.gz",
        "demo-extra-1.0.tar.gz",
        "demo.tar.gz",
    ],
)
def test_files_of_other_projects_are_left_out_and_counted(foreign: str) -> None:
    page = html(f'<a href="{foreign}">{foreign}</a>')
    assert (page.files, page.refused) == ((), 1)


@pytest.mark.parametrize(
    "own", ["Demo-1.0-py3-none-any.whl", "demo-v1.0.tar.gz", "DEMO_1.0.zip", "demo-1.0-py2.7.egg", "demo-1.0.win32.exe"]
)
def test_own_files_are_known_by_their_normalized_name(own: str) -> None:
    assert one(f'<a href="{own}">{own}</a>').filename == own


def test_a_name_that_comes_twice_is_taken_once_and_the_other_address_is_kept() -> None:
    page = html(f'<a href="/a/{WHEEL}">{WHEEL}</a><a href="/b/{WHEEL}">{WHEEL}</a><a href="/a/{WHEEL}">{WHEEL}</a>')
    (link,) = page.files
    assert (link.url, link.alternatives) == (f"https://index.example/a/{WHEEL}", (f"https://index.example/b/{WHEEL}",))
    assert page.left_out == {"whose name another link of the page has": 1}


def test_a_link_of_the_same_name_and_another_hash_is_no_alternative() -> None:
    page = html(f'<a href="/a/{WHEEL}#sha256={DIGEST}">x</a><a href="/b/{WHEEL}#sha256={"cd" * 32}">x</a>')
    assert (page.files[0].alternatives, page.refused) == ((), 1)


def test_userinfo_and_upper_case_hosts_are_cleaned_from_addresses() -> None:
    assert one(f'<a href="https://user:secret@FILES.example/{WHEEL}">x</a>').url == f"https://files.example/{WHEEL}"


def test_a_file_index_may_name_files() -> None:
    body = f'<a href="{WHEEL}">{WHEEL}</a>'.encode()
    page = parse_page(body, "text/html", "file:///srv/simple/demo/index.html", DEMO)
    assert page.files[0].url == f"file:///srv/simple/demo/{WHEEL}"


def test_control_characters_do_not_survive_in_texts() -> None:
    assert js(entry(yanked="a\nb\x1b[31m\u2028c")).files[0].yanked == "a b [31m c"


# --- what is no simple page ---------------------------------------------------------------------------------------------

LOGIN = (
    '<html><head><title>Sign in</title></head><body><form><input type="password"></form><a href="/help">help</a></body></html>'
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (LOGIN, "text/html"),
        (LOGIN.replace("Sign in", "Links for you"), "text/html"),
        ("<html><body>Not found</body></html>", "text/html"),
        ("<html><body><a href='/'>home</a></body></html>", "text/html"),
        ("", "text/html"),
        ("\x00\x01\x02", "application/octet-stream"),
        ("plain words", None),
        ("[1]", "application/json"),
        ("{}", JSON),
        ('{"meta": {}, "files": []}', JSON),
        ('{"meta": {"api-version": "1.0"}}', JSON),
        ('{"meta": {"api-version": "1.0"}, "files": {}}', JSON),
        ("{" * 100_000, JSON),
        ("[" * 100_000, JSON),
        (json.dumps({"meta": {"api-version": "2.0"}, "files": []}), JSON),
        (json.dumps({"meta": {"api-version": "v2"}, "files": []}), JSON),
        ("{}", "application/vnd.pypi.simple.v2+json"),
        ('<meta name="pypi:repository-version" content="2.0">', "text/html"),
        ('<meta name="pypi:repository-version" content=" 2">', "text/html"),
        ('<meta name="pypi:repository-version" content="10.0-beta">', "text/html"),
    ],
)
def test_what_is_no_simple_page_of_version_1_is_the_origins_fault(body: str, content_type: str | None) -> None:
    with pytest.raises(OriginFault):
        parse_page(body.encode(), content_type, URL, DEMO)


@pytest.mark.parametrize("version", ["latest", "", "1", "1.x", "v1.0", "one", "1" * 5_000, "1." + "4" * 5_000, "١.٠"])
def test_a_version_that_makes_no_sense_is_put_up_with(version: str) -> None:
    in_html = html(f'<meta name="pypi:repository-version" content="{version}"><a href="{WHEEL}">{WHEEL}</a>')
    in_json = parse_page(json.dumps({"meta": {"api-version": version}, "files": [entry()]}).encode(), JSON, URL, DEMO)
    for page in (in_html, in_json):
        assert (page.files[0].filename, page.api_version) == (WHEEL, "1.0")


@pytest.mark.parametrize(
    "body",
    [
        "<html><head><title>Links for demo</title></head><body></body></html>",
        "<h1>Index of /simple/demo</h1><a href='../'>../</a>",
        "<h1>Demo</h1>",
        "<!DOCTYPE html><html><body></body></html>",
        '<meta name="pypi:repository-version" content="1.0"><p>nothing here</p>',
    ],
)
def test_a_page_without_files_is_valid_when_it_says_that_it_is_one(body: str) -> None:
    assert parse_page(body.encode(), "text/html", URL, DEMO).files == ()


def test_a_body_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(OriginFault, match="64 MiB"):
        parse_page(bytes(MAX_BODY_BYTES + 1), "text/html", URL, DEMO)


@pytest.mark.parametrize("content_type", ["text/html", JSON])
def test_more_links_than_the_limit_are_refused(content_type: str) -> None:
    many = MAX_FILES + 1
    body = (
        b"<a href=1>" * many
        if content_type == "text/html"
        else b'{"meta":{"api-version":"1.0"},"files":[' + b'{"url":"1","filename":"1"},' * many + b"0]}"
    )
    with pytest.raises(OriginFault, match="more than"):
        parse_page(body, content_type, URL, DEMO)


def test_errors_name_the_project() -> None:
    with pytest.raises(OriginFault, match="demo"):
        parse_page(b"", None, URL, DEMO)
