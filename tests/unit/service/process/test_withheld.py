"""Counting what is withheld: not at once, and without asking who owns a project where nothing of it can be withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.rot import flip
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel
from wheelfs.errors import StoreDamaged, StoreLocked
from wheelfs.model.shared import SharedFile
from wheelfs.reports.status import WithheldFiles
from wheelfs.service.process.withheld import FIRST_S, Withheld
from wheelfs.service.projects.projects import Projects
from wheelfs.store.catalog.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.model.names import ProjectName


async def test_of_files_of_configured_indexes_it_is_not_asked_who_owns_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = MemoryOrigin()
    name = "alpha-1.0-py3-none-any.whl"
    origin.add("alpha", name, build_wheel("alpha", "1.0"))
    async with service(tmp_path / "store", [origin]) as node:
        await node.read(f"simple/alpha/{name}")
        await until(lambda: node.store.catalog.counts().files == 1)
        asked: list[ProjectName] = []
        known = Projects.known

        def noted(self: Projects, project: ProjectName) -> Ownership:
            asked.append(project)
            return known(self, project)

        monkeypatch.setattr(Projects, "known", noted)
        assert node.node.withheld.count() == WithheldFiles()
        assert asked == []


async def test_a_process_answers_for_a_while_before_it_counts(tmp_path: Path, autojump_clock: MockClock) -> None:
    counted = trio.Event()

    class Noted(Withheld):
        def count(self) -> WithheldFiles:
            trio.from_thread.run_sync(counted.set)
            return WithheldFiles()

    async with service(tmp_path / "store", [MemoryOrigin()]) as node, trio.open_nursery() as nursery:
        began_s = trio.current_time()
        nursery.start_soon(Noted(node.node.projects, node.store.catalog, node.node.hosts).keep_counted)
        await counted.wait()
        assert trio.current_time() - began_s >= FIRST_S
        nursery.cancel_scope.cancel()


async def test_a_row_that_cannot_be_read_costs_its_own_project_alone(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    name = "alpha-1.0-py3-none-any.whl"
    origin.add("alpha", name, build_wheel("alpha", "1.0"))
    share = MemoryShare(files=(SharedFile("demo", "demo-1.0-py3-none-any.whl", "corp", b"\7" * 32, 7),))
    async with service(tmp_path / "store", [origin], shares=[share]) as node:
        await node.read(f"simple/alpha/{name}")
        await until(lambda: node.store.catalog.counts().files == 1)
        await node.node.follower.catch_up()
        flip(node.store, "names", 0)
        with pytest.raises(StoreDamaged):
            node.store.catalog.stored_names("alpha")
        assert node.node.withheld.count().files == 1, "the other project's"


async def test_a_count_that_fails_ends_nothing_and_is_made_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counted = trio.Event()
    looks: list[int] = []

    def last_seq(_: Catalog) -> int:
        looks.append(len(looks))
        if len(looks) == 1:
            raise StoreLocked("read the catalog", "all slots of readers are taken")
        return len(looks)

    class Failing(Withheld):
        def count(self) -> WithheldFiles:
            if len(looks) == 2:
                raise ValueError("a bug")
            trio.from_thread.run_sync(counted.set)
            return WithheldFiles()

    async with service(tmp_path / "store", [MemoryOrigin()]) as node, trio.open_nursery() as nursery:
        monkeypatch.setattr(Catalog, "last_seq", last_seq)
        nursery.start_soon(Failing(node.node.projects, node.store.catalog, node.node.hosts).keep_counted)
        await counted.wait()
        nursery.cancel_scope.cancel()
    assert "all slots of readers are taken" in caplog.text
    assert "count what is withheld" in caplog.text
