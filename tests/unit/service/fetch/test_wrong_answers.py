"""Answers that are wrong: what is opened is right all the same, or opening it fails."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import rest_of, service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import ContentMismatch, OriginError, OriginFault
from wheelfs.service.limits import SERVICE_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)
GARBLED = WHEEL[:-3_000] + bytes(3_000)
LOGIN = b"<html>Please log in</html>" * 20_000


def origin_with(*, hashed: bool = True) -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=hashed)
    return origin


async def test_an_end_that_makes_no_sense_once_is_fetched_again_before_the_wheel_is_opened(tmp_path: Path) -> None:
    origin = origin_with()
    origin.troubles.append(Trouble(content=GARBLED))
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        assert await rest_of(file, len(WHEEL) - 5_000) == WHEEL[-5_000:]
        file.close()
        assert one.store.holds(hashlib.sha256(WHEEL).digest())


async def test_a_wheel_whose_end_never_makes_sense_cannot_be_opened(tmp_path: Path) -> None:
    origin = origin_with()
    origin.fate = lambda: Trouble(content=GARBLED)
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(ContentMismatch):
            await one.open(PATH)


@pytest.mark.parametrize("content", [GARBLED, LOGIN])
async def test_what_no_hash_vouches_for_and_is_no_wheel_cannot_be_opened_either(tmp_path: Path, content: bytes) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, content, hashed=False, sized=False)
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginFault, match="no wheel"):
            await one.open(PATH)
        assert one.store.catalog.counts().files == 0
        origin.files[NAME] = WHEEL
        assert await one.read(PATH) == WHEEL


async def test_a_mirror_that_is_mended_is_asked_again_soon(tmp_path: Path) -> None:
    origin = origin_with()
    origin.fate = lambda: Trouble(content=GARBLED)
    limits = replace(SERVICE_LIMITS, fetch=replace(SERVICE_LIMITS.fetch, quarantine_s=0.0))
    async with service(tmp_path / "s", [origin], limits=limits) as one:
        with pytest.raises(ContentMismatch):
            await one.open(PATH)
        origin.fate = None
        assert await one.read(PATH) == WHEEL
    assert SERVICE_LIMITS.fetch.quarantine_s <= 30, "an installer is run again within a minute or two"


@pytest.mark.parametrize("hashes", [None, {"sha512": hashlib.sha512(WHEEL).hexdigest()}])
async def test_a_reader_of_the_whole_file_does_not_get_wrong_bytes_to_the_end(
    tmp_path: Path, hashes: dict[str, str] | None
) -> None:
    wrong = WHEEL[:1_000_000] + b"evil" + WHEEL[1_000_004:]
    origin = origin_with(hashed=hashes is None)
    page = origin.pages["demo"]
    link = msgspec.structs.replace(page.files[0], other_hashes=hashes)
    origin.pages["demo"] = msgspec.structs.replace(page, files=(link,))
    origin.fate = lambda: Trouble(content=wrong)
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        try:
            assert await file.read(len(WHEEL) - 1_000, 1_000) == WHEEL[-1_000:], "the end alone is read as ever"
            with pytest.raises(OriginError):
                await rest_of(file)
        finally:
            file.close()


@pytest.mark.parametrize("hashed", [True, False])
async def test_a_file_that_is_empty_for_the_moment_is_asked_for_again_at_once(tmp_path: Path, hashed: bool) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=hashed, sized=False)
    origin.files[NAME] = b""
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginFault, match="empty"):
            await one.read(PATH)
        origin.files[NAME] = WHEEL
        assert await one.read(PATH) == WHEEL
