"""Space is reserved before the first byte is requested, and evictions are made for one file at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import trio
import trio.testing

from wheelfs.errors import StoreFull
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.fetch.partial_file import PartialFile
from wheelfs.service.fetch.space import SpaceReservations
from wheelfs.service.file_refs import FileRef
from wheelfs.store.limits import NO_LIMITS, Limits, Need

if TYPE_CHECKING:
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.store.store import Store

TIMEOUT_S = 0.2
NO_CONTEXT = cast("FetchContext", None)  # nothing is read or written here


class FakeStore:
    """Holds ``free_bytes`` more, and evicts ``evictable_bytes`` if it must."""

    def __init__(self, free_bytes: int, evictable_bytes: int = 0, limits: Limits | None = None) -> None:
        self.free_bytes = free_bytes
        self.evictable_bytes = evictable_bytes
        self.limits = limits or Limits(quota_bytes=1_000)
        self.made_room_for: list[Need] = []

    def has_room(self, need: Need) -> bool:
        return need.stored_bytes <= self.free_bytes

    def make_room(self, need: Need, attempted: str) -> None:
        self.made_room_for.append(need)
        if need.stored_bytes > self.free_bytes + self.evictable_bytes:
            raise StoreFull(attempted, "there is no room for it")
        self.free_bytes, self.evictable_bytes = need.stored_bytes, 0


class Space(SpaceReservations):
    """Counts how often unused partial files were to be closed."""

    def __init__(self, store: FakeStore, *, timeout_s: float = 20.0) -> None:
        self.forgotten = 0

        def forget() -> None:
            self.forgotten += 1

        super().__init__(cast("Store", store), trio.CapacityLimiter(4), timeout_s=timeout_s, forget_idle=forget)


def file_of(size_bytes: int | None) -> PartialFile:
    ref = FileRef(ProjectName("demo"), "corp", FileLink("demo-1.0.tar.gz", "https://files.corp.example/demo-1.0.tar.gz"))
    return PartialFile(ref, NO_CONTEXT, size_bytes=size_bytes)


async def test_files_that_fit_are_fetched_side_by_side() -> None:
    store = FakeStore(free_bytes=250)
    space = Space(store)
    async with space.reserve(file_of(100)), space.reserve(file_of(100)), space.reserve(file_of(None)):
        pass
    assert (store.made_room_for, space.forgotten) == ([], 0)


async def test_a_file_that_does_not_fit_beside_others_waits_until_one_has_ended() -> None:
    store = FakeStore(free_bytes=150, evictable_bytes=1_000)
    space, order = Space(store), list[str]()

    async def second() -> None:
        async with space.reserve(file_of(100)):
            order.append("second")

    async with trio.open_nursery() as nursery, space.reserve(file_of(100)):
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked(0.05)
        order.append("first has ended")
    assert order == ["first has ended", "second"]
    assert store.made_room_for == [], "nothing is evicted while waiting is enough"


async def test_what_must_be_evicted_is_evicted_for_one_file_alone() -> None:
    store = FakeStore(free_bytes=50, evictable_bytes=100)
    space = Space(store)
    async with space.reserve(file_of(100)):
        assert [need.stored_bytes for need in store.made_room_for] == [100]
        assert space.forgotten == 1, "unused partial files go first"


async def test_a_file_that_waits_too_long_for_others_says_what_is_in_the_way() -> None:
    space = Space(FakeStore(free_bytes=150), timeout_s=TIMEOUT_S)
    async with space.reserve(file_of(100)):
        with pytest.raises(StoreFull, match=r"no room .* being fetched \(1 file\)"):
            async with space.reserve(file_of(100)):
                pytest.fail("there is no room for it")


@pytest.mark.parametrize(
    ("limits", "advice"),
    [(Limits(quota_bytes=1_000), "raise the quota"), (Limits(min_free_bytes=1), "or free some space on the disk")],
)
async def test_the_quota_is_spoken_of_only_where_there_is_one(limits: Limits, advice: str) -> None:
    space = Space(FakeStore(free_bytes=150, limits=limits), timeout_s=TIMEOUT_S)
    async with space.reserve(file_of(100)):
        with pytest.raises(StoreFull, match=advice):
            async with space.reserve(file_of(100)):
                pytest.fail("there is no room for it")


async def test_a_file_that_cannot_fit_reserves_nothing() -> None:
    store = FakeStore(free_bytes=50)
    space = Space(store)
    with pytest.raises(StoreFull):
        async with space.reserve(file_of(100)):
            pytest.fail("there is no room for it")
    async with space.reserve(file_of(50)):
        pass
    assert len(store.made_room_for) == 1


async def test_without_limits_nothing_is_counted() -> None:
    store = FakeStore(free_bytes=0, limits=NO_LIMITS)
    async with Space(store).reserve(file_of(100)):
        pass
    assert store.made_room_for == []
