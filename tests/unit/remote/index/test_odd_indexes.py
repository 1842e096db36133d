"""Indexes with habits of their own: compression, signatures that expire, local versions, links to anywhere."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Literal

import pytest

from tests.fakes import faults, pages
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer
from tests.unit.remote.index.asking import CONTENT, DEMO, WHEEL, brought, client_of
from wheelfs.core.http.ranges import Suffix, Whole
from wheelfs.errors import OriginDenied, OriginFault
from wheelfs.model.names import ProjectName
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageFound

if TYPE_CHECKING:
    from tests.fakes.server import Request

# --- compression --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_page_is_read(coding: Literal["gzip", "deflate"]) -> None:
    with FakeIndex(gzip="always", coding=coding) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            assert [link.filename for link in found.page.files] == [WHEEL]
        assert index.requests[0].headers["accept-encoding"] == "gzip, deflate"


async def test_a_coding_that_nobody_asked_for_is_told_of_as_such_for_pages_and_files() -> None:
    with FakeIndex(gzip="always", coding="br") as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="compressed in a way that cannot be undone"):
                await client.project_page(DEMO)
            with pytest.raises(OriginFault, match="compressed in a way that cannot be undone"):
                await brought(client, index.file_url(WHEEL), Whole())


class Bomb(FakeIndex):
    """Answers with little that becomes very much."""

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        answer.headers["Content-Encoding"] = self.coding
        zeros = bytes(1 << 27)
        answer.body = gzip.compress(zeros, 1) if self.coding == "gzip" else zlib.compress(zeros, 1)
        return answer


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_becomes_too_much_is_refused_before_it_is_all_there(
    coding: Literal["gzip", "deflate"],
) -> None:
    with Bomb(coding=coding) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, limits=HttpLimits(page_bytes=1 << 20)) as client:
            with pytest.raises(OriginFault, match="more than 1 MiB"):
                await client.project_page(DEMO)


# --- signatures ---------------------------------------------------------------------------------------------------------


async def test_a_redirect_to_a_signed_address_is_followed_anew_for_each_request() -> None:
    with FakeIndex(signatures="redirects") as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            for _ in range(3):
                assert (await brought(client, index.file_url(WHEEL), Suffix(9)))[1] == CONTENT[-9:]
                index.expire()


class Forgetful(FakeIndex):
    """A cache in front of the index keeps its redirects, unless it is asked not to."""

    kept: dict[str, Answer]

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        self.kept = getattr(self, "kept", {})
        if request.headers.get("cache-control") != "no-cache" and request.path in self.kept:
            return self.kept[request.path]
        answer = super().answer(request, action)
        if answer.status == 302:
            self.kept[request.path] = answer
        return answer


async def test_a_redirect_that_was_kept_too_long_is_asked_for_past_caches_and_only_once() -> None:
    with Forgetful(signatures="redirects") as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            await brought(client, index.file_url(WHEEL), Whole())
            index.expire()
            assert (await brought(client, index.file_url(WHEEL), Whole()))[1] == CONTENT
            index.faults.append(Fault("?", faults.Status(403), times=None))
            index.reset_counters()
            with pytest.raises(OriginDenied):
                await brought(client, index.file_url(WHEEL), Whole())
            assert len(index.requests) == 4, "there, and where it leads, twice"


# --- pages --------------------------------------------------------------------------------------------------------------

TORCH = ProjectName("torch")
BUILD = "torch-2.3.0+cpu-cp311-cp311-linux_x86_64.whl"
LEGACY = b"""<html><head><base href="https://files.index.example/elsewhere/"></head><body>
<a href="torch-2.3.0%%2Bcpu-cp311-cp311-linux_x86_64.whl">torch-2.3.0+cpu-cp311-cp311-linux_x86_64.whl</a>
<a href="//other.index.example/torch-2.2.0%%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=%b&subdirectory=x">x</a>
<a href="../whl/torch-2.1.0.tar.gz#egg=torch-2.1.0">torch-2.1.0.tar.gz</a>
<a href="torch-2.0.0.tar.gz#md5=0123456789abcdef0123456789abcdef">torch-2.0.0.tar.gz</a>
</body></html>""" % (b"ab" * 32)


async def test_local_versions_bases_other_hosts_and_old_fragments_are_understood() -> None:
    with FakeIndex() as index:
        index.set_page("torch", LEGACY)
        async with client_of(index) as client:
            found = await client.project_page(TORCH)
    assert isinstance(found, PageFound)
    first, second, third, fourth = found.page.files
    assert (first.filename, first.url) == (BUILD, f"https://files.index.example/elsewhere/{BUILD.replace('+', '%2B')}")
    assert second.filename == "torch-2.2.0+cpu-cp311-cp311-linux_x86_64.whl"
    assert (second.url.partition("/torch")[0], second.sha256) == ("https://other.index.example", b"\xab" * 32)
    assert (third.url, third.other_hashes) == ("https://files.index.example/whl/torch-2.1.0.tar.gz", None)
    assert (fourth.sha256, fourth.other_hashes) == (None, {"md5": "0123456789abcdef0123456789abcdef"})


@pytest.mark.parametrize("content_type", [f"{pages.JSON}; charset=utf-8", "application/json;charset=UTF-8", pages.JSON.upper()])
@pytest.mark.parametrize("version", ["1.0", "1.9", "1.999"])
async def test_newer_minor_versions_and_any_spelling_of_the_type_are_read(content_type: str, version: str) -> None:
    body = b'{"meta": {"api-version": "%b", "new": 1}, "name": "demo", "files": [], "newer": []}' % version.encode()
    with FakeIndex() as index:
        index.set_page("demo", body, content_type)
        async with client_of(index) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)


@pytest.mark.parametrize("content_type", [pages.JSON, "application/vnd.pypi.simple.v2+json"])
async def test_another_major_version_is_refused_clearly(content_type: str) -> None:
    with FakeIndex() as index:
        index.set_page("demo", b'{"meta": {"api-version": "2.0"}, "name": "demo", "files": []}', content_type)
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match=r"wheelfs (1\.x|v1).*update wheelfs"):
                await client.project_page(DEMO)


async def test_no_list_of_all_projects_is_ever_asked_for() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            await client.project_page(DEMO)
            await client.project_page(ProjectName("unknown"))
    assert [request.path for request in index.requests] == ["/simple/demo/", "/simple/unknown/"]


async def test_a_cookie_comes_back_while_a_question_is_sent_on_and_is_then_forgotten() -> None:
    def change(request: Request, answer: Answer) -> Answer:
        if request.headers.get("cookie") == "seen=1":
            return answer
        return Answer(302, b"", {"Location": request.path, "Set-Cookie": "seen=1; Path=/"})

    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault("/", faults.Changed(change), times=None))
        async with client_of(index) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
            assert (await brought(client, index.file_url(WHEEL), Whole()))[1] == CONTENT
        assert [one.headers.get("cookie") for one in index.requests] == [None, "seen=1"] * 2


async def test_spaces_around_an_indexs_address_are_no_part_of_it() -> None:
    """As secrets and variables come; a page below another path would be absent, and its project another index's."""
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, f" {index.url} ") as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
