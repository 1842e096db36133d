"""What is passed on is passed on for as long as the command waits for it, and no longer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import trio.testing

from tests.unit.frontends.proxy.test_speaking import Piped, bodies, client, everything
from wheelfs.frontends.http.proxy.application import RunApplication
from wheelfs.service.projects.by_url import Elsewhere
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from trio.testing import MockClock

POST = b"POST /upload HTTP/1.1\r\nHost: index.example\r\nContent-Length: 6\r\n\r\nupload"


class Said(msgspec.Struct):
    pieces: AsyncGenerator[bytes, None]
    status: int = 201
    headers: list[tuple[bytes, bytes]] = msgspec.field(default_factory=lambda: [(b"content-length", b"4")])


class Host:
    """Answers once ``answers`` is set, and sends the rest of an answer once ``goes_on`` is."""

    def __init__(self) -> None:
        self.came, self.answers, self.goes_on, self.ended = trio.Event(), trio.Event(), trio.Event(), trio.Event()
        self.bodies: list[bytes] = []

    @asynccontextmanager
    async def answer(self, method: str, url: str, headers: Sequence[object], body: AsyncIterator[bytes]) -> AsyncIterator[Said]:
        try:
            self.bodies.append(b"".join([piece async for piece in body]))
            self.came.set()
            await self.answers.wait()
            yield Said(self._pieces())
        finally:
            self.ended.set()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        yield b"do"
        await self.goes_on.wait()
        yield b"ne"


class Unknown:
    """Knows no URL."""

    async def meaning(self, url: str) -> Elsewhere:
        return Elsewhere()


def speaking_with(host: Host | None) -> AbstractAsyncContextManager[Piped]:
    nothing: Any = None
    urls: Any = Unknown()
    application = RunApplication(nothing, urls, nothing, nothing, nothing, host, Counters())
    return client(application.at("https://index.example"))


async def test_bodies_and_answers_come_through_one_after_another() -> None:
    host = Host()
    host.answers.set()
    host.goes_on.set()
    async with speaking_with(host) as stream:
        await stream.send(POST + POST.replace(b"Content-Length", b"Connection: close\r\nContent-Length"))
        assert bodies(await everything(stream)) == [b"done", b"done"]
    assert host.bodies == [b"upload", b"upload"]


async def test_what_may_not_go_out_is_refused_with_a_reason_unless_the_client_wants_no_body() -> None:
    login = b"GET /account/login HTTP/1.1\r\nHost: index.example\r\nConnection: close\r\n\r\n"
    async with speaking_with(None) as stream:
        await stream.send(login)
        whole = await everything(stream)
    async with speaking_with(None) as stream:
        await stream.send(login.replace(b"GET", b"HEAD"))
        head = await everything(stream)
    assert whole.startswith(b"HTTP/1.1 504 ")
    assert b"lets nothing out" in whole
    assert head.splitlines()[:2] == whole.splitlines()[:2], "status and length"
    assert head.endswith(b"\r\n\r\n")


async def test_a_client_that_no_longer_waits_ends_its_request(autojump_clock: MockClock) -> None:
    host = Host()
    async with speaking_with(host) as stream:
        await stream.send(POST)
        await host.came.wait()
        await stream.aclose()
        await host.ended.wait()


async def test_a_client_that_goes_while_it_is_answered_ends_its_request(autojump_clock: MockClock) -> None:
    host = Host()
    host.answers.set()
    async with speaking_with(host) as stream:
        await stream.send(POST)
        assert (await stream.receive()).endswith(b"do")
        await stream.aclose()
        await host.ended.wait()


async def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(autojump_clock: MockClock) -> None:
    host = Host()
    async with speaking_with(host) as stream:
        await stream.send(
            POST.replace(b"Content-Length: 6", b"Transfer-Encoding: chunked").replace(b"\nupload", b"\n3\r\nupl\r\n")
        )
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
        await host.ended.wait()
    assert host.bodies == []
