"""Which readers get the last bytes of a file before it is stored: those whose bytes have its hash, and no others."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.programs import Program
from tests.fakes.services import READ_BYTES, Service, rest_of, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.errors import ContentMismatch
from wheelfs.service.vfs.clients.client import CLIENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = wheel_filename("app", "1.0")
WHEEL = build_wheel("app", "1.0", big_bytes=2_000_000)
PATH = f"simple/app/{NAME}"


@asynccontextmanager
async def storing_held_up(path: Path, content: bytes) -> AsyncIterator[tuple[Service, trio.Event]]:
    """Run the service with an index that serves ``content`` as the wheel; nothing is stored until the event is set."""
    origin = MemoryOrigin()
    origin.add("app", NAME, WHEEL)
    origin.files[NAME] = content
    may_store = trio.Event()
    async with service(path, [origin]) as one:
        seal = one.node.fetching.seal

        async def held_up(*arguments: Any, **named: Any) -> bytes:
            await may_store.wait()
            return await seal(*arguments, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(one.node.fetching, "seal", held_up)
            try:
                yield one, may_store
            finally:
                may_store.set()
                await until(lambda: one.node.whole_wheels.is_idle)


async def test_an_installer_has_all_of_a_wheel_before_it_is_stored(tmp_path: Path) -> None:
    CLIENT.set(Program(Purpose.INSTALLING))
    async with storing_held_up(tmp_path / "s", WHEEL) as (one, _):
        file = await one.open(PATH)
        with trio.fail_after(60):
            assert await rest_of(file) == WHEEL
            assert await file.read(len(WHEEL) - 100, READ_BYTES) == WHEEL[-100:]
        file.close()


@pytest.mark.parametrize("purpose", [Purpose.INSTALLING, Purpose.UNKNOWN])
async def test_who_skips_a_part_waits_for_the_end_until_it_is_stored(tmp_path: Path, purpose: Purpose) -> None:
    CLIENT.set(Program(purpose))
    async with storing_held_up(tmp_path / "s", WHEEL) as (one, may_store):
        file = await one.open(PATH)
        assert await file.read(0, READ_BYTES) == WHEEL[:READ_BYTES]
        assert await rest_of_most(file) == WHEEL[READ_BYTES + 1 : -READ_BYTES]
        with trio.move_on_after(0.05) as waiting:
            await file.read(len(WHEEL) - 100, 100)
        assert waiting.cancelled_caught
        may_store.set()
        assert await file.read(len(WHEEL) - 100, 100) == WHEEL[-100:]
        file.close()


async def rest_of_most(file: Any) -> bytes:
    """Read on, except for one byte and the last ones."""
    found = bytearray()
    while len(found) < len(WHEEL) - 2 * READ_BYTES - 1:
        start = READ_BYTES + 1 + len(found)
        found += await file.read(start, min(READ_BYTES, len(WHEEL) - READ_BYTES - start))
    return bytes(found)


async def test_wrong_bytes_are_not_given_to_the_end(tmp_path: Path) -> None:
    CLIENT.set(Program(Purpose.INSTALLING))
    wrong = WHEEL[:1_000_000] + b"wrong" + WHEEL[1_000_005:]
    async with storing_held_up(tmp_path / "s", wrong) as (one, may_store):
        file = await one.open(PATH)
        given = bytes(await file.read(0, READ_BYTES))
        while len(given) < len(WHEEL) - 2 * READ_BYTES:
            given += await file.read(len(given), READ_BYTES)
        assert given == wrong[: len(given)]
        may_store.set()
        with pytest.raises(ContentMismatch):
            await rest_of(file, len(given))
        file.close()
