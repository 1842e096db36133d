"""A gateway in the test's own process: a real server on loopback over the whole service, with an index in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import trio

from tests.fakes.services import Service, service
from wheelfs.frontends.http.application import Application
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits
from wheelfs.frontends.http.server import Speaker, listen, serve_http, urls_of
from wheelfs.service.overview import Overview
from wheelfs.service.shares.feed import ShareFeed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fakes.origins import MemoryOrigin


@asynccontextmanager
async def gateway(
    path: Path,
    origin: MemoryOrigin,
    *,
    token: str | None = None,
    limits: HttpLimits = HTTP_LIMITS,
) -> AsyncIterator[tuple[httpx2.AsyncClient, Service]]:
    async with service(path / "s", [origin]) as one, trio.open_nursery() as nursery:
        sockets, shutdown, ready = [listen("127.0.0.1:0", limits=limits)], trio.Event(), trio.Event()
        [url] = urls_of(sockets, tls=False)

        async def serve() -> None:
            await serve_http(
                Application(one.node.tree, Overview(one.node, one.store), ShareFeed(one.store), token=token, limits=limits),
                sockets,
                speaker=Speaker(limits=limits),
                on_ready=ready.set,
                shutdown=shutdown,
            )

        nursery.start_soon(serve)
        await ready.wait()
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30.0) as client:
            yield client, one
        shutdown.set()
