"""Files from a share that tells how they are made: only what is new comes, and nothing that is wrong is kept or shown."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.compositions import chunk_bounds, composition_of
from tests.fakes.origins import MemoryOrigin, MemoryShare, Trouble
from tests.fakes.services import Service, service
from tests.fakes.waiting import DEADLINE_S, reached, until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import ContentChanged, OriginFault, OriginUnreachable
from wheelfs.service.fetch.limits import FETCH_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

OLD, NEW = wheel_filename("demo", "1.0"), wheel_filename("demo", "1.1")
PARTS = {f"demo/part{number:02}.bin": incompressible(40_000, f"part {number}") for number in range(40)}
CHANGED = {"demo/part20.bin": incompressible(150_000, "new"), "demo/part33.bin": incompressible(90_000, "newer")}
FIRST = build_wheel("demo", "1.0", files=PARTS)
SECOND = build_wheel("demo", "1.1", files=PARTS | CHANGED, made_at=(2022, 2, 2, 0, 0, 0))
COMPOSITION = composition_of(SECOND)
MANIFEST_BYTES = COMPOSITION.manifest.encoded_bytes
CHUNKS = chunk_bounds(COMPOSITION)
WRONG = next(start for start, _ in CHUNKS if start > len(SECOND) // 2)


def lab(*, tells: bool = True) -> tuple[MemoryOrigin, MemoryShare]:
    index, share = MemoryOrigin(), MemoryShare(tells_manifests=tells)
    for name, content in ((OLD, FIRST), (NEW, SECOND)):
        index.add("demo", name, content)
        share.add(content)
    return index, share


def sent(share: MemoryShare, content: bytes) -> int:
    return share.origin.sent_bytes[hashlib.sha256(content).hexdigest()]


async def read(one: Service, name: str) -> bytes:
    content = await one.read(f"simple/demo/{name}")
    await until(lambda: one.node.downloads.is_idle)
    assert any(stored.filename == name for stored in one.store.catalog.stored_names("demo"))
    return content


def damaged(at: int = WRONG + 5) -> bytes:
    content = bytearray(SECOND)
    content[at] ^= 1
    return bytes(content)


@pytest.mark.parametrize("delta", ["always", "auto"])
async def test_an_upgrade_costs_the_manifest_and_new_chunks_and_less_than_by_members(tmp_path: Path, delta: str) -> None:
    costs = {}
    for tells in (True, False):
        index, share = lab(tells=tells)
        async with service(tmp_path / f"{tells}", [index], shares=[share], delta=delta) as one:  # type: ignore[arg-type]
            assert await read(one, OLD) == FIRST
            before = one.counters.so_far()
            assert await read(one, NEW) == SECOND
            after = one.counters.so_far()
        assert not index.requests["range"]
        costs[tells] = sent(share, SECOND) + (MANIFEST_BYTES if tells else 0)
        assert after.fetched_bytes - before.fetched_bytes == costs[tells]
        if tells:
            new_bytes = sum(map(len, CHANGED.values()))
            assert costs[True] < 1.05 * new_bytes + MANIFEST_BYTES + 32 * 1024
            assert after.delta_saved_bytes > len(SECOND) - new_bytes - 64 * 1024
    assert costs[True] < costs[False]


async def test_of_a_first_version_nothing_comes_twice(tmp_path: Path) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await read(one, NEW) == SECOND
        assert one.counters.so_far().delta_saved_bytes == 0
    assert (share.origin.requests["manifest"], index.requests["range"]) == (1, 0)
    assert sent(share, SECOND) + MANIFEST_BYTES <= 1.02 * len(SECOND)


async def test_a_chunk_that_is_wrong_once_is_asked_for_again(tmp_path: Path) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        (await one.open(f"simple/demo/{NEW}")).close()
        share.origin.troubles.append(Trouble(content=damaged()))
        assert await read(one, NEW) == SECOND
    assert index.requests["range"] == 0


async def test_a_chunk_that_stays_wrong_is_seen_by_nobody_and_the_index_gives_the_rest_alone(tmp_path: Path) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        file = await one.open(f"simple/demo/{NEW}")
        share.origin.fate = lambda: Trouble(content=damaged())
        got = b""
        while piece := await file.read(len(got), 64 * 1024):
            got += piece
            assert SECOND.startswith(got)
        assert got == SECOND
        file.close()
    assert 0 < index.sent_bytes[NEW] <= len(SECOND) - WRONG


async def test_where_nobody_else_gives_a_wrong_chunk_that_is_an_error_and_what_was_right_is_kept(tmp_path: Path) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        file = await one.open(f"simple/demo/{NEW}")
        share.origin.fate = lambda: Trouble(content=damaged())
        index.fate = lambda: Trouble(after_bytes=0, error=OriginFault("ask", "it is broken"))
        with pytest.raises(OriginFault, match="it is broken"):
            await file.read(WRONG, 1_000)
        assert one.store.catalog.stored_names("demo") == []
        assert await file.read(0, 64 * 1024) == SECOND[: 64 * 1024]
        file.close()


async def test_a_manifest_that_lies_does_not_get_its_lie_stored(tmp_path: Path) -> None:
    index, share = lab()
    lie = build_wheel("demo", "1.1", files=PARTS | {name: content[::-1] for name, content in CHANGED.items()})
    lie += b"\0" * (len(SECOND) - len(lie))
    assert len(lie) == len(SECOND)
    digest = hashlib.sha256(SECOND).digest()
    share.origin.files[digest.hex()] = lie
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        await read_until_right(one)
        await until(lambda: one.store.holds(digest))
        assert not one.store.holds(hashlib.sha256(lie).digest())


async def read_until_right(one: Service) -> None:
    """Read as a client does that compares hashes, and is told when what it read was of no use."""
    with trio.fail_after(DEADLINE_S):
        while True:
            with suppress(ContentChanged):
                if await one.read(f"simple/demo/{NEW}") == SECOND:
                    return


async def test_what_is_stored_is_not_taken_where_that_is_forbidden_and_what_comes_is_compared_all_the_same(
    tmp_path: Path,
) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share], delta="never") as one:
        assert await read(one, OLD) == FIRST
        (await one.open(f"simple/demo/{NEW}")).close()
        share.origin.troubles.append(Trouble(content=damaged()))
        assert await read(one, NEW) == SECOND
        assert one.counters.so_far().delta_saved_bytes == 0
    assert index.requests["range"] == 0


async def test_a_stored_chunk_that_cannot_be_read_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await read(one, OLD) == FIRST
        monkeypatch.setattr("wheelfs.service.fetch.from_manifest.read_verified", lambda *_: None)
        assert await read(one, NEW) == SECOND
        assert one.counters.so_far().delta_saved_bytes == 0
    assert index.requests["range"] == 0


async def test_a_reader_gets_what_is_compared_before_the_rest_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        file = await one.open(f"simple/demo/{NEW}")
        share.origin.pause = Until(lambda: sent(share, SECOND) < 800_000)  # and then it stalls
        assert await file.read(0, 100_000) == SECOND[:100_000]
        assert not one.store.catalog.stored_names("demo")
        file.close()


async def test_a_share_that_goes_away_in_the_middle_leaves_the_rest_to_an_index_without_ranges(tmp_path: Path) -> None:
    index, share = lab()
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        (await one.open(f"simple/demo/{NEW}")).close()
        share.origin.fate = lambda: Trouble(after_bytes=400_000, error=OriginUnreachable("ask", "it is gone"))
        index.fate = lambda: Trouble(ignores_range=True)
        assert await read(one, NEW) == SECOND


class Until:
    """Lets answers go on as long as something holds."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        self._holds = holds

    async def wait(self) -> None:
        if not self._holds():
            await trio.sleep_forever()


@pytest.mark.parametrize("size_bytes", [10_000, 120_000, 250_000])
async def test_small_files_come_in_one_answer_or_by_their_manifest(tmp_path: Path, size_bytes: int) -> None:
    index, share = MemoryOrigin(), MemoryShare(tells_manifests=True)
    content = build_wheel("demo", "1.0", big_bytes=size_bytes)
    index.add("demo", OLD, content)
    share.add(content)
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await read(one, OLD) == content
    assert (share.origin.requests["manifest"], index.requests["range"]) == (int(size_bytes > 192 * 1024), 0)


async def test_a_share_that_hangs_when_asked_how_a_file_is_made_costs_a_moment(tmp_path: Path, mock_clock: MockClock) -> None:
    index, share = lab()
    share.hangs = True
    done = False

    async def reader(one: Service) -> None:
        nonlocal done
        assert await one.read(f"simple/demo/{NEW}") == SECOND
        done = True

    async with service(tmp_path / "s", [index], shares=[share]) as one, trio.open_nursery() as nursery:
        nursery.start_soon(reader, one)
        await reached(lambda: share.origin.requests["manifest"] == 1)
        mock_clock.jump(FETCH_LIMITS.hedge_delay_s)
        await reached(lambda: done)
    assert share.origin.requests["range"] == 0


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "with an index"])
async def test_a_share_that_tells_nonsense_of_a_file_is_asked_for_it_only_where_nobody_else_is_there(
    tmp_path: Path, is_alone: bool
) -> None:
    index, share = lab()
    share.tells_nonsense = True
    share.origin.files[hashlib.sha256(SECOND).hexdigest()] = SECOND if is_alone else damaged()
    if is_alone:
        index.fate = lambda: Trouble(after_bytes=0, error=OriginUnreachable("ask", "refused"))
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        if is_alone:
            with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", index.pages["demo"].files[0].url, timeout_s=1.0):
                raise OriginUnreachable("ask", "refused")
        assert await read(one, NEW) == SECOND
    assert bool(sent(share, SECOND)) == is_alone
