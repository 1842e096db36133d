"""Names that are tied to an index: who is asked for them, who never is, and what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.projects.ownership import NoSuchProject, Owned, Undecided
from wheelfs.errors import OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.reports.files import ShownProject
from wheelfs.service.operations import inspect
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from pathlib import Path

TIED = {"lab": ("lab-*",)}
TOOL = ProjectName("lab-tool")
DEMO = ProjectName("demo")


def index(name: str, *projects: str, version: str = "1.0") -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    for project in projects:
        origin.add(project, wheel_filename(project, version), build_wheel(project, version))
    return origin


async def owner(one: Service, project: ProjectName) -> str | None:
    found = await one.node.projects.find(project)
    return found.owner if isinstance(found, Owned) else None


@pytest.mark.parametrize("first", ["lab", "public"])
async def test_a_tied_name_is_its_indexs_and_other_names_are_the_others_whatever_their_order(tmp_path: Path, first: str) -> None:
    lab, public = index("lab", "lab-tool", "demo"), index("public", "lab-tool", "demo")
    order = [lab, public] if first == "lab" else [public, lab]
    async with service(tmp_path / "s", order, tied=TIED) as one:
        assert await owner(one, TOOL) == "lab"
        assert (lab.requests["page"], public.requests["page"]) == (1, 0)
        assert await owner(one, DEMO) == "public"
        assert (lab.requests["page"], public.requests["page"]) == (1, 1)


async def test_a_tied_name_that_its_index_does_not_have_exists_nowhere(tmp_path: Path) -> None:
    lab, public = index("lab"), index("public", "lab-tool")
    async with service(tmp_path / "s", [lab, public], tied=TIED) as one:
        assert isinstance(await one.node.projects.find(TOOL), NoSuchProject)
        assert isinstance(await one.lookup("simple/lab-tool"), Absent)
        assert isinstance(await one.lookup("index/public/simple/lab-tool"), Absent)
    assert public.requests.total() == 0


async def test_while_its_index_is_silent_nobody_else_is_asked_for_a_tied_name(tmp_path: Path) -> None:
    lab, public = index("lab", "lab-tool"), index("public", "lab-tool")
    lab.page_troubles.append(OriginUnreachable("ask", "refused"))
    async with service(tmp_path / "s", [public, lab], tied=TIED) as one:
        assert isinstance(await one.node.projects.find(TOOL), Undecided)
    assert public.requests.total() == 0


async def test_what_was_stored_from_another_index_before_a_name_was_tied_is_shown_nowhere(tmp_path: Path) -> None:
    lab, public = index("lab", "lab-tool"), index("public", "lab-tool", version="9.0")
    stranger = wheel_filename("lab-tool", "9.0")
    async with service(tmp_path / "s", [public]) as one:
        await one.read(f"simple/lab-tool/{stranger}")
        assert not isinstance(await one.lookup(stranger), Absent)
    async with service(tmp_path / "s", [public, lab], tied=TIED) as one:
        root = one.node.tree.root
        assert stranger not in [name for _, name, _ in one.node.tree.listing(root).entries(0)]
        assert isinstance(await one.lookup(stranger), Absent)
        assert b"9.0" not in await one.read("index.html")
        assert b"lab-tool" not in await one.read("stored/simple/index.html")
        assert b"9.0" not in await one.read("simple/lab-tool/index.html")


async def test_what_is_stored_can_be_looked_up_also_while_nobody_owns_it(tmp_path: Path) -> None:
    public, first = index("public", "demo"), index("first", "demo")
    name = wheel_filename("demo", "1.0")
    async with service(tmp_path / "s", [public]) as one:
        await one.read(f"simple/demo/{name}")
    first.page_troubles.append(OriginUnreachable("ask", "refused"))
    async with service(tmp_path / "s", [first, public]) as one:
        assert isinstance(await one.node.projects.find(DEMO), Undecided)
        for word in ("demo", name):
            shown = inspect.show(one.node.projects, one.node.views, one.node.downloads, word)
            (file,) = shown.files if isinstance(shown, ShownProject) else (shown,)
            assert (file.filename, file.state, file.origin) == (name, "stored", "public")
