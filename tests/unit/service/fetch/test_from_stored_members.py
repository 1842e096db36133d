"""Fetching in parts when things go wrong meanwhile: the file ends up right, or its reader is told why not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.collisions import forged
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import Service, service
from tests.fakes.waiting import reached, until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.http.ranges import Range
from wheelfs.errors import ContentMismatch, OriginFault, OriginUnreachable, StoreDamaged, StoreError
from wheelfs.service.fetch import from_stored_members
from wheelfs.service.fetch.limits import FETCH_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

PARTS = {f"demo/part{number:02}.bin": incompressible(30_000, f"part {number}") for number in range(30)}
NEW = {f"demo/part{number:02}.bin": incompressible(50_000, f"new {number}") for number in range(0, 30, 3)}
OLD_NAME, NEW_NAME = wheel_filename("demo", "1.0"), wheel_filename("demo", "1.1")
OLD_WHEEL = build_wheel("demo", "1.0", files=PARTS)
NEW_WHEEL = build_wheel("demo", "1.1", files=PARTS | NEW, made_at=(2022, 2, 2, 0, 0, 0))
OTHER_WHEEL = bytes(byte ^ 1 for byte in NEW_WHEEL)
NEW_BYTES = 10 * 50_000
TAIL_BYTES = 64 * 1024


def origin_with_both() -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", OLD_NAME, OLD_WHEEL)
    origin.add("demo", NEW_NAME, NEW_WHEEL)
    return origin


def stored_names(one: Service) -> list[str]:
    return [stored.filename for stored in one.store.catalog.stored_names("demo")]


async def is_stored(one: Service, name: str) -> None:
    await until(lambda: name in stored_names(one))


async def test_only_the_missing_ranges_are_asked_for(tmp_path: Path) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        origin.asked.clear()
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        assert origin.sent_bytes[NEW_NAME] < 1.1 * (NEW_BYTES + TAIL_BYTES)
        assert all(isinstance(wanted, Range) for wanted in origin.asked)
        assert one.counters.so_far().delta_saved_bytes == len(NEW_WHEEL) - origin.sent_bytes[NEW_NAME]


async def test_copying_keeps_no_other_file_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = [f"demo{number}" for number in range(FETCH_LIMITS.disk_threads)]
    origin = MemoryOrigin()
    for project in projects:
        for version in ("1.0", "1.1"):
            origin.add(project, wheel_filename(project, version), build_wheel(project, version, files=PARTS))
    origin.add("demo", "demo-1.0.tar.gz", other := incompressible(300_000, "sdist"))
    begun, end = list[object](), threading.Event()

    def copy(*arguments: object) -> Spans:
        begun.append(arguments)
        end.wait(60)
        return Spans()

    async with service(tmp_path / "s", [origin], delta="always") as one, trio.open_nursery() as nursery:
        for project in projects:
            await one.read(f"simple/{project}/{wheel_filename(project, '1.0')}")
            await until(lambda project=project: bool(one.store.catalog.stored_names(project)))  # type: ignore[misc]
        monkeypatch.setattr(from_stored_members, "_copy", copy)
        try:
            for project in projects:
                nursery.start_soon(one.read, f"simple/{project}/{wheel_filename(project, '1.1')}")
            await until(lambda: len(begun) == FETCH_LIMITS.copying_threads)
            with trio.fail_after(30):
                assert await one.read("simple/demo/demo-1.0.tar.gz") == other
        finally:
            end.set()


class SecondsEach:
    """Lets every piece of a response take that long, on a clock that stands still otherwise."""

    def __init__(self, clock: MockClock, piece_s: float) -> None:
        self._clock = clock
        self._piece_s = piece_s

    async def wait(self) -> None:
        self._clock.jump(self._piece_s)


@pytest.mark.parametrize(("piece_s", "in_parts"), [(0.0, False), (0.01, True)], ids=["on a fast line", "on a slow line"])
async def test_by_itself_it_asks_for_the_whole_file_where_that_is_faster(
    tmp_path: Path, mock_clock: MockClock, piece_s: float, in_parts: bool
) -> None:
    parts = PARTS | {"demo/large.bin": incompressible(1 << 20, "large enough that its time tells something")}
    origin = MemoryOrigin()
    origin.add("demo", OLD_NAME, build_wheel("demo", "1.0", files=parts))
    origin.add("demo", NEW_NAME, build_wheel("demo", "1.1", files=parts | NEW, made_at=(2022, 2, 2, 0, 0, 0)))
    origin.pause = SecondsEach(mock_clock, piece_s)
    async with service(tmp_path / "s", [origin], delta="auto") as one:
        for name in (OLD_NAME, NEW_NAME):
            assert await one.read(f"simple/demo/{name}") == origin.files[name]
            await reached(lambda name=name: name in stored_names(one))  # type: ignore[misc]
        assert one.node.hosts.rate("https://files.corp.example") is not None, "it was decided by what the line has shown"
    if in_parts:
        assert origin.sent_bytes[NEW_NAME] < 1.1 * (NEW_BYTES + TAIL_BYTES)
    else:
        assert origin.sent_bytes[NEW_NAME] == len(origin.files[NEW_NAME])


async def test_by_itself_it_looks_for_nothing_in_the_first_wheel_of_a_project(tmp_path: Path, mock_clock: MockClock) -> None:
    parts = PARTS | {"demo/large.bin": incompressible(1 << 20, "large enough that its time tells something")}
    other_name = wheel_filename("other", "1.0")
    origin = MemoryOrigin()
    origin.add("demo", OLD_NAME, build_wheel("demo", "1.0", files=parts))
    origin.add("other", other_name, build_wheel("other", "1.0", files=parts | NEW))
    origin.pause = SecondsEach(mock_clock, 0.01)
    async with service(tmp_path / "s", [origin], delta="auto") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == origin.files[OLD_NAME]
        await reached(lambda: OLD_NAME in stored_names(one))
        origin.asked.clear()
        assert await one.read(f"simple/other/{other_name}") == origin.files[other_name]
    assert origin.sent_bytes[other_name] == len(origin.files[other_name])
    assert len(origin.asked) == 2, "its tail, when it was opened, and the rest"


async def test_tiny_empty_and_gzipped_members_are_taken_from_the_store_too(tmp_path: Path) -> None:
    files = dict(PARTS)
    for name in PARTS:
        files |= {f"{name}.tiny": name.encode(), f"{name}.empty": b""}
    files["demo/big.json.gz"] = incompressible(300_000, "gz")
    origin = MemoryOrigin()
    old = build_wheel("demo", "1.0", files=files, compression="stored")
    new = build_wheel("demo", "1.1", files=files, compression="stored", made_at=(2022, 2, 2, 0, 0, 0))
    origin.add("demo", OLD_NAME, old)
    origin.add("demo", NEW_NAME, new)
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == old
        await is_stored(one, OLD_NAME)
        origin.asked.clear()
        assert await one.read(f"simple/demo/{NEW_NAME}") == new
        # All that is asked for is the tail, and the head of the gzipped member with its header: the build time is in it.
        assert origin.sent_bytes[NEW_NAME] < TAIL_BYTES + 200
        assert len(origin.asked) <= 3


@pytest.mark.parametrize(
    "error",
    [StoreDamaged("read block 1", "it is missing"), StoreError("read block 1", "it is kept inflated, and zlib is another")],
    ids=["gone", "solid"],
)
async def test_members_that_cannot_be_read_any_more_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        read, calls = one.store.chunks.read, 0

        def damaged(extent: object) -> bytes:
            nonlocal calls
            calls += 1
            if calls % 5 == 0:  # a member has two extents
                raise error
            return read(extent)  # type: ignore[arg-type]

        monkeypatch.setattr(one.store.chunks, "read", damaged)
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        await is_stored(one, NEW_NAME)
        assert calls
        assert NEW_BYTES + 4 * 30_000 < origin.sent_bytes[NEW_NAME] < len(NEW_WHEEL)


@pytest.mark.parametrize("error", [OriginFault("fetch", "it broke off"), OriginUnreachable("fetch", "it is gone")], ids=repr)
async def test_an_origin_that_fails_is_told_of_and_asked_again(tmp_path: Path, error: Exception) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        file = await one.open(f"simple/demo/{NEW_NAME}")
        origin.troubles.extend([Trouble(after_bytes=0, error=error)] * 40)
        with pytest.raises((OriginFault, OriginUnreachable)):
            await file.read(0, 100)
        file.close()
        origin.troubles.clear()
        await until(lambda: one.node.hosts.may_ask("https://files.corp.example/x"))
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL


async def test_ranges_that_break_off_are_resumed_as_long_as_they_bring_something(tmp_path: Path) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        await one.open(f"simple/demo/{NEW_NAME}")
        origin.fate = lambda: Trouble(after_bytes=16_384, error=OriginFault("fetch", "it broke off"))
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        assert origin.sent_bytes[NEW_NAME] < 1.1 * (NEW_BYTES + TAIL_BYTES)


@pytest.mark.parametrize("ignores_range", [False, True])
async def test_a_tail_that_an_earlier_run_has_brought_does_not_come_again(tmp_path: Path, ignores_range: bool) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        (await one.open(f"simple/demo/{NEW_NAME}")).close()
    assert 0 < origin.sent_bytes[NEW_NAME] <= TAIL_BYTES
    origin.fate = lambda: Trouble(ignores_range=ignores_range)
    origin.requests.clear()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        await is_stored(one, NEW_NAME)
    if ignores_range:
        assert origin.requests["range"] == 1
    else:
        assert origin.sent_bytes[NEW_NAME] < 1.1 * (NEW_BYTES + TAIL_BYTES)


async def test_an_origin_that_stops_knowing_ranges_is_read_once(tmp_path: Path) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        await one.open(f"simple/demo/{NEW_NAME}")
        origin.fate = lambda: Trouble(ignores_range=True)
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        await is_stored(one, NEW_NAME)


async def test_a_file_of_which_everything_is_stored_costs_its_tail(tmp_path: Path) -> None:
    origin = origin_with_both()
    origin.add("demo", NEW_NAME, build_wheel("demo", "1.0", files=PARTS, made_at=(2023, 1, 1, 0, 0, 0)))
    async with service(tmp_path / "s", [origin], delta="always", strict=True) as one:
        await one.read(f"simple/demo/{OLD_NAME}")
        assert await one.read(f"simple/demo/{NEW_NAME}") == origin.files[NEW_NAME]
    assert origin.sent_bytes[NEW_NAME] <= TAIL_BYTES


@pytest.mark.parametrize("moments", [1, 4])
async def test_a_file_that_is_another_one_for_a_moment_comes_right_in_the_end(tmp_path: Path, moments: int) -> None:
    """The directory is of the true file, ranges after it of another: what was fetched is as doubtful as what was assumed."""
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always", strict=True) as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        origin.troubles.extend([None] + [Trouble(content=OTHER_WHEEL)] * moments)
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        await is_stored(one, NEW_NAME)
        assert not origin.troubles
        assert origin.sent_bytes[NEW_NAME] > len(NEW_WHEEL) + NEW_BYTES


async def test_a_file_that_stays_another_one_is_never_stored(tmp_path: Path) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always", strict=True) as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        origin.troubles.append(None)
        origin.fate = lambda: Trouble(content=OTHER_WHEEL)
        with pytest.raises(ContentMismatch):
            await one.open(f"simple/demo/{NEW_NAME}")
        assert [name.filename for name in one.store.catalog.stored_names("demo")] == [OLD_NAME]


async def test_a_file_of_another_size_is_the_origins_fault_and_costs_nothing_when_it_is_back(tmp_path: Path) -> None:
    origin = origin_with_both()
    async with service(tmp_path / "s", [origin], delta="always") as one:
        assert await one.read(f"simple/demo/{OLD_NAME}") == OLD_WHEEL
        await is_stored(one, OLD_NAME)
        file = await one.open(f"simple/demo/{NEW_NAME}")
        origin.files[NEW_NAME] = NEW_WHEEL + b"more"
        with pytest.raises(OriginFault, match="were announced"):
            await file.read(0, 100)
        file.close()
        origin.files[NEW_NAME] = NEW_WHEEL
        assert await one.read(f"simple/demo/{NEW_NAME}") == NEW_WHEEL
        assert origin.sent_bytes[NEW_NAME] < 1.1 * (NEW_BYTES + TAIL_BYTES)


async def test_after_wrong_assumptions_only_they_are_fetched_also_when_that_breaks_off(tmp_path: Path) -> None:
    lie = forged(PARTS["demo/part01.bin"][::-1], PARTS["demo/part01.bin"])
    new = build_wheel("demo", "1.1", files=PARTS | NEW | {"demo/part01.bin": lie}, compression="stored")
    origin = MemoryOrigin()
    origin.add("demo", OLD_NAME, build_wheel("demo", "1.0", files=PARTS, compression="stored"))
    origin.add("demo", NEW_NAME, new)
    async with service(tmp_path / "s", [origin], delta="always") as one:
        await one.read(f"simple/demo/{OLD_NAME}")
        await is_stored(one, OLD_NAME)
        await one.open(f"simple/demo/{NEW_NAME}")
        origin.fate = lambda: Trouble(after_bytes=49_152, error=OriginFault("fetch", "it broke off"))
        assert await one.read(f"simple/demo/{NEW_NAME}") == new
        await is_stored(one, NEW_NAME)
    assert origin.sent_bytes[NEW_NAME] == len(new), "every byte came once"


async def test_readers_beside_the_fetch_wait_for_what_is_assumed(tmp_path: Path) -> None:
    lies = {name: forged(content[::-1], content) for name, content in PARTS.items() if name.endswith(("1.bin", "5.bin"))}
    new = build_wheel("demo", "1.1", files=PARTS | NEW | lies, compression="stored")
    origin = MemoryOrigin()
    origin.add("demo", OLD_NAME, build_wheel("demo", "1.0", files=PARTS, compression="stored"))
    origin.add("demo", NEW_NAME, new)
    async with service(tmp_path / "s", [origin], delta="always") as one:
        await one.read(f"simple/demo/{OLD_NAME}")
        await is_stored(one, OLD_NAME)
        file = await one.open(f"simple/demo/{NEW_NAME}")

        async def read(offset: int) -> None:
            data = bytes(await file.read(offset, 50_000))
            assert data
            assert data == new[offset : offset + len(data)]

        async with trio.open_nursery() as nursery:
            for offset in range(0, len(new), 20_000):
                nursery.start_soon(read, offset)
        await is_stored(one, NEW_NAME)
        file.close()
    assert origin.sent_bytes[NEW_NAME] <= len(new) + 262_144
