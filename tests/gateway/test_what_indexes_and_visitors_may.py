"""Where an index may lead a gateway, what another site's page may have it do, and what it says of itself."""

from __future__ import annotations

import json
import logging
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio

from tests.fakes.gateways import gateway
from tests.fakes.origins import MemoryOrigin
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.config import load
from wheelfs.errors import OriginError, OriginFault, StoreError
from wheelfs.frontends.http.access_log import log_access
from wheelfs.frontends.http.connections import accept_connections
from wheelfs.frontends.http.limits import HTTP_LIMITS
from wheelfs.frontends.http.messages import plain
from wheelfs.model.names import parse_project_name
from wheelfs.remote.http import addresses
from wheelfs.remote.http.addresses import AddressGuard, reach_of
from wheelfs.remote.http.tls import Access
from wheelfs.remote.index.http import HttpIndex
from wheelfs.service.shares.feed import ShareFeed
from wheelfs.telemetry import RedactingFormatter

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("127.0.0.1", "own"),
        ("127.8.8.8", "own"),
        ("::1", "own"),
        ("::ffff:127.0.0.1", "own"),
        ("0.0.0.0", "own"),
        ("169.254.169.254", "own"),
        ("fe80::1%eth0", "own"),
        ("64:ff9b::7f00:1", "own"),
        ("2002:7f00:1::", "own"),
        ("::7f00:1", "own"),
        ("64:ff9b::a00:1", "private"),
        ("10.1.2.3", "private"),
        ("192.168.0.1", "private"),
        ("fd00::1", "private"),
        ("100.64.0.1", "private"),
        ("224.0.0.1", "private"),
        ("9.9.9.9", "public"),
        ("2620:fe::9", "public"),
    ],
)
def test_addresses_are_told_apart_by_who_can_reach_them(address: str, reach: str) -> None:
    assert reach_of(address) == reach


@pytest.mark.parametrize(
    ("index", "target", "is_allowed"),
    [
        ("9.9.9.9", "8.8.8.8", True),
        ("9.9.9.9", "10.0.0.1", False),
        ("9.9.9.9", "127.0.0.1", False),
        ("9.9.9.9", "[::1]", False),
        ("9.9.9.9", "localhost", False),
        ("9.9.9.9", "localhost.", False),
        ("9.9.9.9", "127.1", False),
        ("9.9.9.9", "2130706433", False),
        ("9.9.9.9", "0x7f.0.0.1", False),
        ("9.9.9.9", "0x0a000001", False),
        ("9.9.9.9", "9.9.9.9", True),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "10.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", True),
    ],
)
@pytest.mark.parametrize("is_proxied", [False, True], ids=["direct", "by a proxy"])
async def test_an_index_leads_to_no_address_that_is_nearer_than_its_own(
    index: str, target: str, is_allowed: bool, is_proxied: bool
) -> None:
    guard = AddressGuard(index, lambda _: is_proxied)
    if is_allowed:
        await guard.check(f"http://{target}/x", "fetch x")
    else:
        with pytest.raises(OriginFault, match="private-addresses"):
            await guard.check(f"http://{target}/x", "fetch x")


async def test_a_name_is_judged_by_all_its_addresses_and_what_is_connected_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["9.9.9.9", "10.0.0.7"]

    async def resolve(host: str, port: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in found]

    monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
    guard = AddressGuard("8.8.8.8", lambda _: False)
    with pytest.raises(OriginFault):
        await guard.check("http://files.example/x", "fetch x")
    found.pop()
    await guard.check("http://files.example/x", "fetch x")
    with pytest.raises(OriginFault):
        await guard.check_peer("http://files.example/x", "127.0.0.1", "fetch x")  # it has got another address


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_redirect_to_this_machine_is_not_followed_for_an_index_that_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    real = addresses.reach_of
    # As if the index, on 127.0.0.1 here, were on the internet.
    monkeypatch.setattr(addresses, "reach_of", lambda address: "public" if address == "127.0.0.1" else real(address))
    asked: list[bytes] = []

    async def redirect(stream: trio.SocketStream) -> None:
        asked.append(await stream.receive_some())
        where = f"Location: http://127.0.0.2:{port}/secret/\r\n"
        await stream.send_all(f"HTTP/1.1 302 Found\r\n{where}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="0.0.0.0")  # both addresses
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, redirect, [listener])
        client = HttpIndex("main", f"http://127.0.0.1:{port}/simple", {}, access=Access(private_addresses=not guarded))
        with pytest.raises(OriginFault) as caught:
            await client.project_page(parse_project_name("demo"))
        await client.aclose()
        nursery.cancel_scope.cancel()
    assert ("leads to this machine's own address" in str(caught.value)) == guarded
    assert any(b"/secret/" in request for request in asked) != guarded


async def test_what_a_proxy_is_not_asked_for_is_judged_as_if_there_were_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a company, where NO_PROXY names just what an index must not lead to."""
    for name, value in {"http_proxy": "http://127.0.0.1:9", "no_proxy": "corp.example"}.items():
        monkeypatch.setenv(name, value)

    async def resolve(host: str, port: object) -> list[tuple[Any, ...]]:
        assert host != "files.example", "that is for the proxy to do"
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.7" if "corp" in host else "9.9.9.9", 0))]

    monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
    index = HttpIndex("main", "http://index.example/simple", {}, access=Access(private_addresses=False))
    with pytest.raises(OriginFault, match="leads to a private address"):
        await index.fetch_small("http://secrets.corp.example/x", limit_bytes=10)
    with pytest.raises(OriginError) as caught:
        await index.fetch_small("http://files.example/x", limit_bytes=10)
    assert "private address" not in str(caught.value)
    await index.aclose()


def test_serve_guards_by_default_and_an_option_says_otherwise() -> None:
    assert load(environ={}).private_addresses is None
    assert load(environ={"WHEELFS_PRIVATE_ADDRESSES": "true"}).private_addresses is True


async def test_only_a_form_of_its_own_pages_makes_a_gateway_ask(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, build_wheel("demo", "1.0"))
    async with gateway(tmp_path, origin) as (client, _):
        path = "/project/demo/?ask=indexes"
        assert (await client.get(path)).status_code == 404, "a link, or an image of another page, asks nothing"
        for headers in (
            {"Origin": "https://elsewhere.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "null"},
        ):
            assert (await client.post(path, headers=headers)).status_code == 405
        assert not origin.requests
        for other in ("/project/demo/", "/simple/demo/?ask=1", "/?ask=1", "/-/share/v1/news?ask=1"):
            assert (await client.post(other)).status_code == 405
        own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        asked = await client.post(path, headers=own)
        assert (asked.status_code, asked.headers["location"]) == (303, "/project/demo/")
        assert (await client.get("/project/demo/")).status_code == 200


async def test_readiness_is_more_than_liveness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path, MemoryOrigin(), token="secret") as (client, _):
        assert (await client.get("/readyz")).text == "ready\n"

        def broken(self: ShareFeed) -> None:
            raise StoreError("read the store", "input/output error")

        monkeypatch.setattr(ShareFeed, "check", broken)
        assert (await client.get("/readyz")).status_code == 500
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_are_logged_as_lines_or_json_when_that_is_wanted(tmp_path: Path, workers: int) -> None:
    log = tmp_path / "log"
    options = ("--offline", "--workers", str(workers), "--log-file", str(log))
    for kind in ("off", "on", "json"):
        with (
            Serving(tmp_path / "gateway", *options, "--access-log", kind) as serving,
            httpx2.Client(base_url=serving.url, trust_env=False) as client,
        ):
            assert client.get("/readyz").status_code == 200
            assert client.get("/simple/?token=hidden").status_code == 200
            assert client.head("/healthz").status_code == 200
        text = log.read_text() if log.exists() else ""
        log.write_text("")
        assert "hidden" not in text
        if kind == "off":
            assert "/readyz" not in text
        elif kind == "on":
            assert '127.0.0.1 "GET /simple/" 200' in text
        else:
            entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            paths = [(entry["method"], entry["path"], entry["status"]) for entry in entries]
            assert sorted(paths) == [("GET", "/readyz", 200), ("GET", "/simple/", 200), ("HEAD", "/healthz", 200)]
            assert all(entry["client"] == "127.0.0.1" and entry["taken_ms"] >= 0 for entry in entries)


async def test_a_path_forges_no_line_of_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    scope = {"method": "GET", "raw_path": b"/\r\n{}", "path": "/", "client": ("10.0.0.1", 1)}
    with caplog.at_level(logging.INFO, "wheelfs.access"):
        for as_json in (False, True):
            log_access(scope, plain(404, "no"), 0.0, is_whole=True, as_json=as_json)  # type: ignore[arg-type]
    formatter = RedactingFormatter("%(message)s")
    assert all(len(formatter.format(record).splitlines()) == 1 for record in caplog.records)


async def test_all_who_wait_are_accepted_in_one_turn() -> None:
    """As in a flood: one a turn would serve all others in between."""
    turns, served = 0, 0
    done = trio.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        clients = [socket.create_connection(listening.getsockname()) for _ in range(20)]

        async def talk(stream: object) -> None:
            nonlocal served
            served += 1
            if served == len(clients):
                done.set()

        async def count() -> None:
            nonlocal turns
            while not done.is_set():
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept_connections, listening, talk, nursery, trio.Semaphore(100), None, HTTP_LIMITS)
            nursery.start_soon(count)
            with trio.fail_after(30.0):
                await done.wait()
            nursery.cancel_scope.cancel()
        for client in clients:
            client.close()
    assert turns < len(clients), "some turns for the first and the last, and not one for each"
