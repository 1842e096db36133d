"""News of a share, taken in portions: one that fails or is cut off is taken up where it was, and nothing is told twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from wheelfs.errors import OriginDenied, OriginError, StoreFull
from wheelfs.model.shared import FeedPage, SharedFile
from wheelfs.service.limits import SERVICE_LIMITS, ServiceLimits
from wheelfs.service.shares.limits import ShareLimits
from wheelfs.store.catalog.shared_names import SharedNames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

from contextlib import asynccontextmanager

COUNT = 6


def file(number: int) -> SharedFile:
    return SharedFile("demo", f"demo-{number}-py3-none-any.whl", "main", bytes([number]) * 32, 10)


@dataclass
class Telling(MemoryShare):
    """Tells one file after the other; ``asked`` are the cursors of the requests."""

    count: int = COUNT
    asked: list[str | None] = field(default_factory=list)
    poll_s: float = 0.01
    hold: trio.Event | None = None
    """Waited for before the answer that follows the third file."""
    refusal: OriginError | None = None

    async def events(self, cursor: str | None) -> FeedPage:
        self.asked.append(cursor)
        if self.refusal is not None:
            raise self.refusal
        number = int(cursor or 0)
        await trio.lowlevel.checkpoint()
        if number == 3 and self.hold is not None:
            await self.hold.wait()
        if number >= self.count:
            return FeedPage((), (), str(number))
        is_more = number + 1 < self.count
        return FeedPage((file(number),), (), str(number + 1), more=is_more, is_resync=number < COUNT)


@asynccontextmanager
async def following(path: Path, share: Telling, limits: ServiceLimits = SERVICE_LIMITS) -> AsyncIterator[Service]:
    async with service(path, [], shares=[share], limits=limits) as one, trio.open_nursery() as nursery:
        nursery.start_soon(one.node.follower.keep_fresh)
        yield one
        nursery.cancel_scope.cancel()


def known(one: Service) -> list[str]:
    return [name.file.filename for name in one.store.shared.names()]


async def test_a_node_that_is_cut_off_in_the_middle_goes_on_there(tmp_path: Path) -> None:
    share = Telling(hold=trio.Event())
    async with following(tmp_path / "s", share) as one:
        await until(lambda: one.store.shared.cursor("lab") == "3")
    share.hold, share.asked = None, []
    async with following(tmp_path / "s", share) as one:
        await until(lambda: len(known(one)) == COUNT)
    assert share.asked[: COUNT - 3] == ["3", "4", "5"]
    assert None not in share.asked


async def test_a_portion_that_a_full_store_refuses_is_asked_for_again_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    share = Telling()
    take, refused = SharedNames.take, 0

    def full(self: SharedNames, name: str, events: FeedPage, *, asked: str | None) -> object:
        nonlocal refused
        if asked == "2" and refused < 3:
            refused += 1
            raise StoreFull("record changes", "no space left")
        return take(self, name, events, asked=asked)

    monkeypatch.setattr(SharedNames, "take", full)
    async with following(tmp_path / "s", share) as one:
        await until(lambda: len(known(one)) == COUNT)
    assert share.asked.count("2") == 4
    assert share.asked.count(None) == 1
    assert len([record for record in caplog.records if "no space left" in record.getMessage()]) == 1


async def test_what_is_not_told_any_more_is_forgotten_also_by_the_process_that_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Telling()

    def never(*_: object) -> None:
        raise StoreFull("sweep", "killed before it came to that")

    async with following(tmp_path / "s", share) as one:
        await until(lambda: len(known(one)) == COUNT)
        gone = file(99)
        one.store.shared.take("lab", FeedPage((gone,), (), "6"), asked="6").result()
    with monkeypatch.context() as patch:
        patch.setattr(SharedNames, "sweep", never)
        async with following(tmp_path / "s", share) as one:
            one.store.shared.take(
                "lab", FeedPage((), (), "0", more=True, is_resync=True), asked="6"
            ).result()  # the share is another one
            await until(lambda: one.store.shared.cursor("lab") == "6")
            assert gone.filename in known(one)
    async with following(tmp_path / "s", share) as one:
        await until(lambda: gone.filename not in known(one))
        assert len(known(one)) == COUNT


async def test_a_share_whose_news_never_end_fills_no_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with following(tmp_path, Telling(count=200), ServiceLimits(shares=ShareLimits(max_files=3))) as one:
        await until(lambda: "it lists more than 3 files" in caplog.text)
        assert [name.file.filename for name in one.node.follower.of("demo")] == [file(number).filename for number in range(3)]


async def test_a_share_may_say_that_what_nobody_can_have_known_is_gone(tmp_path: Path) -> None:
    class Odd(Telling):
        async def events(self, cursor: str | None) -> FeedPage:
            told = await super().events(cursor)
            return FeedPage(told.files, (("d" * 1_000, "x", b""), ("", "", b"")), told.cursor, told.more, told.is_resync)

    async with following(tmp_path, Odd()) as one:
        await until(lambda: len(one.node.follower.of("demo")) == COUNT)


async def test_the_status_of_a_share_is_its_own_where_an_index_is_on_its_host(tmp_path: Path) -> None:
    share = Telling()
    index = MemoryOrigin(url=f"{share.url}/simple")
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        await one.lookup("simple/demo")
        assert one.node.hosts.state(index.url)[0] == "up"
        assert one.node.hosts.state(share.url)[0] == "unknown"
        await one.node.follower.catch_up()
        assert one.node.hosts.state(share.url) == ("up", None, None)
        share.refusal = OriginDenied("ask", "refused (401)")
        await one.node.follower.catch_up()
        await one.lookup("simple/other")
        assert one.node.hosts.state(index.url) == ("up", None, None)
        assert one.node.hosts.state(share.url) == ("up", None, "ask: refused (401)")
