"""What shares have under names that this node's indexes know: the index that owns a project decides, not a share."""

from __future__ import annotations

import hashlib
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import OriginUnreachable
from wheelfs.model.shared import SharedFile
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0")
OTHER = build_wheel("demo", "1.0", requires_python=">=3.8")


def shared(version: str, index: str, content: bytes, project: str = "demo") -> SharedFile:
    return SharedFile(project, wheel_filename(project, version), index, hashlib.sha256(content).digest(), len(content))


def index(name: str, *contents: bytes) -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    for content in contents:
        origin.add("demo", NAME, content)
    return origin


@asynccontextmanager
async def node(path: Path, indexes: list[MemoryOrigin], *files: SharedFile, **options: object) -> AsyncIterator[Service]:
    """Run a node that knows all that its one share has."""
    share = MemoryShare(files=files)
    async with service(path, indexes, shares=[share], **options) as one, trio.open_nursery() as nursery:  # type: ignore[arg-type]
        nursery.start_soon(one.node.follower.keep_fresh)
        await until(lambda: one.store.shared.cursor(share.name) is not None)
        yield one
        nursery.cancel_scope.cancel()


async def links(one: Service, path: str) -> list[tuple[str, str]]:
    return re.findall(r'href="([^"#]+)#sha256=([0-9a-f]{64})"', (await one.read(path)).decode())


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_a_share_s_other_bytes_of_a_name_that_the_index_lists_are_not_on_the_page(tmp_path: Path) -> None:
    async with node(tmp_path / "s", [index("main", WHEEL)], shared("1.0", "main", OTHER), shared("2.0", "main", OTHER)) as one:
        assert await links(one, "simple/demo/index.html") == [
            (NAME, hashed(WHEEL)),
            (wheel_filename("demo", "2.0"), hashed(OTHER)),
        ]
        assert await one.read(f"simple/demo/{NAME}") == WHEEL


async def test_of_two_files_of_one_name_a_page_links_to_the_one_that_opening_it_gives(tmp_path: Path) -> None:
    """Also when the index has another file by now than the one that is stored, and when it is gone."""
    origin = index("main", WHEEL)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        origin.add("demo", NAME, OTHER)
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(OTHER))]
        await one.node_at(f"simple/demo/{NAME}")
        origin.page_troubles.extend([OriginUnreachable("ask", "refused")] * 9)
        await one.read("simple/demo/index.html")
        assert not one.node.hosts.may_ask(origin.url)
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        assert await one.read(f"simple/demo/{NAME}") == WHEEL


async def test_a_lower_index_s_file_of_a_share_is_not_listed_beside_a_project_of_a_higher_one(tmp_path: Path) -> None:
    newer = wheel_filename("demo", "9.0")
    async with node(tmp_path / "s", [index("lab", WHEEL), index("main")], shared("9.0", "main", OTHER)) as one:
        assert not isinstance(await one.lookup(newer), Absent), "nobody is known to own it"
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        assert isinstance(await one.lookup(newer), Absent)
        assert isinstance(await one.lookup(f"simple/demo/{newer}"), Absent)
        assert (newer, hashed(OTHER)) not in await links(one, "index.html")


async def test_a_name_that_is_tied_to_an_index_comes_from_no_other_one_s_share(tmp_path: Path) -> None:
    tied = {"lab": ("demo",)}
    async with node(tmp_path / "s", [index("main"), index("lab")], shared("9.0", "main", OTHER), tied=tied) as one:
        assert await links(one, "index.html") == []
        assert isinstance(await one.lookup("simple/demo"), Absent)


async def test_index_name_shows_of_a_share_only_what_came_from_that_index(tmp_path: Path) -> None:
    files = shared("8.0", "lab", OTHER), shared("9.0", "main", OTHER), shared("7.0", "elsewhere", OTHER)
    async with node(tmp_path / "s", [index("lab"), index("main")], *files) as one:
        for name, version in (("lab", "8.0"), ("main", "9.0")):
            assert await links(one, f"index/{name}/simple/demo/index.html") == [
                (wheel_filename("demo", version), hashed(OTHER)),
            ]
