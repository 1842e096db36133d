"""Central directories that take long to parse: neither the loop nor the end of the process waits for that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import trio
from msgspec.structs import replace

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import DEADLINE_S, reached
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.wheel import metadata
from wheelfs.service.limits import SERVICE_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)


async def test_a_long_directory_is_parsed_beside_the_loop_and_by_a_thread_that_nobody_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL)
    began, released, ended = (threading.Event() for _ in range(3))

    def hold(*_: object) -> None:
        began.set()
        released.wait(DEADLINE_S)
        ended.set()

    monkeypatch.setattr(metadata, "step", hold)
    limits = replace(SERVICE_LIMITS, fetch=replace(SERVICE_LIMITS.fetch, parse_at_once_bytes=0))
    try:
        async with service(tmp_path / "s", [origin], limits=limits) as one, trio.open_nursery() as nursery:
            nursery.start_soon(one.open, f"simple/demo/{NAME}")
            await reached(began.is_set)  # the loop goes on
            nursery.cancel_scope.cancel()
        assert not ended.is_set(), "the end of the service waited for it"
    finally:
        released.set()


def test_most_directories_are_parsed_at_once() -> None:
    """A thread costs more than the few members that most wheels have."""
    assert 100_000 < SERVICE_LIMITS.fetch.parse_at_once_bytes <= 1 << 20
