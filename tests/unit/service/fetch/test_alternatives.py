"""Two links of one name: the second is tried where the first is dead, as pip does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import OriginDenied, OriginError, OriginMissing, OriginUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.remote.origin import FileHead, RangeReply

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=700_000)


class TwiceLinked(MemoryOrigin):
    """Lists its file at ``dead`` first."""

    dead = "https://dead.example/"
    trouble: type[OriginError] = OriginMissing

    def link(self, *, hashed: bool = True, sized: bool = True, alternatives: tuple[str, ...] | None = None) -> None:
        self.add("demo", NAME, WHEEL, hashed=hashed, sized=sized)
        page = self.pages["demo"]
        (link,) = page.files
        others = (link.url,) if alternatives is None else alternatives
        link = msgspec.structs.replace(link, url=self.dead + NAME, alternatives=others)
        self.pages["demo"] = msgspec.structs.replace(page, files=(link,))

    def check(self, url: str) -> None:
        if url.startswith(self.dead):
            self.requests["dead"] += 1
            raise self.trouble("fetch", "it is dead")

    async def head(self, url: str) -> FileHead:
        self.check(url)
        return await super().head(url)

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        self.check(url)
        async with super().open_range(url, wanted, validator=validator, fresh=fresh) as reply:
            yield reply


@pytest.mark.parametrize("trouble", [OriginMissing, OriginDenied, OriginUnreachable])
@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("sized", [True, False])
async def test_a_file_whose_first_address_is_dead_comes_from_the_second(
    tmp_path: Path, trouble: type[OriginError], hashed: bool, sized: bool
) -> None:
    origin = TwiceLinked()
    origin.trouble = trouble
    origin.link(hashed=hashed, sized=sized)
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
    assert origin.requests["dead"]


async def test_where_all_addresses_are_dead_the_first_ones_error_counts(tmp_path: Path) -> None:
    origin = TwiceLinked()
    origin.link(alternatives=(TwiceLinked.dead + "again/" + NAME,))
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginMissing, match="it is dead"):
            await one.read(f"simple/demo/{NAME}")
