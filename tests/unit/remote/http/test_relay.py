"""Requests that are passed on as they are."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
import trio

from wheelfs.errors import OriginTimeout
from wheelfs.remote.http.relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

UPLOAD = b"the bytes of a wheel"


async def body(content: bytes = b"") -> AsyncIterator[bytes]:
    if content:
        yield content


async def test_an_upload_that_its_host_works_on_for_longer_than_a_page_may_take_gets_its_answer() -> None:
    came, is_done = trio.Event(), trio.Event()

    async def host(stream: trio.SocketStream) -> None:
        said = b""
        async for data in stream:
            said += data
            if said.startswith(b"POST") and said.endswith(UPLOAD):
                came.set()
                await is_done.wait()
                await stream.send_all(b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")
                return

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, host, [listener])
        relay = Relay({}, read_timeout_s=0.1)
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/upload"
        answered: list[tuple[int, bytes]] = []

        async def upload() -> None:
            headers = [(b"content-length", str(len(UPLOAD)).encode())]
            async with relay.answer("POST", url, headers, body(UPLOAD)) as answer, aclosing(answer.pieces) as pieces:
                answered.append((answer.status, b"".join([piece async for piece in pieces])))
            nursery.cancel_scope.cancel()

        nursery.start_soon(upload)
        await came.wait()
        for _ in range(2):  # each takes as long as the upload has been silent for by then, at least
            with pytest.raises(OriginTimeout):
                async with relay.answer("GET", url, [], body()):
                    pass
        is_done.set()
    await relay.aclose()
    assert answered == [(201, b"done")]
