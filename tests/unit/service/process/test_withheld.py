"""Counting what is withheld asks who owns a project only where something of it can be withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel
from wheelfs.reports.status import WithheldFiles
from wheelfs.service.projects.projects import Projects

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
