"""Shares in front of an index: each byte from the source that gives it first, and none that hangs is waited for.

The clock stands still but where a test moves it, so what is read without that took no time.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest
import trio
import trio.testing

from tests.fakes.origins import MemoryOrigin, MemoryShare, Trouble
from tests.fakes.services import Service, service
from tests.fakes.waiting import DEADLINE_S, reached
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.fetch.breaker import FIRST_PAUSE_S
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.service.fetch.limits import FETCH_LIMITS
from wheelfs.service.file_refs import FileRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

BOUND_S = 30.0
DELAY_S = FETCH_LIMITS.hedge_delay_s
NAME, OTHER = wheel_filename("demo", "1.0"), wheel_filename("demo", "2.0")
WHEEL, NEWER = build_wheel("demo", "1.0", big_bytes=900_000), build_wheel("demo", "2.0", big_bytes=900_000)
HANGS = Trouble(after_bytes=0)


def index_and_shares(count: int) -> tuple[MemoryOrigin, list[MemoryShare]]:
    index = MemoryOrigin()
    index.add("demo", NAME, WHEEL)
    index.add("demo", OTHER, NEWER)
    shares = [MemoryShare(f"lab{number}") for number in range(count)]
    for share in shares:
        share.add(WHEEL)
        share.add(NEWER)
    return index, shares


@asynccontextmanager
async def reading(one: Service, name: str = NAME) -> AsyncIterator[None]:
    """Read a file while the block runs; it has to be right, and to be done without a further move of the clock."""
    expected, done = WHEEL if name == NAME else NEWER, False

    async def read() -> None:
        nonlocal done
        assert await one.read(f"simple/demo/{name}") == expected
        done = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield
        await reached(lambda: done)


async def test_a_file_comes_from_the_first_share_and_nobody_else_is_asked(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [first, second] = index_and_shares(2)
    async with service(tmp_path / "s", [index], shares=[first, second]) as one, reading(one):
        pass
    assert (second.origin.requests["range"], index.requests["range"]) == (0, 0)


async def test_shares_that_hang_cost_a_moment_however_many_they_are_and_then_nothing(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, shares = index_and_shares(4)
    for share in shares:
        share.origin.fate = lambda: HANGS
    async with service(tmp_path / "s", [index], shares=shares) as one:
        async with reading(one):
            for number, share in enumerate(shares):
                await reached(lambda share=share: share.origin.requests["range"] == 1)  # type: ignore[misc]
                mock_clock.jump(DELAY_S / 2**number)
        # A source that let a reader wait is not waited for again until it has answered something.
        async with reading(one, OTHER):
            pass
        assert all(share.origin.requests["range"] == 1 for share in shares)


async def test_a_share_that_has_told_news_since_it_was_slow_is_asked_first_again(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [share] = index_and_shares(1)
    share.origin.troubles.append(HANGS)
    async with service(tmp_path / "s", [index], shares=[share]) as one, trio.open_nursery() as nursery:
        async with reading(one):
            await reached(lambda: share.origin.requests["range"] == 1)
            mock_clock.jump(DELAY_S)
        nursery.start_soon(one.node.follower.keep_fresh)
        await reached(lambda: one.store.shared.cursor("lab0") is not None)
        before = index.requests["range"]
        async with reading(one, OTHER):
            pass
        assert index.requests["range"] == before
        nursery.cancel_scope.cancel()


async def test_a_share_behind_one_that_hangs_gives_the_file_and_no_index_is_asked(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [hanging, fine] = index_and_shares(2)
    hanging.origin.fate = lambda: HANGS
    async with service(tmp_path / "s", [index], shares=[hanging, fine]) as one, reading(one):
        await reached(lambda: hanging.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)
    assert index.requests["range"] == 0


async def test_the_index_of_a_slow_gateway_is_no_alternative_to_it(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [share, other] = index_and_shares(2)
    share.url = share.origin.url = f"https://files.{index.name}.example"
    other.origin.fate = lambda: HANGS
    share.tells_manifests = True
    share.origin.gate = trio.Event()
    async with service(tmp_path / "s", [index], shares=[share, other]) as one, reading(one):
        for origin in (share.origin, other.origin):
            await reached(lambda origin=origin: origin.requests["range"] == 1)  # type: ignore[misc]
            mock_clock.jump(DELAY_S)
            await trio.testing.wait_all_tasks_blocked()
        assert index.requests["range"] == 0
        share.origin.gate.set()
    assert index.requests["range"] == 0


async def test_the_index_of_a_gateway_that_refuses_is_asked(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [share] = index_and_shares(1)
    share.url = share.origin.url = f"https://files.{index.name}.example"
    share.origin.gate = trio.Event()
    share.origin.fate = lambda: Trouble(after_bytes=0, error=OriginMissing("fetch", "404"))
    async with service(tmp_path / "s", [index], shares=[share]) as one, reading(one):
        await reached(lambda: share.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)
        await trio.testing.wait_all_tasks_blocked()
        assert index.requests["range"] == 0
        share.origin.gate.set()
    assert index.requests["range"] > 0


async def test_an_index_that_breaks_off_is_left_for_a_share_that_was_slow(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [share] = index_and_shares(1)
    share.origin.troubles.append(HANGS)
    index.fate = lambda: Trouble(after_bytes=20_000, error=OriginFault("fetch", "truncated"))
    async with service(tmp_path / "s", [index], shares=[share]) as one, reading(one):
        await reached(lambda: share.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)


async def test_when_the_shares_do_not_have_the_rest_either_it_is_the_error_of_the_index(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, [share] = index_and_shares(1)
    share.origin.troubles.append(HANGS)
    share.origin.fate = lambda: Trouble(after_bytes=0, error=OriginDenied("fetch", "refused"))
    index.fate = lambda: Trouble(after_bytes=20_000, error=OriginFault("fetch", "truncated"))
    async with service(tmp_path / "s", [index], shares=[share]) as one, trio.open_nursery() as nursery:
        await one.lookup(f"simple/demo/{NAME}")

        async def fail() -> None:
            with pytest.raises(OriginFault, match="truncated; the share lab0: refused"):
                await one.open(f"simple/demo/{NAME}")

        nursery.start_soon(fail)
        await reached(lambda: share.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)


async def test_shares_that_stall_in_the_middle_are_left_within_one_bound_and_no_byte_comes_twice(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, shares = index_and_shares(3)
    for share in shares:
        share.origin.fate = lambda: Trouble(after_bytes=200_000)
    async with service(tmp_path / "s", [index], shares=shares, open_s=BOUND_S) as one, reading(one):
        for number, share in enumerate(shares):
            await reached(lambda share=share: share.origin.sent_bytes.total() >= 200_000)  # type: ignore[misc]
            mock_clock.jump(BOUND_S / FETCH_LIMITS.stall_divisor / 2**number)
    sent = index.sent_bytes.total() + sum(share.origin.sent_bytes.total() for share in shares)
    assert index.sent_bytes.total() < len(WHEEL) - 200_000
    assert sent < 1.3 * len(WHEEL)


@pytest.mark.parametrize(
    "error",
    [
        OriginMissing("ask", "404"),
        OriginDenied("ask", "401"),
        OriginFault("ask", "500"),
        OriginUnreachable("ask", "refused"),
        OriginTimeout("ask", "silence"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_share_that_refuses_costs_no_time_at_all(tmp_path: Path, error: OriginError, mock_clock: MockClock) -> None:
    index, [broken, fine] = index_and_shares(2)
    broken.origin.fate = lambda: Trouble(after_bytes=0, error=error)
    async with service(tmp_path / "s", [index], shares=[broken, fine]) as one:
        for name in (NAME, OTHER):
            async with reading(one, name):
                pass
        told = one.node.status.report().origins[0].last_error
    is_missing = isinstance(error, OriginMissing)
    assert (told is None) == is_missing, "what a share does not have is no trouble"
    assert is_missing or NAME in str(told)
    assert broken.origin.requests["range"] == 1 + is_missing, "once in all, or once for each file that it does not have"
    assert index.requests["range"] == 0


async def test_a_share_whose_files_hang_while_its_news_come_costs_a_file_one_moment(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, [share] = index_and_shares(1)
    share.origin.fate = lambda: HANGS
    async with service(tmp_path / "s", [index], shares=[share]) as one, trio.open_nursery() as nursery:
        file = None

        async def open_it() -> None:
            nonlocal file
            file = await one.open(f"simple/demo/{NAME}")

        nursery.start_soon(open_it)
        await reached(lambda: share.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)
        await reached(lambda: file is not None)
        nursery.start_soon(one.node.follower.keep_fresh)
        await reached(lambda: one.store.shared.cursor("lab0") is not None)
        async with reading(one):
            pass
        assert file is not None
        file.close()
        nursery.cancel_scope.cancel()


async def test_a_slow_share_is_waited_for_where_nobody_else_gives_the_file(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [slow] = index_and_shares(1)
    index.fate = lambda: Trouble(after_bytes=0, error=OriginUnreachable("ask", "refused"))
    slow.origin.gate = trio.Event()
    async with service(tmp_path / "s", [index], shares=[slow]) as one, reading(one):
        await reached(lambda: slow.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)
        await reached(lambda: index.requests["range"] == 1)
        mock_clock.jump(BOUND_S / 2)
        slow.origin.gate.set()


async def test_a_busy_share_is_not_left_in_the_middle_where_the_index_is_down(tmp_path: Path, mock_clock: MockClock) -> None:
    index, [busy] = index_and_shares(1)
    busy.origin.pause = trio.Event()
    index.head = refuse  # type: ignore[method-assign]
    async with service(tmp_path / "s", [index], shares=[busy], open_s=BOUND_S) as one:
        await one.lookup(f"simple/demo/{NAME}")
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", index.pages["demo"].files[0].url, timeout_s=1.0):
            raise OriginUnreachable("ask", "connection refused")
        async with reading(one):
            await reached(lambda: busy.origin.sent_bytes.total() > 0)
            await trio.testing.wait_all_tasks_blocked()  # what came is received
            mock_clock.jump(BOUND_S * 0.9)
            await trio.testing.wait_all_tasks_blocked()
            busy.origin.pause.set()


async def test_when_nobody_gives_it_the_error_says_what_each_did_and_comes_within_the_bound(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, [hanging, denying] = index_and_shares(2)
    hanging.origin.fate = lambda: HANGS
    denying.origin.fate = lambda: Trouble(after_bytes=0, error=OriginDenied("ask", "access is refused (status 401)"))
    index.fate = lambda: Trouble(after_bytes=0, error=OriginUnreachable("ask", "connection refused"))
    told = ""
    async with service(tmp_path / "s", [index], shares=[hanging, denying], open_s=BOUND_S) as one, trio.open_nursery() as nursery:

        async def read() -> None:
            nonlocal told
            with pytest.raises(OriginUnreachable) as caught:
                await one.read(f"simple/demo/{NAME}")
            told = str(caught.value)

        nursery.start_soon(read)
        await reached(lambda: hanging.origin.requests["range"] == 1)
        mock_clock.jump(DELAY_S)
        await reached(lambda: not one.node.hosts.may_ask(index.pages["demo"].files[0].url))  # it has answered
        mock_clock.jump(BOUND_S - DELAY_S)
        await reached(lambda: bool(told))
    assert "connection refused" in told
    assert "the share lab0: no progress within 30 s" in told
    assert "the share lab1: access is refused" in told


async def test_sixteen_readers_of_a_share_that_dies_go_on_from_the_index_where_it_was(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    index, [share] = index_and_shares(1)
    share.origin.fate = lambda: Trouble(after_bytes=400_000, error=OriginFault("ask", "truncated"))
    async with service(tmp_path / "s", [index], shares=[share]) as one, trio.open_nursery() as nursery:

        async def read() -> None:
            async with reading(one):
                pass

        for _ in range(16):
            nursery.start_soon(read)
    assert share.origin.sent_bytes.total() > 400_000
    assert index.sent_bytes.total() + share.origin.sent_bytes.total() < 1.2 * len(WHEEL)


async def test_a_share_that_is_down_is_looked_after_soon_when_somebody_wants_a_file(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    index, [share] = index_and_shares(1)
    probes = 0

    async def head(url: str) -> None:
        nonlocal probes
        probes += 1
        await trio.lowlevel.checkpoint()
        raise OriginUnreachable("probe", "refused")

    share.origin.head = head  # type: ignore[assignment, method-assign]
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        ref = FileRef(ProjectName("demo"), index.name, index.pages["demo"].files[0])
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", share.url, timeout_s=1.0):
            raise OriginUnreachable("ask", "refused")
        await trio.sleep(300)  # its pause is a minute by now
        before = probes
        assert [source.share for source in one.node.fetching.sources.of(ref)] == [None]
        await trio.sleep(FIRST_PAUSE_S)
        assert probes == before + 1


async def refuse(url: str) -> NoReturn:
    await trio.lowlevel.checkpoint()
    raise OriginUnreachable("probe", "refused")


@pytest.mark.parametrize("count", [1, 2])
async def test_shares_that_all_hang_and_an_index_that_is_down_fail_a_reader_in_the_end(
    tmp_path: Path, mock_clock: MockClock, count: int
) -> None:
    index, shares = index_and_shares(count)
    async with service(tmp_path / "s", [index], shares=shares, open_s=BOUND_S) as one, trio.open_nursery() as nursery:
        async with reading(one, OTHER):
            pass
        for share in shares:
            share.hangs, share.origin.fate = True, lambda: HANGS
        index.head = refuse  # type: ignore[method-assign]
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", index.pages["demo"].files[0].url, timeout_s=1.0):
            raise OriginUnreachable("ask", "connection refused")
        failed = False

        async def read() -> None:
            nonlocal failed
            with pytest.raises((OriginUnreachable, OriginTimeout)):
                await one.read(f"simple/demo/{NAME}")
            failed = True

        nursery.start_soon(read)
        end_s = time.monotonic() + DEADLINE_S
        while not failed:
            assert time.monotonic() < end_s
            mock_clock.jump(DELAY_S / 10)
            for _ in range(10):
                await trio.lowlevel.checkpoint()


async def test_when_nobody_at_all_answers_a_reader_has_one_bound_in_all(tmp_path: Path, mock_clock: MockClock) -> None:
    index, shares = index_and_shares(2)
    async with service(tmp_path / "s", [index], shares=shares, open_s=BOUND_S) as one, trio.open_nursery() as nursery:
        await one.lookup(f"simple/demo/{NAME}")
        index.head = refuse  # type: ignore[method-assign]
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", index.pages["demo"].files[0].url, timeout_s=1.0):
            raise OriginUnreachable("ask", "connection refused")
        for share in shares:
            share.hangs, share.origin.fate = True, lambda: HANGS
        failed = False

        async def read() -> None:
            nonlocal failed
            with pytest.raises(OriginUnreachable, match="the share lab0: no progress within 30 s"):
                await one.read(f"simple/demo/{NAME}")
            failed = True

        nursery.start_soon(read)
        questions = [(shares[0], "manifest", DELAY_S), (shares[1], "manifest", BOUND_S / FETCH_LIMITS.stall_divisor)]
        questions += [(shares[1], "range", DELAY_S), (shares[0], "range", DELAY_S / 2)]
        for share, question, waited_s in questions:
            await reached(lambda share=share, question=question: share.origin.requests[question] == 1)  # type: ignore[misc]
            mock_clock.jump(waited_s)
        assert not failed
        mock_clock.jump(BOUND_S - sum(waited_s for _, _, waited_s in questions))
        await reached(lambda: failed)
