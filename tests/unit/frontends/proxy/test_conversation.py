"""One connection to the proxy of a run, over real sockets: answered here, passed on, or refused."""

from __future__ import annotations

import base64
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
import trio
from anyio.streams.tls import TLSStream
from msgspec.structs import replace

from wheelfs.core.proxy.hosts import Endpoint
from wheelfs.frontends.http.proxy.authority import Authority
from wheelfs.frontends.http.proxy.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import ByteStream, SocketStream

INDEX = Endpoint("index.example", 443)
PLAIN_INDEX = Endpoint("index.example", 80)
TOKEN = "secret"
LOGIN = b"Proxy-Authorization: Basic " + base64.b64encode(b"wheelfs:secret") + b"\r\n"


async def echo_origin(stream: ByteStream, origin: str) -> None:
    """Stand for the gateway's face: answer each connection with what it was opened to, and the first that it says."""
    said = await stream.receive()
    await stream.send(f"{origin} heard ".encode() + said)
    await stream.aclose()


def conversation(**changed: object) -> Conversation:
    usual = Conversation(
        answered={INDEX, PLAIN_INDEX},
        authority=Authority(["index.example"]),
        serve=echo_origin,
        token=TOKEN,
        is_offline=False,
        environ={},
    )
    return replace(usual, **changed)


@asynccontextmanager
async def listening(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[Endpoint]:
    async def serve_and_close(stream: SocketStream) -> None:
        try:
            await serve(stream)
        finally:
            await anyio.aclose_forcefully(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, serve_and_close)
        yield Endpoint("127.0.0.1", port)
        nursery.cancel_scope.cancel()


async def everything(stream: ByteStream) -> bytes:
    received = b""
    try:
        while True:
            received += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return received


async def said(proxy: Endpoint, request: bytes) -> bytes:
    with trio.fail_after(20):
        async with await anyio.connect_tcp(proxy.host, proxy.port) as stream:
            await stream.send(request)
            return await everything(stream)


async def test_a_tunnel_to_an_index_ends_here_in_tls_of_the_runs_own() -> None:
    talk = conversation()
    async with listening(talk.talk) as proxy:
        with trio.fail_after(20):
            stream = await anyio.connect_tcp(proxy.host, proxy.port)
            await stream.send(b"CONNECT index.example:443 HTTP/1.1\r\nHost: index.example:443\r\n" + LOGIN + b"\r\n")
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
            trusting = ssl.create_default_context(cadata=talk.authority.pem.decode())
            secure = await TLSStream.wrap(stream, hostname="index.example", ssl_context=trusting, standard_compatible=False)
            await secure.send(b"GET /simple/ HTTP/1.1\r\n\r\n")
            assert await everything(secure) == b"https://index.example heard GET /simple/ HTTP/1.1\r\n\r\n"
            await anyio.aclose_forcefully(stream)


async def test_a_plain_request_to_an_index_is_answered_here_whole() -> None:
    request = b"GET http://index.example/simple/ HTTP/1.1\r\nHost: index.example\r\n" + LOGIN + b"\r\n"
    async with listening(conversation().talk) as proxy:
        assert await said(proxy, request) == b"http://index.example heard " + request


async def test_other_tunnels_are_passed_on_byte_by_byte() -> None:
    async def upper(stream: SocketStream) -> None:
        await stream.send((await everything(stream)).upper())
        await stream.aclose()

    async with listening(upper) as elsewhere, listening(conversation().talk) as proxy:
        with trio.fail_after(20):
            async with await anyio.connect_tcp(proxy.host, proxy.port) as stream:
                await stream.send(f"CONNECT {elsewhere.authority} HTTP/1.1\r\nHost: x\r\n".encode() + LOGIN + b"\r\n")
                assert await stream.receive() == b"HTTP/1.1 200 Connection established\r\n\r\n"
                await stream.send(b"\x16\x03 any bytes")
                await stream.send_eof()
                assert await everything(stream) == b"\x16\x03 ANY BYTES"


async def test_other_plain_requests_are_passed_on_one_a_connection_without_our_password() -> None:
    async def show(stream: SocketStream) -> None:
        heard = await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + heard)
        await stream.aclose()

    async with listening(show) as elsewhere, listening(conversation().talk) as proxy:
        request = f"POST http://{elsewhere.authority}/x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n".encode() + LOGIN
        assert await said(proxy, request + b"\r\nbody") == (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
            b"POST /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
        )


async def test_the_callers_own_proxy_is_chained_through() -> None:
    heard: list[bytes] = []

    async def outer(stream: SocketStream) -> None:
        heard.append(await stream.receive())
        await stream.send(b"HTTP/1.1 200 fine\r\n\r\nfrom afar")
        await stream.aclose()

    async with listening(outer) as proxy_of_caller:
        environ = {"HTTPS_PROXY": f"http://ada:word@{proxy_of_caller.authority}"}
        async with listening(conversation(environ=environ).talk) as proxy:
            answer = await said(proxy, b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n" + LOGIN + b"\r\n")
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nfrom afar"
    assert heard[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YWRhOndvcmQ=\r\n" in heard[0]
    assert b"d2hlZWxmcz" not in heard[0]  # ours


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        (b"CONNECT index.example:443", b"", b"407"),
        (b"CONNECT index.example:443", b"Proxy-Authorization: Basic " + base64.b64encode(b"x:wrong") + b"\r\n", b"407"),
        (b"GET /simple/", LOGIN, b"400"),
        (b"CONNECT nowhere", LOGIN, b"400"),
    ],
)
async def test_what_is_refused(request_line: bytes, headers: bytes, status: bytes) -> None:
    async with listening(conversation().talk) as proxy:
        answer = await said(proxy, request_line + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_garbage_is_refused() -> None:
    async with listening(conversation().talk) as proxy:
        assert (await said(proxy, b"\x00\x01\x02\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert (await said(proxy, b"GET " + b"x" * 40_000)).startswith(b"HTTP/1.1 400")


async def test_offline_lets_nothing_out() -> None:
    async with listening(conversation(is_offline=True).talk) as proxy:
        for line in (b"CONNECT far.example:443", b"GET http://far.example/"):
            answer = await said(proxy, line + b" HTTP/1.1\r\nHost: x\r\n" + LOGIN + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 502")
            assert b"lets nothing out" in answer


async def test_a_dead_proxy_of_the_callers_is_named() -> None:
    async with listening(conversation().talk) as dead:
        pass
    environ = {"HTTPS_PROXY": f"http://{dead.authority}"}
    async with listening(conversation(environ=environ).talk) as proxy:
        answer = await said(proxy, b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n" + LOGIN + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 502")
    assert f"through the proxy {dead.authority}".encode() in answer
