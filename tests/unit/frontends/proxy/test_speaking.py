"""HTTP/1.1 with one client: requests in turn, bodies both ways, and whatever a client may do besides."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio
from anyio.abc import ByteStream
from trio.testing import memory_stream_pair

from wheelfs.frontends.http.proxy.speaking import SEND_BYTES, speak

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Piped(ByteStream):
    """One end of a stream in memory, as anyio has streams."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self._stream = stream

    async def send(self, item: bytes) -> None:
        try:
            await self._stream.send_all(item)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise anyio.BrokenResourceError from None

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        if data := await self._stream.receive_some(max_bytes):
            return bytes(data)
        raise anyio.EndOfStream

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        await self._stream.aclose()


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with what was asked for, and with the body of the request."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    said = f"{scope['method']} {scope['scheme']} {scope['raw_path'].decode()} {scope['query_string'].decode()} ".encode() + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(said)).encode())]})
    if scope["method"] != "HEAD":
        await send({"type": "http.response.body", "body": said, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def client(application: Any = echo) -> AsyncIterator[Piped]:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak, application, Piped(theirs), "https")
        with trio.fail_after(60):
            yield Piped(ours)
        nursery.cancel_scope.cancel()


async def everything(stream: Piped) -> bytes:
    received = b""
    while True:
        try:
            received += await stream.receive()
        except anyio.EndOfStream:
            return received


class Noting(Piped):
    """Remembers how much was sent at once."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        super().__init__(stream)
        self.sent: list[int] = []

    async def send(self, item: bytes) -> None:
        self.sent.append(len(item))
        await super().send(item)


async def test_a_large_piece_of_a_body_is_sent_in_parts_that_tls_has_room_for() -> None:
    body = bytes(range(251)) * 2_000

    async def answer(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    ours, theirs = memory_stream_pair()
    noting = Noting(theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak, answer, noting, "https")
        await Piped(ours).send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with trio.fail_after(60):
            assert bodies(await everything(Piped(ours))) == [body]
    assert max(noting.sent) == SEND_BYTES


def bodies(answers: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 ")[1:]]


async def test_requests_are_answered_one_after_another_also_when_they_are_sent_at_once() -> None:
    async with client() as stream:
        await stream.send(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nPOST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz")
        await stream.send(b"HEAD /e HTTP/1.1\r\nHost: x\r\n\r\nGET /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = await everything(stream)
    assert bodies(answers) == [b"GET https /a b=c ", b"POST https /d  xyz", b"", b"GET https /f  "]
    assert answers.count(b"\r\ndate: ") == 4


async def test_a_body_in_chunks_is_waited_for_when_the_client_waits_to_be_told() -> None:
    async with client() as stream:
        await stream.send(
            b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert (await stream.receive()).startswith(b"HTTP/1.1 100 ")
        await stream.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert bodies(await everything(stream)) == [b"PUT https /x  abcde"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000, b"431"),
    ],
)
async def test_what_is_no_request_is_refused_and_ends_the_connection(said: bytes, status: bytes) -> None:
    async with client() as stream:
        await stream.send(said)
        assert (await everything(stream)).startswith(b"HTTP/1.1 " + status)


async def test_an_answer_without_a_length_comes_in_chunks_and_a_large_one_whole() -> None:
    large = bytes(300_000)

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": large, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with client(answer) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = (await everything(stream)).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"493e0\r\n" + large + b"\r\n0\r\n\r\n"


async def test_an_application_hears_that_its_client_has_gone_and_not_of_the_next_request() -> None:
    heard: list[str] = []

    async def listen(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            heard.append(message["type"])
        heard.append("gone")

    async with client(listen) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert heard == ["http.request"]
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
    assert heard == ["http.request", "gone"]


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    async def break_off(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})

    async with client(break_off) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert bodies(await everything(stream)) == [b"part"]


async def test_a_connection_that_says_nothing_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with client() as stream:
        assert await everything(stream) == b""
    assert 5 < trio.current_time() < 60
