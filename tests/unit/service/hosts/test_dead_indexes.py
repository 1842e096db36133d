"""A hundred projects through an index that is dead, in each way of being dead; under a virtual clock."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.fetch.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S
from wheelfs.core.fetch.freshness import REVALIDATE_WITHIN_S
from wheelfs.errors import OriginTimeout, OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.remote.origin import PAGE_ARRIVES
from wheelfs.service.projects.limits import PROJECT_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from wheelfs.model.links import Validators
    from wheelfs.remote.origin import FileHead, PageOutcome

BOUND_S = 15.0
CONNECT_S = 5.0
PROJECTS = [ProjectName(f"project{number}") for number in range(100)]
WHEEL = build_wheel("project", "1.0")


class MortalOrigin(MemoryOrigin):
    """Dies in one of three ways; ``heads``: still answers what probes ask."""

    death: str = ""
    heads: bool = False

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        await self._die("page")
        return await super().project_page(project, validators=validators)

    async def head(self, url: str) -> FileHead:
        if not self.heads:
            await self._die("head")
        return await super().head(url)

    async def _die(self, kind: str) -> None:
        if self.death:
            self.requests[kind] += 1
        if self.death == "refuses":
            raise OriginUnreachable("ask", "connection refused")
        if self.death == "swallows":
            await trio.sleep(CONNECT_S)
            raise OriginUnreachable("ask", "no connection within the bound")
        if self.death == "hangs":
            await trio.sleep_forever()


WAITS = {"refuses": 0.0, "swallows": CONNECT_S, "hangs": BOUND_S}


@pytest.fixture
def origin() -> MortalOrigin:
    made = MortalOrigin()
    for project in PROJECTS:
        made.add(project, wheel_filename(project, "1.0"), WHEEL)
    return made


@pytest.mark.parametrize("death", WAITS)
async def test_a_hundred_unknown_projects_cost_one_bounded_wait_in_all(
    tmp_path: Path, origin: MortalOrigin, death: str, autojump_clock: MockClock
) -> None:
    origin.death = death
    async with service(tmp_path / "s", [origin], lookup_s=BOUND_S) as one:
        began_s = trio.current_time()
        for project in PROJECTS:
            with pytest.raises((OriginUnreachable, OriginTimeout)):
                await one.read(f"simple/{project}/index.html")
        assert trio.current_time() - began_s <= WAITS[death] + 0.1
        assert origin.requests["page"] == 1


@pytest.mark.parametrize("death", WAITS)
async def test_who_asks_a_hanging_index_while_others_wait_waits_no_longer_than_they(
    tmp_path: Path, origin: MortalOrigin, death: str, autojump_clock: MockClock
) -> None:
    origin.death = death

    async def ask(project: ProjectName) -> None:
        with pytest.raises((OriginUnreachable, OriginTimeout)):
            await one.read(f"simple/{project}/index.html")

    async with service(tmp_path / "s", [origin], lookup_s=BOUND_S) as one:
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for project in PROJECTS:
                nursery.start_soon(ask, project)
                await trio.sleep(BOUND_S / len(PROJECTS))
        longest_s = BOUND_S + (CONNECT_S if death == "swallows" else 0.5)
        assert trio.current_time() - began_s <= longest_s


async def test_a_slow_index_that_answers_others_has_its_whole_time_for_each(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    slow_s = 0.6 * BOUND_S

    class Slow(MortalOrigin):
        async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
            await trio.sleep(slow_s)
            return await super().project_page(project, validators=validators)

    slow = Slow(pages=origin.pages, files=origin.files)
    async with service(tmp_path / "s", [slow], lookup_s=BOUND_S) as one, trio.open_nursery() as nursery:
        for project in PROJECTS[:4]:
            nursery.start_soon(one.read, f"simple/{project}/index.html")
            await trio.sleep(0.5 * BOUND_S)


class Long(MortalOrigin):
    """The page of ``project0`` arrives in ``pieces``, one every ``pause_s``; the others' in one piece."""

    pieces: int = 6
    pause_s: float = BOUND_S / 2

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        for _ in range(self.pieces if project == PROJECTS[0] else 1):
            await trio.sleep(self.pause_s)
            PAGE_ARRIVES.get()()
        return await super().project_page(project, validators=validators)


async def test_a_page_that_takes_longer_than_its_reader_waits_goes_on_arriving(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    long = Long(pages=origin.pages, files=origin.files)
    async with service(tmp_path / "s", [long], lookup_s=BOUND_S) as one, trio.open_nursery() as nursery:
        nursery.start_soon(_read_later, one, PROJECTS[1], 0.9 * BOUND_S)
        with pytest.raises(OriginTimeout, match=r"its page is arriving.*try again"):
            await one.read("simple/project0/index.html")
        await _read_later(one, PROJECTS[2], 0.1)
        assert b"project0" in await one.read("simple/project0/index.html")
    assert long.requests["page"] == 3


async def test_a_page_without_end_is_given_up_and_takes_no_other_with_it(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    long = Long(pages=origin.pages, files=origin.files)
    long.pieces, long.pause_s = 1_000, 1.0
    async with service(tmp_path / "s", [long], lookup_s=BOUND_S) as one:
        with pytest.raises(OriginTimeout):
            await one.read("simple/project0/index.html")
        await trio.sleep(PROJECT_LIMITS.page_s - 2.5 * BOUND_S)
        with pytest.raises(OriginTimeout, match="no answer"):
            await one.read("simple/project0/index.html")
        assert b"project1" in await one.read("simple/project1/index.html")


async def _read_later(one: Service, project: ProjectName, delay_s: float) -> None:
    await trio.sleep(delay_s)
    assert project.encode() in await one.read(f"simple/{project}/index.html")


@pytest.mark.parametrize("death", WAITS)
async def test_known_pages_wait_for_nobody_but_shortly_for_the_first_sign(
    tmp_path: Path, origin: MortalOrigin, death: str, autojump_clock: MockClock
) -> None:
    async with service(tmp_path / "s", [origin], lookup_s=BOUND_S, ttl_s=0.0) as one:
        for project in PROJECTS:
            await one.read(f"simple/{project}/{wheel_filename(project, '1.0')}")
        origin.death = death
        began_s = trio.current_time()
        for project in PROJECTS:
            assert wheel_filename(project, "1.0").encode() in await one.read(f"simple/{project}/index.html")
        assert trio.current_time() - began_s <= REVALIDATE_WITHIN_S + 0.1
        await trio.sleep(BOUND_S + CONNECT_S)  # by now it is known to be dead
        began_s = trio.current_time()
        for project in PROJECTS:
            await one.read(f"simple/{project}/index.html")
        assert trio.current_time() == began_s


async def test_an_index_that_answers_probes_and_hangs_all_the_same_costs_ever_less(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    origin.death, origin.heads = "hangs", True
    async with service(tmp_path / "s", [origin], lookup_s=BOUND_S) as one:
        began_s = trio.current_time()
        asked = 0
        while trio.current_time() - began_s < 600:
            with pytest.raises((OriginUnreachable, OriginTimeout)):
                await one.read(f"simple/{PROJECTS[asked % 100]}/index.html")
            asked += 1
            await trio.sleep(1.0)
        assert origin.requests["page"] <= 600 / (LONGEST_PAUSE_S + BOUND_S) + 6, "it would be 35 with pauses that do not grow"
        origin.death = ""
        await trio.sleep(LONGEST_PAUSE_S + FIRST_PAUSE_S)
        assert b"project0" in await one.read("simple/project0/index.html")


async def test_a_page_says_since_when_its_index_is_away_and_how_much_is_hidden(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    stored = wheel_filename("project0", "1.0")
    for version in ("2.0", "3.0"):
        origin.add("project0", wheel_filename("project0", version), build_wheel("project0", version))
    async with service(tmp_path / "s", [origin]) as one:
        await one.read(f"simple/project0/{stored}")
        assert b"offline" not in await one.read("simple/project0/index.html")
        origin.death = "refuses"
        with pytest.raises(OriginUnreachable):
            await one.read("simple/project1/index.html")
        page = (await one.read("simple/project0/index.html")).decode()
        assert re.search(r"<!-- offline: corp cannot be asked \(since \d{4}-\d\d-\d\dT[0-9:]+Z\).* 2 files .* hidden -->", page)
        assert "2.0" not in page
        in_json = json.loads(await one.read("simple/project0/index.v1_json"))["_wheelfs"]["notes"]
        assert any(note.startswith("offline: corp cannot be asked") and "2 files" in note for note in in_json)
        origin.death = ""
        await trio.sleep(FIRST_PAUSE_S + 1)
        assert b"offline" not in await one.read("simple/project0/index.html")
    async with service(tmp_path / "s", [origin], offline=True) as one:
        assert b"(wheelfs is told to be offline)" in await one.read("simple/project0/index.html")


async def test_a_host_that_hangs_keeps_no_other_one_from_being_found_to_be_back(
    tmp_path: Path, origin: MortalOrigin, autojump_clock: MockClock
) -> None:
    other = MortalOrigin(name="other", url="https://other.index.example/simple")
    other.add("project0", wheel_filename("project0", "1.0"), WHEEL)
    async with service(tmp_path / "s", [origin, other], lookup_s=BOUND_S) as one:
        origin.death, other.death = "hangs", "refuses"
        with pytest.raises(OriginTimeout):
            await one.read("index/corp/simple/project0/index.html")
        with pytest.raises(OriginUnreachable):
            await one.read("index/other/simple/project0/index.html")
        await trio.sleep(FIRST_PAUSE_S / 2)
        other.death = ""
        await trio.sleep(FIRST_PAUSE_S)
        assert b"project0" in await one.read("index/other/simple/project0/index.html")
