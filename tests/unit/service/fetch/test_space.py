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
from wheelfs.service.fetch.space import UNCHECKED_BYTES, SpaceReservations
from wheelfs.service.file_refs import FileRef
from wheelfs.store.limits import NO_LIMITS, Limits, Need

if TYPE_CHECKING:
    from trio.testing import MockClock

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
        self.evictable_bytes -= need.stored_bytes - self.free_bytes
        self.free_bytes = need.stored_bytes


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


async def test_what_is_large_and_slow_keeps_no_other_waiting_while_something_can_be_evicted(autojump_clock: MockClock) -> None:
    store = FakeStore(free_bytes=150, evictable_bytes=1_000)
    space, began_s = Space(store), trio.current_time()
    async with space.reserve(file_of(100)), space.reserve(file_of(100)), space.reserve(file_of(100)):
        assert trio.current_time() - began_s < 20, "HTTP clients wait no longer for the next byte"
    assert [need.stored_bytes for need in store.made_room_for] == [200, 300], "for all that are being fetched"


async def test_a_file_that_cannot_be_evicted_for_waits_as_long_as_others_bring_something(autojump_clock: MockClock) -> None:
    space, first = Space(FakeStore(free_bytes=150)), file_of(100)

    async def second() -> None:
        async with space.reserve(file_of(100)):
            pass

    async with trio.open_nursery() as nursery, space.reserve(first):
        nursery.start_soon(second)
        for _ in range(10):
            await trio.sleep(15)
            first.received_bytes += 10


async def test_what_ends_while_room_is_looked_for_counts(autojump_clock: MockClock) -> None:
    store, first = FakeStore(free_bytes=150), file_of(100)
    space, look, end = Space(store), store.make_room, trio.Event()

    def make_room(need: Need, attempted: str) -> None:
        trio.from_thread.run_sync(end.set)
        trio.from_thread.run(trio.testing.wait_all_tasks_blocked)
        look(need, attempted)

    store.make_room = make_room  # type: ignore[method-assign]

    async def hold(task_status: trio.TaskStatus[None]) -> None:
        async with space.reserve(first):
            task_status.started()
            await end.wait()

    async with trio.open_nursery() as nursery:
        await nursery.start(hold)
        began_s = trio.current_time()
        async with space.reserve(file_of(100)):
            assert trio.current_time() - began_s < 20


async def test_parts_of_files_do_not_wait_for_a_whole_one(autojump_clock: MockClock) -> None:
    space = Space(FakeStore(free_bytes=150))

    async def second() -> None:
        async with space.reserve(file_of(100)):
            pass

    async with trio.open_nursery() as nursery, space.reserve(file_of(100)):
        nursery.start_soon(second)
        await trio.sleep(10)
        began_s = trio.current_time()
        await space.make_for_part(file_of(UNCHECKED_BYTES), 0, UNCHECKED_BYTES)
        assert trio.current_time() == began_s


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
