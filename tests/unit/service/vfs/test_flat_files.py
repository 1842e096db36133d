"""Flat directories: what is stored and what is tracked, each name once and none missed, however the listing is cut."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING

import pytest
import trio
from msgspec.structs import replace

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel
from wheelfs.errors import OriginUnreachable
from wheelfs.model.tracked import Tracked
from wheelfs.remote.origin import FileHead
from wheelfs.reports.status import TrackedState
from wheelfs.service.limits import ServiceLimits
from wheelfs.service.vfs.limits import VfsLimits
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = [f"1.{number}" for number in range(10, 31)]


SMALL_BATCHES = ServiceLimits(vfs=VfsLimits(listing_batch=4, names_batch=3))
SIZES_AT_ONCE = SMALL_BATCHES.tracking.sizes_at_once


@pytest.fixture
def origin() -> MemoryOrigin:
    origin = MemoryOrigin()
    for project in ("alpha", "beta", "gamma"):
        for version in VERSIONS:
            origin.add(project, f"{project}-{version}-py3-none-any.whl", build_wheel(project, version))
    return origin


def every(*projects: str) -> list[str]:
    return sorted(f"{project}-{version}-py3-none-any.whl" for project in projects for version in VERSIONS)


async def track(node: Service, *projects: str) -> None:
    for project in projects:
        await node.node.projects.find(project)  # type: ignore[arg-type]
        node.store.catalog.track(Tracked(project, ("",), 1)).result()


def read(node: Service, at_once: int) -> Iterator[str]:
    """Read the root as a kernel does: some entries, and then on from the last cookie."""
    entries = node.node.tree.listing(node.node.tree.root)
    last = 0
    while some := list(islice(entries.entries(last), at_once)):
        yield from (name for _, name, _ in some)
        last = some[-1][0]


def wheels(node: Service, at_once: int = 1_000) -> list[str]:
    return [name for name in read(node, at_once) if name.endswith(".whl")]


@pytest.mark.parametrize("at_once", [1, 3, 4, 5, 1_000])
async def test_each_name_is_listed_once_in_pieces_of_any_length(tmp_path: Path, origin: MemoryOrigin, at_once: int) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        for name in every("beta")[::2] + every("gamma")[:5]:
            await node.read(f"simple/{name.partition('-')[0]}/{name}")
        await until(lambda: node.store.catalog.counts().files == 16)
        assert wheels(node, at_once) == sorted(every("beta")[::2] + every("gamma")[:5])
        await track(node, "alpha", "beta")
        assert wheels(node, at_once) == [*every("alpha", "beta"), *every("gamma")[:5]]


async def test_a_file_that_is_stored_while_a_directory_is_read_is_neither_missed_nor_listed_twice(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        await track(node, "alpha", "beta")
        seen = []
        for number, name in enumerate(read(node, 1)):
            seen.append(name)
            if number % 5 == 0:
                for one in (every("alpha", "beta")[number % 42], every("alpha", "beta")[-1 - number % 42]):
                    await node.read(f"simple/{one.partition('-')[0]}/{one}")
        assert [name for name in seen if name.endswith(".whl")] == every("alpha", "beta")


async def test_a_listing_can_be_taken_up_anywhere(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        await track(node, "alpha", "beta")
        entries = node.node.tree.listing(node.node.tree.root)
        whole = [(cookie, name) for cookie, name, _ in entries.entries(0)]
        for start in (40, 3, 17, 0, len(whole), 12):
            assert [(cookie, name) for cookie, name, _ in entries.entries(start)] == whole[start:]


async def test_a_name_that_is_listed_is_found_and_others_are_not(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        node.store.catalog.track(Tracked("alpha", ("<1.20",), 1)).result()
        await node.node.projects.find("alpha")  # type: ignore[arg-type]
        names = wheels(node)
        assert names == every("alpha")[:10]
        for name in every("alpha"):
            found = await node.lookup(name)
            assert isinstance(found, Absent) == (name not in names)
            if not isinstance(found, Absent):
                same = (await node.node_at(f"simple/alpha/{name}")).attributes
                assert (found.attributes, found.attributes.keeps_name) == (replace(same, keeps_name=True), True)
        assert isinstance(await node.lookup(f"stored/{names[0]}"), Absent)
        assert await node.read(names[0]) == origin.files[names[0]]
        assert hashlib.sha256(await node.read(f"stored/{names[0]}")).digest() == origin.pages["alpha"].files[0].sha256


async def test_a_tracked_file_without_a_size_is_absent_until_its_size_is_known(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    name, content = "alpha-1.0-py3-none-any.whl", build_wheel("alpha", "1.0")
    origin.add("alpha", name, content, sized=False)
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        await track(node, "alpha")
        assert wheels(node) == []
        assert isinstance(await node.lookup(name), Absent)
        node.node.fetching.nursery.start_soon(node.node.tracking.keep_fresh)
        await until(lambda: wheels(node) == [name])
        assert (await node.node_at(name)).attributes.size_bytes == len(content)
        assert origin.requests["head"] == 1


async def test_sizes_are_asked_for_a_few_at_a_time_and_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = MemoryOrigin()
    for version in VERSIONS:
        origin.add("alpha", f"alpha-{version}-py3-none-any.whl", build_wheel("alpha", version), sized=False)
    asked: list[str] = []
    at_once: list[int] = []
    answer = trio.Event()
    under_way = 0

    async def head(url: str) -> FileHead:
        nonlocal under_way
        asked.append(url.rpartition("/")[2])
        under_way += 1
        at_once.append(under_way)
        await answer.wait()
        under_way -= 1
        return FileHead(1_000)

    monkeypatch.setattr(origin, "head", head)
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        await track(node, "alpha")
        node.node.fetching.nursery.start_soon(node.node.tracking.keep_fresh)
        await until(lambda: len(asked) == SIZES_AT_ONCE)
        assert asked == every("alpha")[: -1 - SIZES_AT_ONCE : -1]
        answer.set()
        await until(lambda: wheels(node) == every("alpha"))
        assert asked == every("alpha")[::-1]
        assert max(at_once) == SIZES_AT_ONCE
        assert node.node.tracking.state() == TrackedState(projects=1)


async def test_what_failed_is_taken_up_again_when_its_host_comes_back(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    name = "alpha-1.0-py3-none-any.whl"
    origin.add("alpha", name, build_wheel("alpha", "1.0"))
    origin.page_troubles.extend([OriginUnreachable("look up alpha", "refused")])
    async with service(tmp_path / "store", [origin], limits=SMALL_BATCHES) as node:
        node.store.catalog.track(Tracked("alpha", ("",), 1)).result()
        node.node.fetching.nursery.start_soon(node.node.tracking.keep_fresh)
        await until(lambda: node.node.tracking.state() == TrackedState(projects=1, failing=1))
        assert wheels(node) == []
        await until(lambda: wheels(node) == [name])
        await until(lambda: node.node.tracking.state() == TrackedState(projects=1))


async def test_of_two_contents_of_one_name_the_one_that_the_index_lists_is_shown(tmp_path: Path) -> None:
    name = "demo-1.0-py3-none-any.whl"
    one, other = (build_wheel("demo", "1.0", big_bytes=1_000, big_seed=seed) for seed in ("one", "other"))
    origin = MemoryOrigin()
    async with service(tmp_path / "store", [origin], ttl_s=0.0) as node:
        for turn, content in enumerate((one, other, one, other)):
            origin.pages.clear()
            origin.add("demo", name, content)
            news = node.store.catalog.last_seq()
            assert await node.read(f"simple/demo/{name}") == content
            await until(lambda turn=turn: node.store.catalog.counts().names == min(turn + 1, 2))  # type: ignore[misc]
            assert await node.read(name) == content
            assert wheels(node) == [name]
            told = node.store.catalog.changes_since(news).changes
            assert any(change.filename == name for change in told), "the kernel must forget a name that it keeps"
