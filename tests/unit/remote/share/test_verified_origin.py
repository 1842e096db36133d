"""Bytes that are compared as they come: what is given on is right, whatever is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes import origins as origins_of_tests
from tests.fakes.compositions import chunk_bounds, composition_of
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.wheels import build_wheel, incompressible
from wheelfs.core.http.ranges import From, Range, Suffix, Whole
from wheelfs.errors import ContentChanged, OriginFault, OriginMissing
from wheelfs.remote.share import verified_origin
from wheelfs.remote.share.verified_origin import VerifiedOrigin

if TYPE_CHECKING:
    from wheelfs.core.http.ranges import ByteRequest

CONTENT = build_wheel("demo", "1.0", files={f"demo/{n}.bin": incompressible(9_000, f"{n}") for n in range(60)}, big_bytes=400_000)
COMPOSITION = composition_of(CONTENT)
CHUNKS = chunk_bounds(COMPOSITION)
WRONG = CHUNKS[20]
URL = "https://share.example/file"


def damaged(at: int = WRONG[0] + 5) -> bytes:
    content = bytearray(CONTENT)
    content[at] ^= 1
    return bytes(content)


def origins(compared_chunks: int = 32) -> tuple[MemoryOrigin, VerifiedOrigin]:
    inner = MemoryOrigin(files={"file": CONTENT})
    return inner, VerifiedOrigin(inner, COMPOSITION, compared_chunks)


async def brought(origin: VerifiedOrigin, wanted: ByteRequest) -> tuple[int, bytes, type[Exception] | None]:
    """What came of an answer: where it began, its bytes, and how it failed."""
    got, offset = b"", -1
    try:
        async with origin.open_range(URL, wanted) as reply:
            offset = reply.offset
            async for piece in reply.chunks:
                got += piece
    except OriginFault as error:
        return offset, got, type(error)
    return offset, got, None


@pytest.mark.parametrize(("piece_bytes", "compared_chunks"), [(7_001, 32), (1 << 20, 1), (1 << 20, 32)])
@pytest.mark.parametrize(
    "wanted", [Whole(), From(50_001), Range(70_000, 70_001), Suffix(3), Range(0, 1)], ids=lambda one: str(one).replace(" ", "")
)
async def test_all_that_is_wanted_comes_with_the_whole_chunks_around_it(
    monkeypatch: pytest.MonkeyPatch, wanted: ByteRequest, piece_bytes: int, compared_chunks: int
) -> None:
    monkeypatch.setattr(origins_of_tests, "PIECE_BYTES", piece_bytes)
    inner, origin = origins(compared_chunks)
    offset, got, failed = await brought(origin, wanted)
    [asked] = inner.asked
    assert isinstance(asked, Range)
    assert (offset, failed, got) == (asked.start, None, CONTENT[asked.start : asked.end])
    assert len(inner.asked) == 1


async def test_a_wrong_chunk_is_asked_for_again_and_nothing_before_it() -> None:
    inner, origin = origins()
    inner.troubles.append(Trouble(content=damaged()))
    assert await brought(origin, Whole()) == (0, CONTENT, None)
    assert inner.asked == [Range(0, len(CONTENT)), Range(WRONG[0], len(CONTENT))]


async def test_a_chunk_that_is_wrong_twice_is_never_given() -> None:
    inner, origin = origins()
    inner.fate = lambda: Trouble(content=damaged())
    assert await brought(origin, Whole()) == (0, CONTENT[: WRONG[0]], OriginFault)
    assert inner.requests["range"] == 2


@pytest.mark.parametrize("at", [3, len(CONTENT) - 1], ids=["header", "end record"])
async def test_a_wrong_byte_outside_of_chunks_is_found_too(at: int) -> None:
    inner, origin = origins()
    inner.fate = lambda: Trouble(content=damaged(at))
    _, got, failed = await brought(origin, Whole())
    assert failed is OriginFault
    assert CONTENT.startswith(got)


async def test_what_came_right_before_an_answer_broke_off_is_given() -> None:
    inner, origin = origins()
    inner.troubles.append(Trouble(after_bytes=300_000, error=OriginFault("x", "reset")))
    _, got, failed = await brought(origin, Whole())
    assert failed is OriginFault
    assert CONTENT.startswith(got)
    assert 290_000 < len(got) <= 300_000 + 16 * 1024


async def test_what_is_right_is_given_before_more_comes() -> None:
    inner, origin = origins()
    inner.troubles.append(Trouble(after_bytes=300_000))  # and then it stalls
    got = 0
    with trio.fail_after(20):
        async with origin.open_range(URL, Whole()) as reply:
            async for piece in reply.chunks:
                got += len(piece)
                if got > 290_000:
                    break
    assert got > 290_000, "the answer ended before what came of it was given"


async def test_while_a_long_piece_is_compared_others_have_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins_of_tests, "PIECE_BYTES", 1 << 20)
    _, origin = origins(compared_chunks=4)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery, origin.open_range(URL, Whole()) as reply:
        nursery.start_soon(other)
        assert len(await anext(reply.chunks)) == len(CONTENT)
        nursery.cancel_scope.cancel()
    assert turns >= len(CHUNKS) // 4 // 2


async def test_the_whole_file_in_place_of_a_part_is_compared_from_its_beginning() -> None:
    inner, origin = origins()
    inner.troubles.append(Trouble(ignores_range=True))
    assert await brought(origin, From(70_000)) == (0, CONTENT, None)


async def test_a_file_of_another_size_is_refused_before_its_bytes() -> None:
    inner, origin = origins()
    inner.fate = lambda: Trouble(content=CONTENT + b"more")
    assert await brought(origin, Whole()) == (-1, b"", OriginFault)


async def test_what_is_asked_for_behind_the_end_is_another_file() -> None:
    _, origin = origins()
    with pytest.raises(ContentChanged):
        async with origin.open_range(URL, From(len(CONTENT))):
            pass


async def test_a_refusal_is_passed_on() -> None:
    inner, origin = origins()
    inner.files.clear()
    with pytest.raises(OriginMissing):
        async with origin.open_range(URL, Whole()):
            pass


async def test_a_chunk_that_is_not_complete_yet_shows_signs_of_life() -> None:
    _, origin = origins()
    long = max(CHUNKS, key=lambda bounds: bounds[1] - bounds[0])
    async with origin.open_range(URL, Range(*long)) as reply:
        lengths = [len(piece) async for piece in reply.chunks]
    assert sum(lengths) == long[1] - long[0]
    assert lengths.count(0) >= (long[1] - long[0]) // verified_origin.LIFE_BYTES - 1
