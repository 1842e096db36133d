"""What clients may cost: slow ones, silent ones, ones that never read, and too many at once; others are served meanwhile."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.gateways import gateway
from tests.fakes.memory import taken_by
from tests.fakes.origins import MemoryOrigin
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.frontends.http import connections
from wheelfs.frontends.http.limits import HttpLimits
from wheelfs.model.links import FileLink, ProjectPage

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)
BOUND_S = 30.0
"""For what comes at once, on however busy a machine."""


@pytest.fixture
def origin() -> MemoryOrigin:
    made = MemoryOrigin()
    made.add("demo", NAME, WHEEL)
    return made


async def connected(client: httpx2.AsyncClient, *, window_bytes: int | None = None) -> trio.SocketStream:
    """Connect; the kernel takes ``window_bytes`` for a client that does not read, and no more."""
    made = trio.socket.socket()
    if window_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
    await made.connect(("127.0.0.1", client.base_url.port))
    return trio.SocketStream(made)


async def said(stream: trio.SocketStream) -> bytes:
    """Return what the server says until it closes the connection, in one way or another."""
    heard = bytearray()
    with trio.fail_after(BOUND_S):
        try:
            while data := await stream.receive_some(65_536):
                heard += data
        except trio.BrokenResourceError:
            pass
    return bytes(heard)


async def is_served(client: httpx2.AsyncClient) -> bool:
    with trio.fail_after(BOUND_S):
        return (await client.get(f"/simple/demo/{NAME}", headers={"Range": "bytes=-9"})).content == WHEEL[-9:]


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n"], ids=["first", "next"])
@pytest.mark.parametrize("slow", [False, True], ids=["silent", "dripping"])
async def test_a_request_that_does_not_come_to_its_end_is_waited_for_no_longer_than_told(
    tmp_path: Path, origin: MemoryOrigin, before: bytes, slow: bool
) -> None:
    limits = HttpLimits(headers_s=0.3)
    async with (
        gateway(tmp_path, origin, limits=limits) as (client, _),
        await connected(client) as stream,
        trio.open_nursery() as nursery,
    ):
        await stream.send_all(before)

        async def drip() -> None:
            with suppress(trio.BrokenResourceError):
                for letter in b"GET /healthz HTTP/1.1\r\nHost: lab\r\nX-Slow: " + b"s" * 10_000:
                    await stream.send_all(bytes([letter]))
                    await trio.sleep(0.01)

        if slow:
            nursery.start_soon(drip)
        assert (await said(stream)).endswith(b"ok\n" if before else b"")
        assert await is_served(client)
        nursery.cancel_scope.cancel()


async def test_a_connection_that_waits_for_nothing_ends_at_once_with_the_gateway(tmp_path: Path, origin: MemoryOrigin) -> None:
    with trio.fail_after(BOUND_S):
        async with gateway(tmp_path, origin, limits=HttpLimits(end_s=1_000.0)) as (client, one):
            stream = await connected(client)
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 200")
            await until(lambda: one.counters.so_far().under_way == 0)
    await stream.aclose()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + b"X-Long: yes\r\n" * 100_000,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000,
    ],
    ids=["line", "fields", "field"],
)
async def test_a_request_that_has_no_end_is_refused_when_it_is_too_long(
    tmp_path: Path, origin: MemoryOrigin, head: bytes
) -> None:
    async with gateway(tmp_path, origin) as (client, _), await connected(client) as stream, trio.open_nursery() as nursery:

        async def send() -> None:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(head)

        nursery.start_soon(send)
        heard = await said(stream)
        # The rest of it may have got a reset ahead of the answer.
        assert heard.startswith(b"HTTP/1.1 431") or not heard
        assert await is_served(client)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"])
async def test_a_body_is_not_waited_for(tmp_path: Path, origin: MemoryOrigin, method: str, framing: str) -> None:
    async with gateway(tmp_path, origin) as (client, _), await connected(client) as stream:
        await stream.send_all(f"{method} /healthz HTTP/1.1\r\nHost: lab\r\n{framing}\r\n\r\n".encode())
        status = 200 if method == "GET" else 405
        assert (await said(stream)).startswith(f"HTTP/1.1 {status}".encode())


async def test_a_request_that_ends_in_two_ways_is_the_last_one_of_its_connection(tmp_path: Path, origin: MemoryOrigin) -> None:
    smuggled = b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n"
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(smuggled))
    async with gateway(tmp_path, origin) as (client, _), await connected(client) as stream:
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n" + both + smuggled)
        heard = await said(stream)
        # What follows may have ended the connection ahead of the answer.
        assert heard.startswith(b"HTTP/1.1 400") or not heard
        assert heard.count(b"HTTP/1.1 ") <= 1


async def test_an_address_may_be_asked_for_as_of_a_proxy(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        for address in (b"http://lab:1/healthz", b"HTTP://lab/healthz?x"):
            async with await connected(client) as stream:
                await stream.send_all(b"GET " + address + b" HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
                assert (await said(stream)).endswith(b"ok\n")


async def test_who_wants_another_protocol_is_answered_in_this_one(tmp_path: Path, origin: MemoryOrigin) -> None:
    """Streams of HTTP/2 would stay open for as long as a client likes, a hundred on each connection."""
    async with gateway(tmp_path, origin) as (client, _):
        for request, status in (
            (b"GET /healthz HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", b"200"),
            (b"PRI * HTTP/2.0\r\nConnection: close\r\n", b"40"),
        ):
            async with await connected(client) as stream:
                await stream.send_all(request + b"\r\n")
                assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 " + status)


async def test_who_wants_a_web_socket_is_refused_and_no_bug_is_logged(
    tmp_path: Path, origin: MemoryOrigin, caplog: pytest.LogCaptureFixture
) -> None:
    fields = b"Host: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    async with gateway(tmp_path, origin) as (client, _):
        for path in (b"/", b"/healthz", b"/simple/demo/"):
            async with await connected(client) as stream:
                key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                await stream.send_all(b"GET " + path + b" HTTP/1.1\r\n" + fields + key)
                assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 403 ")
        assert await is_served(client)
    assert "bug" not in caplog.text


async def test_clients_that_never_read_hold_a_piece_each_and_no_copy_of_a_page(tmp_path: Path, origin: MemoryOrigin) -> None:
    # Larger than what the kernel takes for a client that does not read.
    tag = "py3-none-" + "x" * 200
    links = (FileLink(wheel_filename("large", f"1.{number}", tag=tag), f"{origin.url}/{number}") for number in range(20_000))
    origin.pages["large"] = ProjectPage("large", tuple(links))
    async with gateway(tmp_path, origin) as (client, one), AsyncExitStack() as silent:
        page = await client.get("/simple/large/", timeout=BOUND_S)
        assert len(page.content) > 8_000_000
        before = taken_by(os.getpid()).anonymous
        clients = 40
        for _ in range(clients):
            stream = await silent.enter_async_context(await connected(client, window_bytes=4_096))
            await stream.send_all(b"GET /simple/large/ HTTP/1.1\r\nHost: lab\r\n\r\n")
        await until(lambda: one.counters.so_far().under_way == clients)
        await until(lambda: one.counters.so_far().replies == {200: clients + 1})
        assert await is_served(client)
        assert taken_by(os.getpid()).anonymous - before < clients * len(page.content) / 4


async def test_a_client_that_does_not_take_what_it_was_sent_is_given_up(tmp_path: Path, origin: MemoryOrigin) -> None:
    large = build_wheel("large", "1.0", big_bytes=9_000_000)  # more than the kernel takes for it
    origin.add("large", wheel_filename("large", "1.0"), large)
    limits = HttpLimits(stalled_ms=300)
    async with (
        gateway(tmp_path, origin, limits=limits) as (client, one),
        await connected(client, window_bytes=4_096) as stream,
    ):
        path = f"/simple/large/{wheel_filename('large', '1.0')}"
        assert (await client.get(path, timeout=BOUND_S)).content == large
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        await until(lambda: one.counters.so_far().replies == {200: 2})
        await until(lambda: one.counters.so_far().under_way == 0)


async def test_who_comes_when_all_places_are_taken_is_told_to_come_again(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin, limits=HttpLimits(requests=2)) as (client, one), AsyncExitStack() as silent:
        assert await is_served(client)
        streams = [await silent.enter_async_context(await connected(client, window_bytes=4_096)) for _ in range(2)]
        for stream in streams:
            await stream.send_all(f"GET /simple/demo/{NAME} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        await until(lambda: one.counters.so_far().under_way == 2)
        busy = await client.get("/healthz")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert one.counters.so_far().replies[503] == 1
        await streams[0].aclose()
        await until(lambda: one.counters.so_far().under_way == 1)
        assert await is_served(client)


async def test_without_descriptors_nobody_new_is_accepted_and_all_are_when_there_are_some(
    tmp_path: Path, origin: MemoryOrigin, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with gateway(tmp_path, origin) as (client, _):
        waiting = await connected(client)  # connected by the kernel; whether it is accepted already is not known
        second = trio.socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            await second.connect(("127.0.0.1", client.base_url.port))
            await until(lambda: "Too many open files" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for stream in (waiting, trio.SocketStream(second)):
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            assert (await said(stream)).endswith(b"ok\n")
            await stream.aclose()


async def test_who_finds_no_place_for_a_connection_waits_until_another_ends(
    tmp_path: Path, origin: MemoryOrigin, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path, origin, limits=HttpLimits(connections=2)) as (client, _):
        first, second, third = [await connected(client) for _ in range(3)]
        for stream in (first, second):
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 200")
        await third.send_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        await until(lambda: "further clients wait" in caplog.text)
        await first.aclose()
        assert (await said(third)).endswith(b"ok\n")
        for stream in (second, third):
            await stream.aclose()


async def test_two_thousand_idle_connections_keep_nobody_from_being_served(tmp_path: Path, origin: MemoryOrigin) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if connections.places_for_connections(HttpLimits()) < 2_100:
        pytest.skip(f"a process may have only {hard} files open here")
    async with gateway(tmp_path, origin) as (client, _):
        before = taken_by(os.getpid()).anonymous
        idle = [await connected(client) for _ in range(2_000)]
        assert await is_served(client)
        assert (taken_by(os.getpid()).anonymous - before) / len(idle) < 100_000
        for stream in idle:
            await stream.aclose()
