"""Whose project it is, and how seldom an index is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.fetch import freshness
from wheelfs.core.projects.ownership import NoSuchProject, Owned, Undecided
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef
from wheelfs.service.limits import ServiceLimits
from wheelfs.service.projects.limits import ProjectLimits
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from pathlib import Path

DEMO = ProjectName("demo")
WHEEL = build_wheel("demo", "1.0")
NAME = wheel_filename("demo", "1.0")


def index(name: str, *, has_demo: bool = True) -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    if has_demo:
        origin.add("demo", NAME, WHEEL)
    return origin


async def owner(one: Service) -> str | None:
    found = await one.node.projects.find(DEMO)
    return found.owner if isinstance(found, Owned) else None


async def test_the_first_index_that_has_a_project_owns_it_and_lower_ones_are_not_asked(tmp_path: Path) -> None:
    first, second = index("first"), index("second")
    async with service(tmp_path / "s", [first, second]) as one:
        assert await owner(one) == "first"
    assert (first.requests["page"], second.requests["page"]) == (1, 0)


async def test_a_lower_index_is_asked_when_the_higher_one_has_said_no(tmp_path: Path) -> None:
    first, second = index("first", has_demo=False), index("second")
    async with service(tmp_path / "s", [first, second]) as one:
        assert await owner(one) == "second"
        assert await owner(one) == "second"
    assert (first.requests["page"], second.requests["page"]) == (1, 1)


@pytest.mark.parametrize("error", [OriginDenied("x", "y"), OriginFault("x", "y"), OriginUnreachable("x", "y"), KeyError("bug")])
async def test_an_index_that_has_not_answered_is_no_no(tmp_path: Path, error: Exception) -> None:
    first, second = index("first"), index("second")
    first.page_troubles.extend([error] * 10)
    async with service(tmp_path / "s", [first, second]) as one:
        found = await one.node.projects.find(DEMO)
        assert isinstance(found, Undecided)
        if isinstance(error, OriginError):
            assert type(found.error) is type(error)
    assert second.requests["page"] == 0


async def test_what_a_lower_index_once_said_changes_no_answer(tmp_path: Path) -> None:
    first, second = index("first"), index("second")
    second.add("demo", wheel_filename("demo", "2.0"), build_wheel("demo", "2.0"))
    async with service(tmp_path / "s", [first, second]) as one:
        await one.lookup("index/second/simple/demo/index.html")
        found = await one.node.projects.find(DEMO)
        assert found == one.node.projects.known(DEMO)
        assert isinstance(found, Owned)
        assert found.owner == "first"


async def test_a_project_that_none_has_is_absent_for_a_while_and_then_asked_for_again(
    tmp_path: Path,
) -> None:
    origin = index("first", has_demo=False)
    async with service(tmp_path / "s", [origin]) as one:
        for _ in range(5):
            assert isinstance(await one.node.projects.find(DEMO), NoSuchProject)
    origin.add("demo", NAME, WHEEL)
    async with service(tmp_path / "s", [origin]) as one:
        assert isinstance(await one.node.projects.find(DEMO), NoSuchProject)
    assert origin.requests["page"] == 1
    at_once = ServiceLimits(projects=ProjectLimits(absent_ttl_s=0.0))
    async with service(tmp_path / "s", [origin], limits=at_once) as one:
        assert await owner(one) == "first"


async def test_that_a_project_is_absent_is_believed_no_longer_than_a_page_of_its_index(tmp_path: Path) -> None:
    origin = index("first", has_demo=False)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert isinstance(await one.node.projects.find(DEMO), NoSuchProject)
        origin.add("demo", NAME, WHEEL)
        assert await owner(one) == "first"


async def test_many_who_ask_at_once_are_one_question(tmp_path: Path) -> None:
    origin = index("first")
    async with service(tmp_path / "s", [origin]) as one, trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one.node.projects.find, DEMO)
    assert origin.requests["page"] == 1


async def test_a_stale_page_is_kept_when_its_index_fails_and_not_asked_for_at_every_look(tmp_path: Path) -> None:
    origin = index("first")
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert await owner(one) == "first"
        origin.page_troubles.extend([OriginFault("look up", "500")] * 100)
        for _ in range(20):
            assert await owner(one) == "first"
            assert NAME.encode() in await one.read("simple/demo/index.html")
    assert origin.requests["page"] == 2


async def test_a_stale_page_is_refreshed(tmp_path: Path) -> None:
    origin = index("first")
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await one.read("simple/demo/index.html")
        origin.add("demo", wheel_filename("demo", "2.0"), build_wheel("demo", "2.0"))
        assert b"2.0" in await one.read("simple/demo/index.html")


async def test_an_index_that_forbids_keeping_its_pages_is_not_asked_at_every_look(tmp_path: Path) -> None:
    origin = index("first")
    origin.max_age_s = 0.0
    async with service(tmp_path / "s", [origin]) as one:
        for _ in range(10):
            await one.read("simple/demo/index.html")
    assert origin.requests["page"] == 1


@pytest.mark.parametrize(
    ("ttl_s", "max_age_s", "lifetime_s"),
    [(600, None, 600), (600, 60, 60), (600, 86_400, 600), (600, 0, freshness.SHORTEST_LIFETIME_S), (0, 60, 0), (5, 0, 5)],
)
def test_an_index_may_shorten_the_lifetime_of_its_pages_but_not_to_nothing(
    ttl_s: float, max_age_s: float | None, lifetime_s: float
) -> None:
    assert freshness.lifetime_s(ttl_s, max_age_s) == lifetime_s


async def test_stored_files_of_an_index_that_is_configured_no_longer_stay_and_make_no_host_look_dead(tmp_path: Path) -> None:
    gone, other = index("gone"), index("other", has_demo=False)
    async with service(tmp_path / "s", [gone]) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
    link = gone.add("demo", wheel_filename("demo", "2.0"), build_wheel("demo", "2.0"))
    async with service(tmp_path / "s", [other]) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        with one.node.downloads.using(FileRef(DEMO, "gone", link)) as download, pytest.raises(OriginUnreachable):
            await download.ensure_tail()
        assert one.node.hosts.may_ask(link.url)


async def test_a_look_up_that_finds_no_place_to_wait_says_so_only_when_the_page_is_opened(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [index("first")], places=0) as one:
        assert not isinstance(await one.lookup("simple/demo/index.html"), Absent)
        with pytest.raises(OriginError, match="too many"):
            await one.read("simple/demo/index.html")
