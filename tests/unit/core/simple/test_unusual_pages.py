"""Pages that are right but unusual, and fields that make no sense: what pip and uv make of them straight."""

from __future__ import annotations

import json

import pytest

from tests.unit.core.simple.test_api import DEMO, DIGEST, JSON, URL, WHEEL, entry, html, js, one
from wheelfs.core.simple.api import parse_page
from wheelfs.errors import OriginFault


@pytest.mark.parametrize(
    ("href", "text", "filename"),
    [
        ("/f/demo-2.0-py3-none-any.whl", "demo-3.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"),
        ("/f/demo-1.0%2Bcpu-py3-none-any.whl", "demo-1.0%2Bcpu-py3-none-any.whl", "demo-1.0+cpu-py3-none-any.whl"),
        ("/f/demo-2.0-py3-none-any.whl", "demo-2%2E0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"),
        ("/f/x/\n\tdemo-2.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"),
        ("/f?id=9", "demo-2%2E0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"),
        ("/f/other-2.0.tar.gz", "demo-2.0.tar.gz", "demo-2.0.tar.gz"),
        ("/f/0123456789", "demo-2.0.tar.gz", "demo-2.0.tar.gz"),
        ("/f/demo-2.0.tar.gz?x=/demo-3.0.tar.gz", "", "demo-2.0.tar.gz"),
    ],
)
def test_the_address_names_the_file_and_the_text_only_where_it_does_not(href: str, text: str, filename: str) -> None:
    assert one(f'<a href="{href}">{text}</a>').filename == filename
    assert js(entry(url=href, filename=text)).files[0].filename == filename


def test_json_without_a_filename_is_read_by_its_address() -> None:
    assert js({"url": f"/f/{WHEEL}", "hashes": {}}).files[0].filename == WHEEL
    assert js({"url": f"/f/{WHEEL}", "hashes": {}, "filename": 7}).files[0].filename == WHEEL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("core-metadata", {"sha256": "abc"}),
        ("core-metadata", {"sha256": 7}),
        ("core-metadata", {"sha256": "ü" * 64}),
        ("core-metadata", 7),
        ("requires-python", ["x"]),
        ("requires-python", ">=" + "3" * 2_000),
        ("upload-time", "yesterday"),
        ("upload-time", 7),
        ("size", "7 kB"),
        ("size", -1),
        ("size", 1.5),
        ("provenance", ["x"]),
        ("provenance", "javascript:alert(1)"),
    ],
)
def test_an_optional_field_that_makes_no_sense_is_dropped_and_the_file_stays(field: str, value: object) -> None:
    (link,) = js(entry(**{field: value})).files
    assert link == js(entry()).files[0]


def test_a_metadata_digest_in_html_that_is_none_is_no_promise() -> None:
    link = one(f'<a href="{WHEEL}#sha256={DIGEST}" data-core-metadata="sha256=abc" data-size="x">x</a>')
    assert (link.filename, link.has_metadata, link.metadata_sha256, link.size_bytes) == (WHEEL, False, None, None)


def test_the_hash_of_the_file_itself_is_that_of_no_metadata() -> None:
    in_html = one(f'<a href="{WHEEL}#sha256={DIGEST}" data-core-metadata="sha256={DIGEST}">x</a>')
    (in_json,) = js(entry(**{"core-metadata": {"sha256": DIGEST}})).files
    for link in (in_html, in_json):
        assert (link.has_metadata, link.metadata_sha256) == (True, None)


def test_links_that_are_left_out_are_explained() -> None:
    page = html(f'<a href="{WHEEL}">x</a><a href="../">up</a><a href="other-1.0.tar.gz">x</a><a href="">x</a>')
    assert page.explain_left_out() == (
        "3 links left out: 1 without an address that can be used, 1 that are no distribution files, 1 of other projects"
    )
    assert html(f'<a href="{WHEEL}">x</a>').explain_left_out() is None


@pytest.mark.parametrize("name", ["demo-1.0.whl", "demo-1.0-any.whl", "demo-1.0-py3-none-any-a-b-c.whl"])
def test_a_wheel_whose_name_is_no_wheels_is_left_out_and_told(name: str) -> None:
    for page in (html(f'<a href="{name}">{name}</a><a href="{WHEEL}">x</a>'), js(entry(url=name, filename=name), entry())):
        assert [link.filename for link in page.files] == [WHEEL]
        assert page.explain_left_out() == "1 link left out: 1 that are no distribution files"


def test_variant_wheels_and_the_file_about_them_are_files_of_their_project() -> None:
    names = ["demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any-cu130.whl", "demo-1.0-variants.json"]
    assert [link.filename for link in html("".join(f'<a href="{name}">{name}</a>' for name in names)).files] == names
    assert [link.filename for link in js(*(entry(url=name, filename=name) for name in names)).files] == names


@pytest.mark.parametrize(
    ("charset", "head", "encoding"),
    [
        ("; charset=iso-8859-1", "", "iso-8859-1"),
        ("; charset='ISO-8859-1'", "", "iso-8859-1"),
        ("", '<meta charset="iso-8859-1">', "iso-8859-1"),
        ("", '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">', "windows-1252"),
        ("; charset=utf-16", "", "utf-16"),
        ("; charset=iso-8859-1", "", "utf-8-sig"),
        ("", '<meta charset="utf-16">', "utf-8"),
        ("; charset=iso-8859-99", "", "utf-8"),
        ("; charset=klingon", "", "utf-8"),
        ("; charset=punycode", "", "utf-8"),
    ],
)
def test_a_page_is_read_in_the_charset_of_its_mark_its_header_or_its_meta_tag(charset: str, head: str, encoding: str) -> None:
    text = f'<html><head>{head}</head><body><a href="{WHEEL}" data-yanked="für">{WHEEL}</a></body></html>'
    assert parse_page(text.encode(encoding), f"text/html{charset}", URL, DEMO).files[0].yanked == "für"


def test_json_may_come_in_utf_16() -> None:
    body = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [entry()]}).encode("utf-16")
    assert parse_page(body, JSON, URL, DEMO).files[0].filename == WHEEL


def test_numbers_without_end_are_no_versions_and_no_foreign_errors() -> None:
    assert js(entry(), also={"versions": ["1.0", "9" * 5_000, "2.0"]}).fileless_versions == ("2.0",)
    with pytest.raises(OriginFault, match="no valid JSON"):
        parse_page(b'{"meta":{"api-version":"1.0"},"files":[],"x":' + b"9" * 5_000 + b"}", JSON, URL, DEMO)


def test_a_page_of_more_values_than_any_real_one_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(OriginFault, match="values"):
        parse_page(b'{"meta":{"api-version":"1.0"},"files":[' + b"[]," * 3_000_000 + b"0]}", JSON, URL, DEMO)


def test_json_as_only_python_writes_it_is_read() -> None:
    odd = {"yanked": "bad \ud800 text", "score": float("nan"), "\udfff": "\ud800", "requires-python": ">=3\udc80"}
    broken = [entry(filename=f"demo-{sign}.tar.gz", url=f"/f/{sign}") for sign in ("1\ud800", "2\ud800.0")]
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": [entry(**odd), *broken]})
    page = parse_page(body.encode(), JSON, URL, DEMO)
    assert [(one.filename, one.yanked, one.requires_python) for one in page.files] == [(WHEEL, "bad   text", ">=3")]
    assert page.refused == 2
