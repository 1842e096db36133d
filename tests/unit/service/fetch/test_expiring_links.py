"""Addresses on pages that expire before the page does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import OriginDenied, StoreDamaged
from wheelfs.service.limits import ServiceLimits
from wheelfs.service.projects.limits import ProjectLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import PageOutcome, RangeReply

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0")
RENEWS_AT_ONCE = ServiceLimits(projects=ProjectLimits(renew_after_s=0.0))


class SigningOrigin(MemoryOrigin):
    """Signs the addresses on its pages, and accepts its latest signature only."""

    signature = 0

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        page = self.pages[project]
        signed = (msgspec.structs.replace(link, url=f"{link.url.partition('?')[0]}?sig={self.signature}") for link in page.files)
        self.pages[project] = msgspec.structs.replace(page, files=tuple(signed))
        return await super().project_page(project, validators=validators)

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        path, _, query = url.partition("?")
        if query != f"sig={self.signature}":
            self.requests["refused"] += 1
            raise OriginDenied("fetch", "the signature has expired")
        async with super().open_range(path, wanted, validator=validator, fresh=fresh) as reply:
            yield reply


async def test_a_file_whose_address_has_expired_is_opened_at_its_new_one(tmp_path: Path) -> None:
    origin = SigningOrigin()
    origin.add("demo", NAME, WHEEL)
    async with service(tmp_path / "s", [origin], limits=RENEWS_AT_ONCE) as one:
        await one.read("simple/demo/index.html")
        origin.signature += 1
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
    assert (origin.requests["page"], origin.requests["refused"]) == (2, 1)


async def test_a_file_that_is_refused_at_the_same_address_costs_at_most_a_look_at_its_page(tmp_path: Path) -> None:
    origin = SigningOrigin()
    origin.add("demo", NAME, WHEEL)
    async with service(tmp_path / "s", [origin]) as one:
        node = await one.node_at(f"simple/demo/{NAME}")
        origin.signature = "another"  # type: ignore[assignment]
        for _ in range(5):
            with pytest.raises(OriginDenied):
                await one.node.tree.open(node)
        assert origin.requests["page"] == 1, "the page was read a moment ago"


async def test_a_page_that_rotted_does_not_hide_that_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = SigningOrigin()
    origin.add("demo", NAME, WHEEL)

    def rotten(*_: object) -> None:
        raise StoreDamaged("read the catalog", "a page cannot be read")

    async with service(tmp_path / "s", [origin], limits=RENEWS_AT_ONCE) as one:
        node = await one.node_at(f"simple/demo/{NAME}")
        origin.signature += 1
        monkeypatch.setattr(one.store.catalog, "page", rotten)
        with pytest.raises(OriginDenied):
            await one.node.tree.open(node)
