"""A node and a gateway, each the whole service, over a real socket whose every byte is counted, and damaged on demand."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.frontends.http.application import Application
from wheelfs.frontends.http.server import Speaker, listen, serve_http, urls_of
from wheelfs.model.manifest import Manifest
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.share.gateway import Gateway
from wheelfs.service.overview import Overview
from wheelfs.service.shares.feed import ShareFeed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OLD, NEW = wheel_filename("demo", "1.0"), wheel_filename("demo", "1.1")
PARTS = {f"demo/part{number:02}.bin": incompressible(40_000, f"part {number}") for number in range(40)}
CHANGED = {"demo/part20.bin": incompressible(150_000, "new"), "demo/part33.bin": incompressible(90_000, "newer")}
NEW_BYTES = sum(map(len, CHANGED.values()))
FIRST = build_wheel("demo", "1.0", files=PARTS)
SECOND = build_wheel("demo", "1.1", files=PARTS | CHANGED, made_at=(2022, 2, 2, 0, 0, 0))
DIGEST = hashlib.sha256(SECOND).hexdigest()
MANIFEST, FILE = f"/-/share/v1/manifest/{DIGEST}", f"/-/share/v1/file/{DIGEST}"
WRONG = len(SECOND) * 3 // 4


@dataclass
class Line:
    """What is between node and gateway: counts bodies by path, and flips a bit of the byte at ``wrong`` so many ``times``.

    ``is_old``: the gateway is one of a build that knows no manifests.
    """

    is_old: bool = False
    wrong: int | None = None
    times: int = 10**9
    sent_bytes: Counter[str] = field(default_factory=Counter)

    def through(self, application: Application) -> Any:
        async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
            at = 0

            async def passing(message: dict[str, Any]) -> None:
                nonlocal at
                if message["type"] == "http.response.start":
                    told = dict(message["headers"]).get(b"content-range", b"bytes 0-")
                    at = int(told.split()[1].partition(b"-")[0])
                else:
                    body = bytearray(message.get("body", b""))
                    self.sent_bytes[scope["path"]] += len(body)
                    if scope["path"] == FILE and self.wrong in range(at, at + len(body)) and self.times:
                        self.times -= 1
                        body[self.wrong - at] ^= 4  # type: ignore[operator]
                    at += len(body)
                    message["body"] = bytes(body)
                await send(message)

            if self.is_old and scope["type"] == "http" and "/manifest/" in scope["path"]:
                scope = {**scope, "path": "/nothing", "raw_path": b"/nothing"}
            await application(scope, receive, passing if scope["type"] == "http" else send)

        return answer


def index() -> MemoryOrigin:
    made = MemoryOrigin()
    made.add("demo", OLD, FIRST)
    made.add("demo", NEW, SECOND)
    return made


async def read(one: Service, name: str) -> bytes:
    content = await one.read(f"simple/demo/{name}")
    await until(lambda: one.node.downloads.is_idle)
    return content


@asynccontextmanager
async def gateway(path: Path, line: Line, *, token: str | None = None) -> AsyncIterator[tuple[str, Service]]:
    """A gateway that has both versions; yields its address."""
    async with service(path / "gateway", [index()]) as one, trio.open_nursery() as nursery:
        for name in (OLD, NEW):
            await read(one, name)
        sockets, shutdown, ready = [listen("127.0.0.1:0")], trio.Event(), trio.Event()
        [url] = urls_of(sockets, tls=False)
        application = line.through(Application(one.node.tree, Overview(one.node, one.store), ShareFeed(one.store), token=token))

        async def serve() -> None:
            await serve_http(application, sockets, speaker=Speaker(), on_ready=ready.set, shutdown=shutdown)

        nursery.start_soon(serve)
        await ready.wait()
        yield url, one
        shutdown.set()


@asynccontextmanager
async def node(path: Path, url: str, own: MemoryOrigin, **options: Any) -> AsyncIterator[Service]:
    share = Gateway("lab", url, {}, access=DEFAULT_ACCESS)
    async with service(path / "node", [own], shares=[share], **options) as one:  # type: ignore[list-item]
        yield one
    await share.aclose()


async def test_a_manifest_is_told_of_sealed_files_once_and_for_ever(tmp_path: Path) -> None:
    async with gateway(tmp_path, Line()) as (url, one), httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        told = await client.get(MANIFEST)
        assert told.status_code == 200
        assert Manifest.decode(told.content).size_bytes == len(SECOND)
        assert "immutable" in told.headers["cache-control"]
        again = await client.get(MANIFEST, headers={"If-None-Match": told.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await client.head(MANIFEST)
        assert (head.headers["content-length"], head.content) == (str(len(told.content)), b"")
        for other in (DIGEST[:-1], DIGEST.upper(), "0" * 64):
            assert (await client.get(MANIFEST.replace(DIGEST, other))).status_code == 404
        one.store.quarantine(bytes.fromhex(DIGEST), "rotten")
        assert (await client.get(MANIFEST)).status_code == 404


async def test_a_manifest_is_for_those_who_have_the_token(tmp_path: Path) -> None:
    async with gateway(tmp_path, Line(), token="s3cret") as (url, _), httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get(MANIFEST)).status_code == 401
        assert (await client.get(MANIFEST, headers={"Authorization": "Bearer s3cret"})).status_code == 200
        own = index()
        async with node(tmp_path, url.replace("//", "//__token__:s3cret@"), own) as one:
            assert await read(one, NEW) == SECOND
        assert own.requests["range"] == 0


@pytest.mark.parametrize("delta", ["auto", "always"])
async def test_an_upgrade_costs_new_chunks_and_the_manifest_and_less_than_with_an_older_gateway(
    tmp_path: Path, delta: str
) -> None:
    costs: dict[bool, int] = {}
    for is_old in (False, True):
        line, own = Line(is_old=is_old), index()
        async with gateway(tmp_path / f"{is_old}", line) as (url, _), node(tmp_path / f"{is_old}", url, own, delta=delta) as one:
            assert await read(one, OLD) == FIRST
            assert await read(one, NEW) == SECOND
        costs[is_old] = line.sent_bytes[MANIFEST] + line.sent_bytes[FILE]
        assert own.requests["range"] == 0
    assert NEW_BYTES < costs[False] < 1.05 * NEW_BYTES + 32 * 1024
    assert costs[False] < costs[True]


@pytest.mark.parametrize("times", [1, 10**9], ids=["once", "always"])
async def test_a_byte_that_is_damaged_on_the_line_reaches_nobody_and_only_what_is_behind_it_comes_from_the_index(
    tmp_path: Path, times: int
) -> None:
    line, own = Line(wrong=WRONG, times=times), index()
    async with gateway(tmp_path, line) as (url, _), node(tmp_path, url, own) as one:
        file = await one.open(f"simple/demo/{NEW}")
        got = b""
        while piece := await file.read(len(got), 128 * 1024):
            got += piece
            assert SECOND.startswith(got)
        assert got == SECOND
        file.close()
    assert own.sent_bytes[NEW] <= (0 if times == 1 else len(SECOND) - WRONG + 262_128)
    assert bool(own.sent_bytes[NEW]) == (times > 1)
