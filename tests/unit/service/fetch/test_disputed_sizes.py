"""A page that is wrong about a file's size: the digest decides, else the server, and the right size is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import ContentMismatch, OriginError

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
SMALL = build_wheel("demo", "1.0")
LARGE = build_wheel("demo", "1.0", big_bytes=3_000_000)


def origin_saying(content: bytes, size_bytes: int, *, hashed: bool) -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", NAME, content, hashed=hashed)
    page = origin.pages["demo"]
    (link,) = page.files
    origin.pages["demo"] = msgspec.structs.replace(page, files=(msgspec.structs.replace(link, size_bytes=size_bytes),))
    return origin


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("said", [1, 100, 200_000, 2_999_999, 4_000_000])
@pytest.mark.parametrize("hashed", [True, False])
async def test_the_file_is_read_and_its_right_size_kept(tmp_path: Path, content: bytes, said: int, hashed: bool) -> None:
    origin = origin_saying(content, said, hashed=hashed)
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == content
        assert (await one.node_at(PATH)).attributes.size_bytes == len(content)
    async with service(tmp_path / "s", [origin]) as one:
        assert (await one.node_at(PATH)).attributes.size_bytes == len(content)
        assert await one.read(PATH) == content


async def test_a_file_of_a_disputed_size_is_not_opened_before_its_digest_is_right(tmp_path: Path) -> None:
    origin = origin_saying(LARGE, len(LARGE), hashed=True)
    origin.fate = lambda: Trouble(content=LARGE[:-1000])
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(ContentMismatch):
            await one.open(PATH)
        origin.fate = None
        assert not one.store.catalog.stored_names("demo")


async def test_one_wrong_answer_about_the_size_costs_one_more_fetch(tmp_path: Path) -> None:
    origin = origin_saying(LARGE, len(LARGE), hashed=True)
    origin.troubles.append(Trouble(content=LARGE[:-1000]))
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == LARGE


async def test_a_server_that_says_another_size_each_time_is_an_error(tmp_path: Path) -> None:
    origin = origin_saying(LARGE, 17, hashed=True)
    lengths = iter(range(1, 1_000))
    origin.fate = lambda: Trouble(content=LARGE[: -next(lengths)])
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginError):
            await one.read(PATH)
