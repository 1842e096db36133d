"""A client of a fake index, shared by the tests of pages and of files."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from wheelfs.model.names import ProjectName
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HttpLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fakes.index import FakeIndex
    from wheelfs.core.http.ranges import ByteRequest

PATIENT = HttpLimits(read_timeout_s=5.0)
DEMO = ProjectName("demo")
WHEEL = "demo-1.0-py3-none-any.whl"
CONTENT = bytes(range(256)) * 1200
"""Larger than what travels in one piece."""


@asynccontextmanager
async def client_of(
    index: FakeIndex, url: str | None = None, *, limits: HttpLimits = PATIENT, **environ: str
) -> AsyncIterator[HttpIndex]:
    client = HttpIndex("lab", url or index.url, environ, limits=limits)
    try:
        with trio.fail_after(20):
            yield client
    finally:
        await client.aclose()


async def brought(
    client: HttpIndex, url: str, wanted: ByteRequest, *, validator: str | None = None
) -> tuple[int, bytes, int | None, bool]:
    async with client.open_range(url, wanted, validator=validator) as reply:
        data = b"".join([piece async for piece in reply.chunks])
        return reply.offset, data, reply.total_bytes, reply.is_whole


def with_secret(index: FakeIndex) -> str:
    return index.url.replace("://", "://user:s3cr%40t@")
