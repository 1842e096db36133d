"""Parts of a file that other nodes ask a gateway for: fetched alone, once for all of them, and given as they come."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import trio

from tests.fakes.gateways import gateway
from tests.fakes.origins import MemoryOrigin
from tests.fakes.waiting import until
from tests.fakes.wheels import incompressible, wheel_filename
from wheelfs.store.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
CONTENT = incompressible(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = f"/-/share/v1/part/demo/{NAME}/{SHA256}"


def indexed() -> MemoryOrigin:
    origin = MemoryOrigin(name="corp", url="https://corp.index.example/simple")
    origin.add("demo", NAME, CONTENT)
    return origin


async def test_many_nodes_that_ask_for_overlapping_ranges_have_each_byte_fetched_once(tmp_path: Path) -> None:
    origin = indexed()
    async with gateway(tmp_path, origin) as (client, one):

        async def ask(start: int, end: int) -> None:
            given = await client.get(URL, headers={"Range": f"bytes={start}-{end - 1}"})
            assert (given.status_code, given.content) == (206, CONTENT[start:end])

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                for start, end in ((100_000, 900_000), (500_000, 1_500_000), (2_000_000, 2_500_000)):
                    nursery.start_soon(ask, start, end)
        assert origin.sent_bytes[NAME] == 1_900_000
        assert not one.store.catalog.stored_names("demo")
        await ask(700_000, 1_400_000)
        assert origin.sent_bytes[NAME] == 1_900_000


async def test_a_part_is_given_before_all_of_it_is_here(tmp_path: Path) -> None:
    origin = indexed()
    async with gateway(tmp_path, origin) as (client, _):
        held = trio.Event()

        class Pause:
            async def wait(self) -> None:
                if origin.sent_bytes[NAME] > 600_000:
                    await held.wait()

        origin.pause = Pause()
        async with client.stream("GET", URL, headers={"Range": "bytes=0-1999999"}) as given:
            assert given.status_code == 206
            assert (given.headers["cache-control"], "etag" in given.headers) == ("no-cache", False)
            held.set()
            assert await given.aread() == CONTENT[:2_000_000]


async def test_the_whole_is_verified_and_stored(tmp_path: Path) -> None:
    origin = indexed()
    async with gateway(tmp_path, origin) as (client, one):
        await client.get(URL, headers={"Range": "bytes=1000000-1999999"})
        given = await client.get(URL)
        assert (given.status_code, given.content) == (200, CONTENT)
        assert origin.sent_bytes[NAME] == len(CONTENT)
        assert await one.read(f"simple/demo/{NAME}") == CONTENT
        stored = await client.get(URL, headers={"Range": "bytes=0-9"})
        assert (stored.content, "etag" in stored.headers) == (CONTENT[:10], True)


async def test_a_part_of_another_file_or_of_none_is_not_given(tmp_path: Path) -> None:
    origin = indexed()
    async with gateway(tmp_path, origin) as (client, _):
        other = hashlib.sha256(b"other").hexdigest()
        for path in (
            f"demo/{NAME}/{other}",
            f"none/{NAME}/{SHA256}",
            f"demo/none-1.0-py3-none-any.whl/{SHA256}",
            f"demo/{NAME}/x",
        ):
            given = await client.get(f"/-/share/v1/part/{path}", headers={"Range": "bytes=0-9"})
            assert given.status_code == 404
        assert origin.sent_bytes[NAME] == 0


async def test_installers_are_answered_as_before(tmp_path: Path) -> None:
    origin = indexed()
    async with gateway(tmp_path, origin) as (client, one):
        given = await client.get(f"/simple/demo/{NAME}", headers={"Range": "bytes=500000-599999"})
        assert given.content == CONTENT[500_000:600_000]
        await until(lambda: bool(one.store.catalog.stored_names("demo")))


async def test_parts_keep_within_the_quota_together(tmp_path: Path) -> None:
    origin = indexed()
    urls = {}
    for project in ("first", "second", "third"):
        name, content = wheel_filename(project, "1.0"), incompressible(20_000_000, project)
        origin.add(project, name, content)
        urls[f"/-/share/v1/part/{project}/{name}/{hashlib.sha256(content).hexdigest()}"] = content
    async with gateway(tmp_path, origin) as (client, one):

        async def ask(url: str, first: int, last: int) -> tuple[int, bytes]:
            given = await client.get(url, headers={"Range": f"bytes={first}-{last}"})
            return given.status_code, given.content

        one.store.limits = Limits(quota_bytes=50_000_000)
        for url, content in urls.items():
            assert await ask(url, 0, 18_999_999) == (206, content[:19_000_000])
        assert one.store.spool.usage_bytes() < 50_000_000, "what was not used for long has gone"
        one.store.limits = Limits(quota_bytes=10_000_000)
        assert (await ask(next(iter(urls)), 0, 18_999_999))[0] == 507
        assert await ask(url, 19_000_000, 19_000_009) == (206, content[19_000_000:19_000_010])
