"""The simple API field by field: what two client libraries read from the gateway is what the index said, in JSON and in HTML."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.fakes import pages
from tests.fakes.environments import programs_of
from tests.fakes.index import FakeIndex
from tests.fakes.processes import isolated_environment, run
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

READERS = ["pypi-simple==1.8.0", "mousebender==2025.1"]
WHEELS = {version: (wheel_filename("demo", version), build_wheel("demo", version)) for version in ("1.0", "1.1", "2.0rc1", "2.0")}
SDIST = sdist_filename("demo", "2.0")
METADATA = hashlib.sha256(b"METADATA").hexdigest()
SHA512 = "ab" * 64


def file(version: str, **fields: Any) -> dict[str, Any]:
    name, content = WHEELS[version]
    return {
        "filename": name,
        "url": f"../../files/{name}",
        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        "size": len(content),
        "upload-time": f"2024-05-06T07:08:09.{version.replace('.', '').replace('rc', ''):0<6}Z",
        **fields,
    }


FILES = [
    file("1.0", yanked='broken: <b>"5 > 4" & 3</b>', **{"requires-python": ">=3.8,<4", "core-metadata": {"sha256": METADATA}}),
    file("1.1", yanked=True, **{"core-metadata": True}),
    file("2.0rc1", provenance="https://index.example/integrity/demo/2.0rc1/provenance"),
    file("2.0", hashes={"sha256": hashlib.sha256(WHEELS["2.0"][1]).hexdigest(), "sha512": SHA512}, yanked=False),
    {"filename": SDIST, "url": f"../../files/{SDIST}", "hashes": {"sha512": SHA512}, "size": 7, "requires-python": None},
]
PAGE = {
    "meta": {"api-version": "1.4", "tracks": ["https://index.example/simple/demo/"]},
    "name": "demo",
    "project-status": {"status": "deprecated", "reason": 'use "other" <instead>'},
    "alternate-locations": ["https://mirror.example/simple/demo/", "https://index.example/simple/demo/"],
    "versions": ["0.9", "1.0", "1.1", "2.0rc1", "2.0"],
    "files": FILES,
}


def said(url: str, form: str) -> dict[str, Any]:
    """What a reader must find: what the index said, at the gateway's addresses, as far as the form has a place for it."""
    found: dict[str, Any] = {}
    for one in FILES:
        hashes = one["hashes"]
        found[one["filename"]] = {
            "url": f"{url}/demo/{one['filename']}",
            "hashes": {"sha256": hashes["sha256"]} if form == "html" and "sha256" in hashes else hashes,
            "requires-python": one.get("requires-python"),
            "yanked": one.get("yanked", False),
            # A wheel's is there whether its index has it or not, and has a hash on the page once it is known to be right.
            "metadata": {} if one["filename"].endswith(".whl") else False,
            "provenance": one.get("provenance"),
            "size": one["size"],
            "upload-time": one.get("upload-time"),
        }
    return {
        "api-version": "1.4",
        "status": "deprecated",
        "status-reason": 'use "other" <instead>',
        "tracks": ["https://index.example/simple/demo/"],
        "alternate-locations": ["https://mirror.example/simple/demo/", "https://index.example/simple/demo/"],
        "versions": ["0.9", "1.0", "1.1", "2.0rc1", "2.0"],
        "files": found,
    }


def moments(page: dict[str, Any]) -> dict[str, Any]:
    """The same page with upload times as points in time: there are several ways to write one."""
    for one in page["files"].values():
        if one.get("upload-time"):
            one["upload-time"] = datetime.fromisoformat(one["upload-time"]).timestamp()
    return page


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Serving]:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as serving:
        for name, content in WHEELS.values():
            index.add(name, content, project="demo")
        index.add(SDIST, build_sdist("demo", "2.0"), project="demo")
        index.set_page("demo", json.dumps(PAGE).encode(), pages.JSON)
        yield serving


@pytest.mark.real_index
def test_every_field_that_an_index_says_is_read_from_the_gateway(gateway: Serving, tmp_path: Path, real_index_url: str) -> None:
    python = programs_of("index-readers", READERS, real_index_url) / "python"
    program = Path(__file__).with_name("read_index.py")
    url = f"{gateway.url}/simple"
    done = run([str(python), str(program), url, "demo"], environment=isolated_environment(tmp_path / "home")).succeeded()
    told = json.loads(done.stdout)
    assert set(told) == {"pypi-simple json", "pypi-simple html", "mousebender json", "mousebender html"}
    for reader, page in told.items():
        expected = moments(said(url, reader.rpartition(" ")[2]))
        read = moments(page)
        files = read.pop("files")
        assert {key: expected[key] for key in read} == read, reader
        assert list(files) == list(expected["files"])  # in the index's own order
        for name, fields in files.items():
            assert {key: expected["files"][name][key] for key in fields} == fields, (reader, name)


def test_an_index_that_has_only_html_says_no_less(tmp_path: Path) -> None:
    anchors = "".join(
        f'<a href="../../files/{name}#sha256={hashlib.sha256(content).hexdigest()}" data-requires-python="&gt;=3.8" '
        f'data-yanked="broken" data-core-metadata="sha256={METADATA}" data-provenance="https://index.example/p/{name}">{name}</a>'
        for name, content in WHEELS.values()
    )
    metas = "".join(
        f'<meta name="pypi:{name}" content="{content}">'
        for name, content in (
            ("repository-version", "1.4"),
            ("project-status", "archived"),
            ("project-status-reason", "done"),
            ("tracks", "https://index.example/simple/demo/"),
            ("alternate-locations", "https://mirror.example/simple/demo/"),
        )
    )
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        index.set_page("demo", f"<!DOCTYPE html><html><head>{metas}</head><body>{anchors}</body></html>".encode())
        with httpx2.Client(base_url=gateway.url, trust_env=False) as client:
            page = client.get("/simple/demo/", headers={"Accept": pages.JSON}).json()
    assert page["meta"] == {"api-version": "1.0", "tracks": ["https://index.example/simple/demo/"]}
    assert page["project-status"] == {"status": "archived", "reason": "done"}
    assert page["alternate-locations"] == ["https://mirror.example/simple/demo/"]
    for one in page["files"]:
        assert one["hashes"] == {"sha256": hashlib.sha256(dict(WHEELS.values())[one["filename"]]).hexdigest()}
        assert (one["requires-python"], one["yanked"]) == (">=3.8", "broken")
        assert one["core-metadata"] is one["dist-info-metadata"] is True
        assert one["provenance"] == f"https://index.example/p/{one['filename']}"


JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


@pytest.mark.parametrize(
    ("accept", "query", "status", "content_type"),
    [
        (f"{JSON};q=0.2, {HTML};q=0.9, text/html;q=0.1", "", 200, HTML),
        (f"{JSON}, text/html;q=0.9", "", 200, JSON),
        ("*/*", "", 200, "text/html"),
        ("application/vnd.pypi.simple.latest+json", "", 200, JSON),
        (f"{JSON};q=0, text/*;q=0.3", "", 200, "text/html"),
        ("text/html", f"?format={JSON.replace('+', '%2B')}", 200, JSON),
        ("text/html", f"?format={JSON}", 200, JSON),
        ("text/html", "?format=application/json", 406, "text/plain; charset=utf-8"),
        ("application/vnd.pypi.simple.v2+json", "", 406, "text/plain; charset=utf-8"),
    ],
)
def test_pages_are_negotiated(shared: Serving, accept: str, query: str, status: int, content_type: str) -> None:
    for path in ("/simple/", "/simple/demo/"):
        reply = httpx2.get(f"{shared.url}{path}{query}", headers={"Accept": accept}, trust_env=False)
        assert (reply.status_code, reply.headers["content-type"]) == (status, content_type)
        head = httpx2.head(f"{shared.url}{path}{query}", headers={"Accept": accept}, trust_env=False)
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-length"] == str(len(reply.content))
        if status == 200:
            assert reply.headers["vary"] == "Accept"
            again = {"Accept": accept, "If-None-Match": reply.headers["etag"]}
            same = httpx2.get(f"{shared.url}{path}{query}", headers=again, trust_env=False)
            assert (same.status_code, same.content, same.headers["vary"]) == (304, b"", "Accept")


@pytest.mark.parametrize(
    ("headers", "status", "start", "end"),
    [
        ({}, 200, 0, None),
        ({"Range": "bytes=5-9"}, 206, 5, 10),
        ({"Range": "bytes=-4"}, 206, -4, None),
        ({"Range": "bytes=5-9", "If-Range": "TAG"}, 206, 5, 10),
        ({"Range": "bytes=5-9", "If-Range": '"another"'}, 200, 0, None),
        ({"Range": "bytes=5-9", "If-Range": "Sat, 21 Nov 2026 00:00:00 GMT"}, 200, 0, None),
        ({"Range": "bytes=0-1,5-9"}, 200, 0, None),
        ({"Range": "bytes=1000000-"}, 416, 0, 0),
        ({"If-None-Match": "TAG", "Range": "bytes=5-9"}, 304, 0, 0),
        ({"If-Match": "TAG", "Range": "bytes=5-9"}, 206, 5, 10),
        ({"If-Match": '"another"', "Range": "bytes=5-9"}, 412, 0, 0),
    ],
)
def test_files_have_ranges_and_conditions(
    shared: Serving, headers: dict[str, str], status: int, start: int, end: int | None
) -> None:
    name, content = WHEELS["2.0"]
    url = f"{shared.url}/simple/demo/{name}"
    told = httpx2.head(url, trust_env=False)
    assert told.headers["content-length"] == str(len(content))
    assert told.headers["accept-ranges"] == "bytes"
    assert told.headers["cache-control"] == "no-cache"
    tag = told.headers["etag"]
    reply = httpx2.get(url, headers={key: tag if value == "TAG" else value for key, value in headers.items()}, trust_env=False)
    assert reply.status_code == status
    if status == 416:
        assert reply.headers["content-range"] == f"bytes */{len(content)}"
    elif status != 412:
        assert reply.content == content[start:end]
        assert reply.headers["etag"] == tag


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One gateway for many questions."""
    with FakeIndex() as index, Serving(tmp_path_factory.mktemp("gateway"), "--index", f"main={index.url}") as serving:
        for name, content in WHEELS.values():
            index.add(name, content, project="demo")
        httpx2.get(f"{serving.url}/simple/demo/", trust_env=False).raise_for_status()
        yield serving
