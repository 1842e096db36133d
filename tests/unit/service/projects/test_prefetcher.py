"""Looking ahead: what is asked before a client asks, of whom, and when nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from packaging.tags import platform_tags

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, metadata_text, wheel_filename
from wheelfs.errors import OriginFault
from wheelfs.model.names import ProjectName
from wheelfs.service.projects.limits import PREFETCH_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.model.links import Validators
    from wheelfs.remote.origin import PageOutcome

APP, BASE = (wheel_filename(name, "1.0") for name in ("app", "base"))


def index(name: str = "corp", /, **projects: tuple[str, ...]) -> MemoryOrigin:
    """An index of projects, one wheel each, which depend on others; larger than what is fetched whole."""
    made = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    for project, requires in projects.items():
        made.add(project, wheel_filename(project, "1.0"), build_wheel(project, "1.0", big_bytes=300_000, requires=requires))
    return made


async def resolve(one: Service, project: str, view: str = "simple") -> None:
    """Do what a resolver does first: read the page, open the newest wheel."""
    await one.read(f"{view}/{project}/index.html")
    (await one.open(f"{view}/{project}/{wheel_filename(project, '1.0')}")).close()


def is_known(one: Service, origin: MemoryOrigin, project: str) -> bool:
    return one.store.catalog.page_head(origin.name, ProjectName(project)) is not None


async def quiet(one: Service) -> None:
    """Wait until nothing is asked ahead any more."""
    await until(lambda: one.node.prefetcher.is_idle)


async def test_every_level_of_dependencies_is_here_before_the_client_asks(tmp_path: Path) -> None:
    origin = index(app=("base>=1",), base=("leaf",), leaf=())
    async with service(tmp_path / "s", [origin]) as one:
        await resolve(one, "app")
        await quiet(one)
        asked = origin.requests.total()
        for project in ("base", "leaf"):
            await resolve(one, project)
        assert origin.requests.total() == asked
        assert origin.requests["page"] == 3


async def test_no_file_is_fetched_for_it(tmp_path: Path) -> None:
    origin = index(app=("base",), base=())
    async with service(tmp_path / "s", [origin]) as one:
        await resolve(one, "app")
        await quiet(one)
        assert 0 < origin.sent_bytes[BASE] < len(origin.files[BASE]) / 2


async def test_a_wheel_that_may_be_for_another_python_is_looked_at_by_its_metadata_file_alone(tmp_path: Path) -> None:
    origin = index(app=("base",), leaf=())
    for python in range(10, 20):  # one of them is for the Python that runs this test
        tag = f"cp3{python}-cp3{python}-{next(iter(platform_tags()))}"
        described = metadata_text("base", "1.0", requires=("leaf",))
        content = build_wheel("base", "1.0", tag=tag, big_bytes=300_000, requires=("leaf",))
        origin.add("base", wheel_filename("base", "1.0", tag=tag), content, metadata=described)
    async with service(tmp_path / "s", [origin]) as one:
        await resolve(one, "app")
        await quiet(one)
        assert is_known(one, origin, "leaf")
        assert not any(sent for name, sent in origin.sent_bytes.items() if name.startswith("base"))


async def test_an_index_is_not_asked_for_what_a_higher_one_has_or_another_is_tied_to(tmp_path: Path) -> None:
    private = index("private", secret=(), app=("secret", "tied-one", "base"))
    public = index("public", secret=(), base=())
    async with service(tmp_path / "s", [private, public], tied={"private": ("secret", "app", "tied-*")}) as one:
        await resolve(one, "app")
        await quiet(one)
        assert is_known(one, public, "base")
        assert not is_known(one, public, "secret")
        assert public.requests["page"] == 1


async def test_nothing_is_asked_ahead_of_who_does_not_resolve(tmp_path: Path) -> None:
    origin = index(app=("base",), base=())
    async with service(tmp_path / "s", [origin]) as one:
        (await one.open(f"simple/app/{APP}")).close()  # from a lock: no client read the page
        await quiet(one)
        assert not is_known(one, origin, "base")


async def test_nothing_is_asked_ahead_in_views_that_show_something_else(tmp_path: Path) -> None:
    origin = index(app=("base",), base=())
    async with service(tmp_path / "s", [origin]) as one:
        await resolve(one, "app", "index/corp/simple")
        await quiet(one)
        assert not is_known(one, origin, "base")


async def test_nothing_is_asked_ahead_when_it_is_switched_off(tmp_path: Path) -> None:
    origin = index(app=("base",), base=())
    async with service(tmp_path / "s", [origin], look_ahead=False) as one:
        await resolve(one, "app")
        await quiet(one)
        assert not is_known(one, origin, "base")


async def test_a_wheel_with_many_dependencies_leaves_connections_to_clients(tmp_path: Path) -> None:
    names = [f"base{number}" for number in range(3 * PREFETCH_LIMITS.at_once)]
    alone: tuple[str, ...] = ()
    origin = index(app=tuple(names), **dict.fromkeys(names, alone))
    answering = trio.Event()
    asked: list[str] = []

    async def page(project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        asked.append(project)
        await answering.wait()
        return await MemoryOrigin.project_page(origin, project, validators=validators)

    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/app/index.html")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(origin, "project_page", page)
            (await one.open(f"simple/app/{APP}")).close()
            await until(lambda: len(asked) == PREFETCH_LIMITS.at_once)
            await trio.testing.wait_all_tasks_blocked()
            assert len(asked) == PREFETCH_LIMITS.at_once
            answering.set()
            await quiet(one)
        assert sorted(asked) == sorted(names)


async def test_a_question_that_fails_troubles_nobody(tmp_path: Path) -> None:
    origin = index(app=("base", "leaf"), base=(), leaf=())
    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/app/index.html")
        origin.page_troubles.extend([OriginFault("look up", "it answered with status 500"), RuntimeError("a bug")])
        (await one.open(f"simple/app/{APP}")).close()
        await quiet(one)
        assert not origin.page_troubles
        assert await one.read(f"simple/app/{APP}") == origin.files[APP]
