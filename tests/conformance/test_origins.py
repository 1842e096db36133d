"""What holds for every kind of origin: indexes over HTTP and in directories, shares of objects, gateways, and what wraps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.conformance.kinds import CONTENT, DEMO, KINDS, METADATA
from wheelfs.core.http.ranges import From, Range, Suffix, Whole, bounds_of
from wheelfs.errors import ContentChanged, OriginError, OriginMissing, OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.remote.origin import PageAbsent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conformance.kinds import Speaker
    from wheelfs.core.http.ranges import ByteRequest

SIZE = len(CONTENT)
BOUND_S = 30.0


@pytest.fixture(params=list(KINDS))
async def speaker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Speaker]:
    async with KINDS[request.param](tmp_path) as made:
        with trio.fail_after(BOUND_S):
            yield made


async def brought(speaker: Speaker, wanted: ByteRequest) -> tuple[int, bytes]:
    """Return what comes of a request and where in the file it begins, having compared all that is said of it."""
    async with speaker.origin.open_range(speaker.url, wanted) as reply:
        content = b"".join([piece async for piece in reply.chunks])
        assert reply.total_bytes in (None, SIZE)
        if reply.is_whole:
            assert (reply.offset, len(content)) == (0, SIZE)
        return reply.offset, content


@pytest.mark.parametrize(
    "wanted",
    [
        Whole(),
        From(0),
        From(123_456),
        From(SIZE - 1),
        Range(0, 1),
        Range(70_001, 70_301),
        Range(SIZE - 9, SIZE + 90),
        Suffix(1),
        Suffix(65_536),
        Suffix(2 * SIZE),
    ],
    ids=lambda wanted: str(wanted).replace(" ", ""),
)
async def test_at_least_the_wanted_bytes_come_and_stand_where_it_says(speaker: Speaker, wanted: ByteRequest) -> None:
    start, end = bounds_of(wanted, SIZE)
    offset, content = await brought(speaker, wanted)
    assert offset <= start
    assert offset + len(content) >= end
    assert content == CONTENT[offset : offset + len(content)]


async def test_a_range_beyond_the_end_means_that_the_file_is_another_unless_it_comes_whole(speaker: Speaker) -> None:
    try:
        came = await brought(speaker, From(SIZE))
    except ContentChanged:
        return
    assert came == (0, CONTENT), "only a server that knows no ranges sends anything"


async def test_a_file_that_is_not_there_is_missing(speaker: Speaker) -> None:
    with pytest.raises(OriginMissing):
        async with speaker.origin.open_range(speaker.missing, Whole()):
            pass


async def test_a_file_is_no_longer_the_one_of_another_validator(speaker: Speaker) -> None:
    async with speaker.origin.open_range(speaker.url, Range(0, 10)) as reply:
        etag = reply.etag
    async with speaker.origin.open_range(speaker.url, Range(10, 20), validator=etag) as reply:
        content = b"".join([piece async for piece in reply.chunks])
    assert CONTENT[10:20] in content
    if etag is not None:  # a share names files by their sha256, and needs none
        with pytest.raises(ContentChanged):
            async with speaker.origin.open_range(speaker.url, Range(10, 20), validator='"of another file"') as reply:
                assert not [piece async for piece in reply.chunks]


async def test_answers_that_are_left_early_hold_nothing_up(speaker: Speaker) -> None:
    for _ in range(20):  # more than there may be connections
        async with speaker.origin.open_range(speaker.url, Whole()) as reply:
            async for piece in reply.chunks:
                if piece:
                    break
    assert await brought(speaker, Whole()) == (0, CONTENT)


async def test_a_cancelled_question_takes_no_later_one_with_it(speaker: Speaker) -> None:
    for _ in range(3):
        with trio.CancelScope() as scope:
            async with speaker.origin.open_range(speaker.url, Whole()) as reply:
                async for piece in reply.chunks:
                    if piece:
                        scope.cancel()
        assert scope.cancelled_caught
    assert await brought(speaker, Whole()) == (0, CONTENT)


async def test_many_ask_at_once_and_each_gets_its_own(speaker: Speaker) -> None:
    got: dict[int, tuple[int, bytes]] = {}

    async def ask(number: int) -> None:
        got[number] = await brought(speaker, Range(number * 30_000, number * 30_000 + 500))

    async with trio.open_nursery() as nursery:
        for number in range(16):
            nursery.start_soon(ask, number)
    for number, (offset, content) in got.items():
        start = number * 30_000
        assert content[start - offset : start - offset + 500] == CONTENT[start : start + 500]
    assert len(got) == 16


async def test_a_head_tells_the_size_or_that_it_is_not_known(speaker: Speaker) -> None:
    assert (await speaker.origin.head(speaker.url)).size_bytes in (SIZE, None)


async def test_that_a_project_is_unknown_is_an_answer(speaker: Speaker) -> None:
    assert await speaker.origin.project_page(ProjectName("no-index-has-this")) == PageAbsent()


async def test_metadata_comes_whole_or_is_missing(speaker: Speaker) -> None:
    if speaker.metadata is not None:
        assert await speaker.origin.fetch_metadata(speaker.metadata) == METADATA
    with pytest.raises(OriginMissing):
        await speaker.origin.fetch_metadata(f"{speaker.missing}.metadata")


async def test_an_origin_that_has_gone_away_is_unreachable_and_not_empty(speaker: Speaker) -> None:
    """An answer of "no such file" would be believed."""
    await brought(speaker, Range(0, 1))
    await trio.to_thread.run_sync(speaker.vanish)
    with pytest.raises(OriginError) as raised:
        await brought(speaker, From(SIZE // 2))
    assert isinstance(raised.value, OriginUnreachable) or not isinstance(raised.value, OriginMissing | ContentChanged)


async def test_an_address_can_be_shown(speaker: Speaker) -> None:
    assert speaker.origin.name
    assert "://" in speaker.origin.url
    assert "@" not in speaker.origin.url


async def test_a_page_of_a_known_project_does_not_fail(speaker: Speaker) -> None:
    await speaker.origin.project_page(DEMO)
