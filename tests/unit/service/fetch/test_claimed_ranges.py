"""What another opener of a partial file is fetching: waited for while it comes, and asked for when it does not."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import incompressible, wheel_filename
from wheelfs.model.content import key_of_sha256
from wheelfs.service.fetch.byte_ranges import fetch_ranges
from wheelfs.service.fetch.limits import FetchLimits
from wheelfs.service.limits import SERVICE_LIMITS, ServiceLimits
from wheelfs.service.vfs.environments.parts import read_part
from wheelfs.service.vfs.nodes import FileNode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wheelfs.service.fetch.download import Download
    from wheelfs.store.spool.file import SpoolFile

NAME = wheel_filename("demo", "1.0")
CONTENT = incompressible(3_000_000)
AT, END = 1_000_000, 1_400_000
SOON = ServiceLimits(fetch=FetchLimits(stall_divisor=600))
"""Another one is given a twentieth of a second to bring something."""


@asynccontextmanager
async def two(
    path: Path, limits: ServiceLimits = SERVICE_LIMITS
) -> AsyncIterator[tuple[Service, MemoryOrigin, Download, SpoolFile]]:
    """Yield a service, its origin, a download of it, and another opener of the same partial file."""
    origin = MemoryOrigin(name="corp", url="https://corp.index.example/simple")
    origin.add("demo", NAME, CONTENT)
    async with service(path / "s", [origin], limits=limits) as one:
        node = await one.node_at(f"simple/demo/{NAME}")
        assert isinstance(node, FileNode)
        with one.node.downloads.using(node.ref) as download:
            await download.partial.open()
            key = key_of_sha256(hashlib.sha256(CONTENT).digest())
            other = one.store.spool.open(key, size_bytes=len(CONTENT))
            yield one, origin, download, other
            other.close()


async def test_what_another_one_brings_is_taken_and_what_it_does_not_is_asked_for(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, origin, download, other), trio.open_nursery() as nursery:
        assert other.claims is not None
        assert other.claims.take(AT, AT + 300_000) is None
        found: list[bytes] = []

        async def read() -> None:
            found.append(bytes(await read_part(download, AT - 100_000, END)))

        nursery.start_soon(read)
        await until(lambda: download.partial.spans.covers(AT - 100_000, AT))
        assert origin.sent_bytes[NAME] == 100_000
        other.write(AT, CONTENT[AT : AT + 200_000])
        await until(lambda: download.partial.spans.covers(AT, AT + 200_000))
        other.claims.give_back(AT, AT + 300_000)
        await until(lambda: bool(found))
        assert found == [CONTENT[AT - 100_000 : END]]
        assert origin.sent_bytes[NAME] == 300_000


async def test_one_that_brings_nothing_is_overtaken_and_believed_no_more(tmp_path: Path) -> None:
    async with two(tmp_path, SOON) as (_, origin, download, other):
        assert other.claims is not None
        assert other.claims.take(0, len(CONTENT)) is None
        assert await read_part(download, AT, END) == CONTENT[AT:END]
        assert download.partial.asks_alone
        assert await read_part(download, END, END + 100_000) == CONTENT[END : END + 100_000]
        assert origin.sent_bytes[NAME] == END - AT + 256 * 1024


async def test_what_is_far_ahead_of_another_one_is_not_waited_for(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, origin, download, other):
        assert other.claims is not None
        assert other.claims.take(0, len(CONTENT)) is None
        far = len(CONTENT) - 300_000
        with trio.fail_after(5):
            assert await read_part(download, far, len(CONTENT)) == CONTENT[far:]
        assert origin.sent_bytes[NAME] == 300_000


async def test_a_file_that_another_one_has_stored_is_read_from_the_store(tmp_path: Path) -> None:
    async with two(tmp_path) as (one, origin, download, other), trio.open_nursery() as nursery:
        assert other.claims is not None
        assert other.claims.take(0, len(CONTENT)) is None
        found: list[bytes] = []

        async def read() -> None:
            found.append(bytes(await read_part(download, AT, END)))

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        path = tmp_path / "content"
        path.write_bytes(CONTENT)
        names = [one.node.fetching._stored_name(download.ref, len(CONTENT), None)]
        with path.open("rb") as file:
            sha256 = hashlib.sha256(CONTENT).digest()
            await trio.to_thread.run_sync(
                lambda: one.store.add_content(file.fileno(), len(CONTENT), expected_sha256=sha256, names=names)
            )
        other.delete()
        await until(lambda: bool(found))
        assert found == [CONTENT[AT:END]]
        assert origin.sent_bytes[NAME] == 0
        assert download.sealed_sha256 == sha256


@pytest.mark.parametrize("how", ["need", "ranges"])
async def test_what_another_one_brings_in_many_pieces_is_waited_for_to_its_end(tmp_path: Path, how: str) -> None:
    async with two(tmp_path) as (_, origin, download, other), trio.open_nursery() as nursery:
        assert other.claims is not None
        assert other.claims.take(AT, END) is None
        if how == "need":
            nursery.start_soon(download.need, AT, END)
        else:
            nursery.start_soon(fetch_ranges, download, [(AT, END)])
        for at in range(AT, END, 20_000):
            other.write(at, CONTENT[at : at + 20_000])
            await until(lambda end=at + 20_000: download.partial.spans.covers(AT, end))  # type: ignore[misc]
        assert origin.sent_bytes[NAME] == 0
