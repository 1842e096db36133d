"""When a process gives memory back: at rest after a burst of work, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import trio

from wheelfs.service import upkeep
from wheelfs.service.upkeep import Rest, UpkeepLimits, keep_in_order

if TYPE_CHECKING:
    import pytest

MB = 1 << 20


def rests(*seen_mb: float) -> list[bool]:
    """Return for each look whether the process rests, where 50 MB are left after each giving back."""
    rest, answers = Rest(UpkeepLimits()), []
    rest.gave_back(50 * MB)
    for mb in seen_mb:
        answers.append(rest.has_come(int(mb * MB)))
        if answers[-1]:
            rest.gave_back(50 * MB)
    return answers


def test_a_burst_is_over_when_memory_no_longer_changes() -> None:
    assert rests(60, 80, 110, 110.5) == [False, False, False, True]


def test_what_is_left_at_rest_is_no_burst() -> None:
    assert rests(50, 50, 53, 53) == [False] * 4


def test_memory_is_given_back_once_for_a_burst() -> None:
    assert rests(90, 90, 50, 50) == [False, True, False, False]


def test_a_burst_after_the_system_took_memory_back_is_noticed() -> None:
    assert rests(30, 30, 36, 36) == [False, False, False, True]


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
    taken = iter([50 * MB, 90 * MB, 90 * MB, 55 * MB, 55 * MB, 55 * MB])

    def resident_bytes() -> int:
        now = next(taken, None)
        if now is None:
            scope.cancel()
        return now or 55 * MB

    monkeypatch.setattr(upkeep, "resident_bytes", resident_bytes)
    monkeypatch.setattr(upkeep, "mapped_bytes", lambda: 0)
    monkeypatch.setattr(upkeep, "give_back", lambda: given.append(store.released))
    with trio.fail_after(30), trio.CancelScope() as scope:
        await keep_in_order(cast("Any", store), cast("Any", store), UpkeepLimits(poll_s=0.0))
    assert given == [1]
