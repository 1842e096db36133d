"""Views over real projects: what is shown changes with the clock, and never mixes indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.platforms.machine import Machine
from wheelfs.core.views.view import View
from wheelfs.core.views.visibility import Policy
from wheelfs.model.names import ProjectName
from wheelfs.service.projects.visible_files import Views

if TYPE_CHECKING:
    from pathlib import Path

DAY_US = 86_400_000_000
DEMO = ProjectName("demo")
NAME = wheel_filename("demo", "1.0")


def origin(name: str, *, uploaded_us: int | None) -> MemoryOrigin:
    made = MemoryOrigin(name, f"https://{name}.index.example/simple")
    made.add("demo", NAME, build_wheel("demo", "1.0", big_seed=name, big_bytes=300_000))
    page = made.pages["demo"]
    made.pages["demo"] = msgspec.structs.replace(
        page, files=tuple(msgspec.structs.replace(link, upload_time_us=uploaded_us) for link in page.files)
    )
    return made


async def test_a_release_appears_when_it_is_old_enough_without_anybody_asking_its_index(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [origin("corp", uploaded_us=100 * DAY_US)]) as one:
        now_us = 100 * DAY_US
        views = Views(
            projects=one.node.projects,
            machine=Machine(frozenset()),
            policy=Policy(min_age_us=7 * DAY_US),
            clock_ns=lambda: now_us * 1_000,
        )
        owned = await one.node.projects.find(DEMO)
        young, view_filter = views.entries(owned, DEMO, View()), views.view_filter(View())
        assert young.entries == []
        assert young.hidden == ("hidden here: 1 file uploaded at or after 1970-04-04T00:00:00Z, so younger than min-age",)
        assert views.entry(owned, DEMO, View(), NAME) is None
        now_us = 108 * DAY_US
        assert views.view_filter(View()) != view_filter, "a page that was rendered before is not shown again"
        assert [entry.ref.filename for entry in views.entries(owned, DEMO, View()).entries] == [NAME]
        assert views.entries(owned, DEMO, View()).hidden == ()
        assert views.entry(owned, DEMO, View(), NAME) is not None


async def test_what_is_hidden_of_an_index_uncovers_no_other_ones(tmp_path: Path) -> None:
    young, old = origin("corp", uploaded_us=100 * DAY_US), origin("public", uploaded_us=1)
    async with service(tmp_path / "s", [young, old]) as one:
        for index in ("corp", "public"):
            await one.read(f"index/{index}/simple/demo/{NAME}")
        await until(lambda: len(one.store.catalog.stored_names("demo")) == 2)
        past = "asof/1970-03-01"
        assert b"<a " not in await one.read(f"{past}/simple/demo/index.html")
        assert b"<a " in await one.read(f"{past}/index/public/simple/demo/index.html")
        flat = await one.node_at(past)
        assert not [name for _, name, _ in one.node.tree.listing(flat).entries(0) if name.endswith(".whl")]
        assert [name for _, name, _ in one.node.tree.listing(one.node.tree.root).entries(0) if name.endswith(".whl")] == [NAME]
