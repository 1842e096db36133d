"""Files on their way: every byte served is true, each is fetched once, and every wait ends, whatever the origin does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio
import trio.testing

from tests.fakes.origins import PIECE_BYTES, MemoryOrigin, Trouble
from tests.fakes.services import Service, rest_of, service
from tests.fakes.waiting import reached, until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.http.ranges import Range, Suffix
from wheelfs.errors import (
    InternalError,
    OriginDenied,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
    OriginUnreachable,
    StoreDamaged,
    StoreFull,
)
from wheelfs.service.fetch.limits import FETCH_LIMITS, FetchLimits
from wheelfs.service.limits import ServiceLimits

if TYPE_CHECKING:
    from trio.testing import MockClock

    from wheelfs.errors import WheelfsError

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)
OTHER = build_wheel("demo", "1.0", big_bytes=3_000_000, big_seed="other")
SMALL = build_wheel("demo", "1.0", big_bytes=50_000)
SLACK_BYTES = 300_000
OPEN_S = 30.0


def origin_with(content: bytes = WHEEL, *, hashed: bool = True, sized: bool = True, name: str = "corp") -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    origin.add("demo", NAME, content, hashed=hashed, sized=sized)
    return origin


async def until_stored(one: Service) -> None:
    await until(lambda: any(name.filename == NAME for name in one.store.catalog.stored_names("demo")) and not descriptors())


def descriptors() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if "spool" in target:
            found.add(target)
    return found


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("content", [WHEEL, SMALL], ids=["large", "small"])
async def test_a_file_is_read_stored_and_found_again_offline(tmp_path: Path, content: bytes, hashed: bool, sized: bool) -> None:
    origin = origin_with(content, hashed=hashed, sized=sized)
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == content
        await until_stored(one)
    async with service(tmp_path / "s", [origin], offline=True) as one:
        assert await one.read(PATH) == content
    assert origin.sent_bytes[NAME] <= len(content) + SLACK_BYTES


async def test_what_a_reader_waits_for_is_given_when_it_is_here_and_not_when_more_is(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        origin.pause = held = trio.Event()
        with trio.fail_after(5):
            assert await file.read(0, 1_000) == WHEEL[:1_000], "the origin has sent a first piece, and no other one"
        held.set()
        file.close()
        await until_stored(one)


async def test_many_openers_share_one_request_for_the_tail(tmp_path: Path) -> None:
    origin = origin_with(sized=False)
    async with service(tmp_path / "s", [origin]) as one, trio.open_nursery() as nursery:
        await one.lookup("simple/demo")
        for _ in range(30):
            nursery.start_soon(one.open, PATH)
            nursery.start_soon(one.lookup, f"{PATH}.metadata")
    assert origin.requests["range"] == 1
    assert isinstance(origin.asked[0], Suffix)
    assert origin.requests["page"] == 1


async def test_many_readers_share_one_stream_and_no_byte_comes_twice(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        async with trio.open_nursery() as nursery:

            async def reader(offset: int) -> None:
                file = await one.open(PATH)
                assert await rest_of(file, offset) == WHEEL[offset:]
                file.close()

            for offset in range(0, len(WHEEL), 250_000):
                nursery.start_soon(reader, offset)
        await until_stored(one)
    assert origin.sent_bytes[NAME] <= len(WHEEL) + 4 * SLACK_BYTES


async def test_the_stream_does_not_receive_again_what_a_reader_ahead_has_brought(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        origin.gate = held = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.read, 0, 1000)
            await trio.testing.wait_all_tasks_blocked()
            origin.gate = None  # the main stream is held at its first byte; this one passes it
            assert await file.read(2_200_000, 600_000) == WHEEL[2_200_000:2_800_000]
            held.set()
        file.close()
        await until_stored(one)
    assert Range(2_800_000, origin.asked[1].end) in origin.asked  # type: ignore[union-attr]
    assert origin.sent_bytes[NAME] <= len(WHEEL) + SLACK_BYTES


@pytest.mark.parametrize("after_bytes", [0, 1, 20_000, 1_000_000])
async def test_a_stalled_origin_ends_every_wait_with_a_time_out(tmp_path: Path, after_bytes: int) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin], open_s=0.3) as one:
        file = await one.open(PATH)
        origin.fate = lambda: Trouble(after_bytes=after_bytes)
        with trio.fail_after(20), pytest.raises((OriginTimeout, OriginUnreachable)):
            await rest_of(file)
        file.close()


async def test_all_who_wait_for_a_stalled_open_end_together(tmp_path: Path) -> None:
    origin = origin_with()
    origin.fate = lambda: Trouble(after_bytes=0)
    ended: list[WheelfsError] = []
    async with service(tmp_path / "s", [origin], open_s=0.3) as one:
        await one.lookup(PATH)

        async def opener() -> None:
            with pytest.raises(OriginTimeout) as caught:
                await one.open(PATH)
            ended.append(caught.value)

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(opener)
    assert (len(ended), origin.requests["range"]) == (40, 1)


ERRORS = [OriginUnreachable("x", "y"), OriginDenied("x", "y"), OriginMissing("x", "y"), OriginFault("x", "y")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_openers_and_readers_get_the_origins_error_and_it_passes(tmp_path: Path, error: OriginError) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        origin.fate = lambda: Trouble(after_bytes=0, error=error)
        with pytest.raises(type(error)):
            await one.open(PATH)
        if isinstance(error, OriginUnreachable):
            return  # the host is down now, until a probe says otherwise
        origin.fate = None
        file = await one.open(PATH)
        origin.fate = lambda: Trouble(after_bytes=0, error=error)
        with pytest.raises(type(error)):
            await file.read(0, 1000)
        origin.fate = None
        assert await rest_of(file) == WHEEL
        file.close()


async def test_a_bug_in_a_stream_fails_its_waiters_and_nothing_else(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        origin.troubles.append(Trouble(after_bytes=30_000, error=RuntimeError("a bug")))
        with pytest.raises(InternalError):
            await one.open(PATH)
        origin.page_troubles.append(KeyError("a bug"))
        await one.lookup("simple/other")
        with pytest.raises(InternalError):
            await one.read("simple/other/index.html")
        assert await one.read(PATH) == WHEEL


async def test_an_origin_that_ignores_ranges_and_breaks_off_at_the_same_place_is_given_up(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        origin.fate = lambda: Trouble(after_bytes=1_000_000, error=OriginFault("fetch", "reset"), ignores_range=True)
        with trio.fail_after(20), pytest.raises(OriginFault):
            await rest_of(file)
        file.close()
    assert origin.requests["range"] < 10


async def test_the_rest_of_a_range_that_came_in_part_is_asked_for_by_itself(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        origin.troubles.append(Trouble(at_most_bytes=40_000))
        file = await one.open(PATH)
        file.close()
        tail, rest = origin.asked
        assert isinstance(tail, Range)
        assert rest == Range(tail.start + 40_000, tail.end)


async def test_an_origin_that_sends_a_byte_of_every_range_is_given_up(tmp_path: Path) -> None:
    origin = origin_with()
    origin.fate = lambda: Trouble(at_most_bytes=1)
    async with service(tmp_path / "s", [origin]) as one:
        with trio.fail_after(20), pytest.raises(OriginFault, match="less than was asked for"):
            await one.open(PATH)
    assert origin.requests["range"] < 10


async def test_a_broken_stream_is_resumed_where_it_broke(tmp_path: Path) -> None:
    origin = origin_with()
    reset = OriginFault("fetch", "reset")
    origin.troubles.extend([None, *(Trouble(after_bytes=500_000, error=reset) for _ in range(5))])
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == WHEEL
    assert origin.sent_bytes[NAME] <= len(WHEEL) + SLACK_BYTES


async def test_an_opener_that_is_interrupted_takes_nothing_with_it(tmp_path: Path) -> None:
    origin = origin_with()
    origin.gate = trio.Event()
    async with service(tmp_path / "s", [origin]) as one:
        await one.lookup(PATH)
        with trio.move_on_after(0.05):
            await one.open(PATH)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.open, PATH)
            await trio.testing.wait_all_tasks_blocked()
            origin.gate.set()
    assert origin.requests["range"] == 1


async def test_waiters_end_when_the_mount_does(tmp_path: Path) -> None:
    origin = origin_with()
    origin.gate = trio.Event()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:

            async def opener(one: Service) -> None:
                with pytest.raises(OriginUnreachable):
                    await one.open(PATH)

            async with service(tmp_path / "s", [origin]) as one:
                await one.lookup(PATH)
                nursery.start_soon(opener, one)
                await trio.testing.wait_all_tasks_blocked()
    assert descriptors() == set()


async def test_no_room_is_an_error_that_passes_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)

        def full(*_: object) -> None:
            raise StoreFull("write", "no space left")

        with monkeypatch.context() as patch:
            patch.setattr("wheelfs.store.spool.file.SpoolFile.write", full)
            with pytest.raises(StoreFull):
                await file.read(0, 1000)
        assert await rest_of(file) == WHEEL
        file.close()


async def test_damage_in_the_store_is_told_with_the_wheels_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(tmp_path / "s", [origin_with()]) as one:
        await one.read(PATH)
        await until_stored(one)
        file = await one.open(PATH)

        def damaged(*_: object) -> bytes:
            raise StoreDamaged("read block 7", "its digest is wrong", "run: wheelfs verify")

        monkeypatch.setattr("wheelfs.store.chunks.sealed_file.SealedFile.read", damaged)
        with pytest.raises(StoreDamaged, match=NAME):
            await file.read(0, 10)


async def test_a_content_opened_by_another_name_is_found_by_it_without_any_index(tmp_path: Path) -> None:
    origin = origin_with()
    twin = wheel_filename("demo", "1.0", tag="py2-none-any")
    origin.add("demo", twin, WHEEL)
    alias = wheel_filename("alias", "1.0")
    origin.add("alias", alias, WHEEL)
    async with service(tmp_path / "s", [origin]) as one:
        first, second = await one.open(PATH), await one.open(f"simple/demo/{twin}")
        assert await rest_of(first) == await rest_of(second) == WHEEL
        await until_stored(one)
        assert await one.read(f"simple/alias/{alias}") == WHEEL
    assert origin.sent_bytes[NAME] + origin.sent_bytes[twin] <= len(WHEEL) + SLACK_BYTES
    async with service(tmp_path / "s", [], offline=True) as one:
        for path in (PATH, f"simple/demo/{twin}", f"simple/alias/{alias}"):
            assert await one.read(path) == WHEEL


async def test_a_new_address_of_the_same_content_is_used(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin], ttl_s=0) as one:
        (await one.open(PATH)).close()
        link = origin.pages["demo"].files[0]
        origin.files["moved.whl"] = origin.files.pop(NAME)
        moved = msgspec.structs.replace(link, url="https://files.corp.example/moved.whl")
        origin.pages["demo"] = msgspec.structs.replace(origin.pages["demo"], files=(moved,))
        await one.lookup(PATH)
        assert await one.read(PATH) == WHEEL


async def test_an_answer_without_a_length_ends_some_time(tmp_path: Path) -> None:
    short = ServiceLimits(fetch=FetchLimits(max_unsized_bytes=100_000))
    origin = origin_with(sized=False)
    origin.fate = lambda: Trouble(ignores_range=True, tells_size=False)
    async with service(tmp_path / "s", [origin], limits=short) as one:
        with pytest.raises(OriginFault, match="more than"):
            await one.read(PATH)
    assert any(isinstance(wanted, Suffix | Range) for wanted in origin.asked)


class Drip:
    """Lets an answer's next piece pass after ten seconds."""

    def __init__(self, origin: MemoryOrigin) -> None:
        self.origin = origin
        self.pieces = self.most_answers = 0

    async def wait(self) -> None:
        self.pieces += 1
        self.most_answers = max(self.most_answers, self.origin.open_answers)
        await trio.sleep(10)


async def test_a_file_that_waits_for_others_of_its_index_waits_for_no_silence(tmp_path: Path, mock_clock: MockClock) -> None:
    origin, at_once = MemoryOrigin(), FETCH_LIMITS.whole_streams
    wheels = {wheel_filename("demo", f"1.{n}"): build_wheel("demo", f"1.{n}", big_bytes=70_000) for n in range(at_once + 1)}
    for name, wheel in wheels.items():
        origin.add("demo", name, wheel)
    (pieces,) = {-(-len(wheel) // PIECE_BYTES) for wheel in wheels.values()}
    assert pieces * 10 > OPEN_S
    origin.pause = drip = Drip(origin)

    async def read(one: Service, name: str) -> None:
        assert await one.read(f"simple/demo/{name}") == wheels[name]

    async with service(tmp_path / "s", [origin], open_s=OPEN_S) as one, trio.open_nursery() as nursery:
        for name in wheels:
            nursery.start_soon(read, one, name)
        expected = 0
        for running in [at_once] * pieces + [1] * pieces:
            expected += running
            await reached(lambda expected=expected: drip.pieces >= expected)  # type: ignore[misc]
            mock_clock.jump(10)
    assert drip.most_answers == at_once
