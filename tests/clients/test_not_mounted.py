"""What pip and uv say where nothing is mounted, and that the guide explains it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fakes.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.clients import Clients

GUIDE = ROOT / "docs" / "guide" / "troubleshooting.md"


def test_the_guide_has_what_clients_say_of_a_directory_without_a_mount(clients: Clients, tmp_path: Path) -> None:
    [row] = [line for line in GUIDE.read_text().splitlines() if "nothing is mounted there" in line]
    of_pip, of_uv, *commands = re.findall(r"`([^`]*)`", row)
    assert commands == ["wheelfs status", "wheelfs mount DIR"]
    index = (tmp_path / "here" / "simple").as_uri()
    for said, done in (
        (of_pip, clients.pip().run("install", "--index-url", index, "numpy")),
        (of_uv, clients.uv().run("pip", "install", "--default-index", index, "numpy")),
    ):
        assert done.returncode
        assert said in " ".join(done.stderr.split())
