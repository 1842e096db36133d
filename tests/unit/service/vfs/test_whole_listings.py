"""A flat directory that was read to its end is kept for the next reader, and only as long as nothing has changed."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel
from wheelfs.errors import OriginUnreachable
from wheelfs.model.tracked import Tracked
from wheelfs.service.limits import ServiceLimits
from wheelfs.service.vfs.limits import VfsLimits

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.service.vfs.flat_files import Place
    from wheelfs.service.vfs.protocol import Listing

SMALL: Final = ServiceLimits(vfs=VfsLimits(listing_batch=4, names_batch=3, whole_listings_entries=12))
NAMES: Final = [f"alpha-1.{number}-py3-none-any.whl" for number in range(10, 20)]


@pytest.fixture
def origin() -> MemoryOrigin:
    origin = MemoryOrigin()
    for name in NAMES:
        origin.add("alpha", name, build_wheel("alpha", name.split("-")[1]))
    for number in range(10, 15):
        origin.add("beta", f"beta-1.{number}-py3-none-any.whl", build_wheel("beta", f"1.{number}"))
    return origin


def root(node: Service) -> Listing:
    return node.node.tree.listing(node.node.tree.root)


def wheels(listing: Listing, at_once: int = 3) -> list[str]:
    """Read a directory as a kernel does: some entries, and then on from the last cookie."""
    found: list[str] = []
    last = 0
    while some := list(islice(listing.entries(last), at_once)):
        found += [name for _, name, _ in some if name.endswith(".whl")]
        last = some[-1][0]
    return found


async def stored(node: Service, *names: str) -> None:
    for name in names:
        await node.read(f"simple/{name.partition('-')[0]}/{name}")
    await until(lambda: set(names) <= set(wheels(root(node))))


async def track(node: Service, project: str) -> None:
    await node.node.projects.find(project)  # type: ignore[arg-type]
    node.store.catalog.track(Tracked(project, ("",), 1)).result()


async def test_what_was_read_once_is_given_again_with_the_same_cookies_and_nodes(
    tmp_path: Path, origin: MemoryOrigin, reads: list[Place | None]
) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        await stored(node, *NAMES)
        first = list(root(node).entries(0))
        reads.clear()
        again = root(node)
        for start in (0, 5, 12, len(first)):
            assert list(again.entries(start)) == first[start:]
        assert reads == []
        assert all(one[2] is other[2] for one, other in zip(again.entries(8), first[8:], strict=True))


async def test_what_is_stored_meanwhile_shows_in_the_next_listing_and_not_in_one_under_way(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        await stored(node, *NAMES[::2])
        under_way = root(node)
        begun = list(islice(under_way.entries(0), 8))
        await stored(node, *NAMES)
        following = [name for _, name, _ in (*begun, *under_way.entries(begun[-1][0])) if name.endswith(".whl")]
        assert following == NAMES[::2]
        assert wheels(under_way) == wheels(root(node)) == NAMES  # at its beginning it is read again


async def test_what_changed_while_it_was_read_is_not_kept(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        await stored(node, *NAMES[5:])
        node.store.catalog.track(Tracked("gamma", ("",), 1)).result()  # what is kept counts no more
        listing = root(node)
        entries = listing.entries(0)
        begun = [next(entries)[1] for _ in range(7)]
        for name in NAMES[:2]:
            await node.read(f"simple/alpha/{name}")
        await until(lambda: node.store.catalog.counts().files == 7)
        assert [*begun, *(name for _, name, _ in entries)][-5:] == NAMES[5:]
        assert wheels(root(node)) == [*NAMES[:2], *NAMES[5:]]


async def test_tracked_files_go_and_come_with_their_host_though_the_store_is_as_it_was(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        await track(node, "alpha")
        assert wheels(root(node)) == wheels(root(node)) == NAMES
        before = node.store.catalog.last_transaction()
        node.node.hosts.offline = True
        assert wheels(root(node)) == []
        node.node.hosts.offline = False
        assert wheels(root(node)) == NAMES
        origin.page_troubles.append(OriginUnreachable("look up beta", "refused"))
        await node.node.projects.find("beta")  # type: ignore[arg-type]
        assert wheels(root(node)) == []
        assert node.store.catalog.last_transaction() == before
        await until(lambda: wheels(root(node)) == NAMES)


async def test_a_reader_that_goes_back_gathers_nothing_twice(
    tmp_path: Path, origin: MemoryOrigin, reads: list[Place | None]
) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        await stored(node, *NAMES)
        whole = list(root(node).entries(0))
        node.store.catalog.track(Tracked("gamma", ("",), 1)).result()  # what is kept counts no more
        wavering = root(node)
        for start in (len(whole) - 7, 0, len(whole) - 3, 0):
            assert [name for _, name, _ in wavering.entries(start)] == [name for _, name, _ in whole[start:]]
        reads.clear()
        assert wheels(root(node)) == NAMES
        assert reads == []


async def test_no_more_is_kept_than_the_limit(tmp_path: Path, origin: MemoryOrigin, reads: list[Place | None]) -> None:
    async with service(tmp_path / "store", [origin], limits=SMALL) as node:
        for project in ("alpha", "beta"):
            await track(node, project)
        assert len(wheels(root(node))) == 15
        reads.clear()
        assert len(wheels(root(node))) == 15
        assert reads
