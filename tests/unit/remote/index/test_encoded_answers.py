"""Answers in content codings: pages of several members, cut ones, codings not asked for, and files that only look encoded."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Literal

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_sdist, build_wheel
from tests.unit.remote.index.asking import DEMO, brought, client_of
from wheelfs.core.http.ranges import Range, Suffix, Whole
from wheelfs.errors import OriginFault
from wheelfs.remote.origin import PageFound

if TYPE_CHECKING:
    from tests.fakes import faults
    from tests.fakes.server import Answer, Request

WHEEL = build_wheel("demo", "1.0")
SDIST = build_sdist("demo", "1.0")


class Encoding(FakeIndex):
    """Packs what it sends, or says so only; ``cut`` bytes are missing, and nothing announces how many there should be."""

    how: Literal["members", "label", "br", "br-unless-identity", "charset"] = "members"
    cut = 0

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if answer.status not in (200, 203) or not request.path.split("?")[0].endswith(("/", "metadata", ".whl", ".gz")):
            return answer
        if self.how == "br-unless-identity" and request.headers.get("accept-encoding") == "identity":
            return answer
        answer.headers["Content-Encoding"] = {"members": "gzip", "label": "x-gzip", "charset": "utf-8"}.get(self.how, "br")
        if self.how == "members":
            middle = len(answer.body) // 2
            answer.body = gzip.compress(answer.body[:middle]) + gzip.compress(answer.body[middle:])
        if self.cut:
            answer.body = answer.body[: -self.cut]
        return answer


async def files_of(index: FakeIndex) -> list[str]:
    async with client_of(index) as client:
        found = await client.project_page(DEMO)
    assert isinstance(found, PageFound)
    return [link.filename for link in found.page.files]


@pytest.mark.parametrize("page_format", ["html", "json"])
async def test_a_page_of_several_gzip_members_is_read_to_its_end(page_format: Literal["html", "json"]) -> None:
    with Encoding(page_format=page_format) as index:
        names = [f"demo-1.{number}-py3-none-any.whl" for number in range(40)]
        for name in names:
            index.add(name, WHEEL)
        assert sorted(await files_of(index)) == sorted(names)


async def test_metadata_of_several_members_is_read_to_its_end() -> None:
    with Encoding() as index:
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        async with client_of(index) as client:
            found = await client.fetch_metadata(index.file_url("demo-1.0-py3-none-any.whl") + ".metadata")
        assert found.startswith(b"Metadata-Version") and b"Version: 1.0" in found


@pytest.mark.parametrize("content_length", [True, False])
async def test_an_encoded_page_that_ends_early_is_an_error_whatever_its_framing(content_length: bool) -> None:
    with Encoding(content_length=content_length) as index:
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        index.cut = 9
        with pytest.raises(OriginFault, match="truncated"):
            await files_of(index)


async def test_a_page_in_a_coding_that_was_not_asked_for_is_asked_for_again_without_any() -> None:
    with Encoding() as index:
        index.how = "br-unless-identity"
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        assert await files_of(index) == ["demo-1.0-py3-none-any.whl"]
        index.how = "br"
        with pytest.raises(OriginFault, match="cannot be undone"):
            await files_of(index)


async def test_a_page_and_a_file_whose_coding_is_a_charset_are_what_was_sent() -> None:
    with Encoding() as index:
        index.how = "charset"
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        assert await files_of(index) == ["demo-1.0-py3-none-any.whl"]
        async with client_of(index) as client:
            found = await brought(client, index.file_url("demo-1.0-py3-none-any.whl"), Suffix(99))
    assert found == (len(WHEEL) - 99, WHEEL[-99:], len(WHEEL), False)


@pytest.mark.parametrize("how", ["label", "members", "br"])
@pytest.mark.parametrize("wanted", [Whole(), Suffix(99), Range(5, 50)])
async def test_an_sdist_that_is_sent_as_encoded_is_what_its_name_says(
    how: Literal["label", "members", "br"], wanted: Whole | Suffix | Range
) -> None:
    with Encoding(ranges="ignore") as index:
        index.how = how
        index.add("demo-1.0.tar.gz", SDIST)
        async with client_of(index) as client:
            offset, data, _, is_whole = await brought(client, index.file_url("demo-1.0.tar.gz"), wanted)
        assert (offset, is_whole, hashlib.sha256(data).digest()) == (0, True, hashlib.sha256(SDIST).digest())


async def test_the_size_of_a_file_that_is_only_labelled_is_known() -> None:
    with Encoding(ranges="ignore") as index:
        index.how = "label"
        index.add("demo-1.0.tar.gz", SDIST)
        async with client_of(index) as client:
            assert (await brought(client, index.file_url("demo-1.0.tar.gz"), Whole()))[2] == len(SDIST)


async def test_a_packed_file_that_ends_early_is_an_error() -> None:
    with Encoding(ranges="ignore", content_length=False) as index:
        index.cut = 9
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="truncated"):
                await brought(client, index.file_url("demo-1.0-py3-none-any.whl"), Whole())


class Unusual(FakeIndex):
    """Answers pages with another status."""

    status = 203

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if request.path.endswith("/") and answer.status == 200:
            answer.status = self.status
        return answer


@pytest.mark.parametrize("status", [201, 202, 203, 206, 226, 300])
async def test_a_page_of_another_successful_status_is_a_page(status: int) -> None:
    with Unusual() as index:
        index.status = status
        index.add("demo-1.0-py3-none-any.whl", WHEEL)
        assert await files_of(index) == ["demo-1.0-py3-none-any.whl"]
