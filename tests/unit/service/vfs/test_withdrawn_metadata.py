"""Wheels that ``zipfile`` reads are read, and METADATA that cannot be read is not promised a second time."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.wheel.metadata import read_from
from wheelfs.core.wheel.zip_layout import NotAZip
from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=400_000)


@pytest.mark.parametrize("trailing", [b"\n", b"\0", b"junk" * 1_000, bytes(60_000)])
def test_bytes_after_the_end_record_are_passed_over_as_by_zipfile(trailing: bytes) -> None:
    content = WHEEL + trailing
    found = read_from(lambda start, size: content[start : start + size], len(content), 4_096, "demo")
    with zipfile.ZipFile(io.BytesIO(WHEEL)) as archive:
        assert found == archive.read("demo-1.0.dist-info/METADATA")


@pytest.mark.parametrize("size", [0, 1, 21])
def test_an_end_record_that_is_cut_is_none(size: int) -> None:
    content = WHEEL[: len(WHEEL) - 22 + size]
    with pytest.raises(NotAZip):
        read_from(lambda start, length: content[start : start + length], len(content), 4_096, "demo")


async def test_a_promise_found_false_is_withdrawn(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL.replace(b"\x08\0", b"\x5d\0"))  # all is packed by Zstandard, as it says
    origin.add("demo", wheel_filename("demo", "2.0"), build_wheel("demo", "2.0"))
    async with service(tmp_path / "s", [origin]) as one:
        assert b"data-core-metadata" in await one.read("simple/demo/index.html")
        with pytest.raises(OriginFault):
            await one.read(f"simple/demo/{NAME}.metadata")
        lines = (await one.read("simple/demo/index.html")).splitlines()
        assert [b"core-metadata" in line for line in lines if line.startswith(b"<a")] == [False, True]
        assert await one.read(f"simple/demo/{NAME}") == origin.files[NAME]
    # The page is asked for again, and is the same; then it is another one.
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        lines = (await one.read("simple/demo/index.html")).splitlines()
        assert [b"core-metadata" in line for line in lines if line.startswith(b"<a")] == [False, True]
        origin.add("demo", wheel_filename("demo", "3.0"), build_wheel("demo", "3.0"))
        lines = (await one.read("simple/demo/index.html")).splitlines()
        assert [b"core-metadata" in line for line in lines if line.startswith(b"<a")] == [True, True, True]
