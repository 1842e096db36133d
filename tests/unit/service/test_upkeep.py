"""When a process gives memory back: at rest after a burst of work, once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import trio

from wheelfs.errors import StoreFull
from wheelfs.service import upkeep
from wheelfs.service.upkeep import Rest, UpkeepLimits, keep_in_order

if TYPE_CHECKING:
    import pytest


def rests(*used_s: float) -> list[bool]:
    """Return for each look whether the process has come to rest, given the processor time it has taken until then."""
    rest = Rest(UpkeepLimits())
    return [rest.has_come(seconds) for seconds in used_s]


def test_a_burst_is_over_when_the_process_hardly_works() -> None:
    assert rests(1.0, 1.8, 2.5, 2.51) == [False, False, False, True]


def test_memory_is_given_back_once_for_a_burst() -> None:
    assert rests(1.0, 1.01, 1.02, 1.03) == [False, True, False, False]


def test_a_little_work_is_no_burst() -> None:
    assert rests(1.0, 1.01, 1.1, 1.11, 1.2, 1.21) == [False, True, False, False, False, False]


def test_after_a_pause_in_the_midst_of_a_burst_its_end_is_noticed() -> None:
    assert rests(1.0, 1.01, 1.9, 2.8, 2.81) == [False, True, False, False, True]


class _Store:
    """Counts how often its map was given back; nothing else of a store has anything to do."""

    def __init__(self) -> None:
        self.released = 0

    def release_mapping(self) -> None:
        self.released += 1

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *words: object, **options: object) -> None: ...


async def test_a_service_gives_back_what_a_burst_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    store, given = _Store(), []
    used_s = iter([1.0, 2.0, 2.0, 2.0, 2.01])

    def process_time() -> float:
        now = next(used_s, None)
        if now is None:
            scope.cancel()
        return now or 2.01

    monkeypatch.setattr(upkeep, "time", SimpleNamespace(process_time=process_time))
    monkeypatch.setattr(upkeep, "mapped_bytes", lambda: 0)
    monkeypatch.setattr(upkeep, "give_back", lambda: given.append(store.released))
    with trio.fail_after(30), trio.CancelScope() as scope:
        await keep_in_order(cast("Any", store), cast("Any", store), UpkeepLimits(poll_s=0.0))
    assert given == [1]


async def test_the_store_is_looked_after_while_much_of_it_becomes_solid(caplog: pytest.LogCaptureFixture) -> None:
    done, rounds = threading.Event(), 0

    class Busy(_Store):
        def keep_limits(self) -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 4:
                done.set()

        def solidify_if_due(self) -> None:
            if not done.is_set():
                assert done.wait(30)
                raise StoreFull("make it solid", "the disk is full")

    store = Busy()
    with trio.move_on_after(30) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_in_order, cast("Any", store), cast("Any", store), UpkeepLimits(poll_s=0.0, store_s=0.0))
            while "the disk is full" not in caplog.text:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
