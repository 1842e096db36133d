"""Bodies as they arrive: small pieces are let gather, where that holds up nothing that is here already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
import trio

from wheelfs.remote.http.client import GATHER_S, SMALL_PIECE_BYTES, pieces_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

SMALL, LARGE = b"s" * (SMALL_PIECE_BYTES - 1), b"l" * SMALL_PIECE_BYTES


class _Body(httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await trio.lowlevel.checkpoint()
            yield piece


@pytest.mark.parametrize(
    ("pieces", "has_length", "pauses"),
    [
        ([SMALL, SMALL, SMALL], True, [0, 1, 2]),
        ([LARGE, LARGE, SMALL, LARGE], True, [0, 0, 0, 1]),
        ([SMALL, SMALL, SMALL], False, [0, 0, 0]),
    ],
    ids=["a slow line", "a fast line", "in chunks"],
)
async def test_after_a_small_piece_the_next_one_is_given_time_to_grow(
    autojump_clock: MockClock, pieces: list[bytes], has_length: bool, pauses: list[int]
) -> None:
    headers = {"content-length": str(sum(map(len, pieces)))} if has_length else {}
    response = httpx2.Response(200, headers=headers, stream=_Body(pieces))
    began_s = trio.current_time()
    seen = [(piece, trio.current_time() - began_s) async for piece in pieces_of(response)]
    ended_s = trio.current_time() - began_s
    assert [piece for piece, _ in seen] == pieces
    assert [at_s for _, at_s in seen] == pytest.approx([pause * GATHER_S for pause in pauses])
    assert ended_s == pytest.approx(pauses[-1] * GATHER_S), "after the last one there is nothing to wait for"
