"""``scripts/soak/kills``: that it sees what is lost and what is wrong, and that it comes to its end."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.soak.programs.kills import Ground, Wrong
from tests.fakes.processes import ROOT, isolated_environment
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.index import FakeIndex

NAME = wheel_filename("tools", "1.0")


def test_the_soak_sees_what_is_lost_or_wrong(tools: bytes, tmp_path: Path, fake_index: FakeIndex) -> None:
    ground = Ground(tmp_path, fake_index, random.Random(1), everything={NAME: tools})
    ground.check()
    assert ground.acknowledged == {NAME}, "what is there now has to stay"
    ground.acknowledged.add("lost.whl")
    with pytest.raises(Wrong, match=r"lost: \['lost.whl'\]"):
        ground.check()
    ground.acknowledged.clear()
    ground.removed.add(NAME)
    with pytest.raises(Wrong, match="there again"):
        ground.check()
    ground.removed.clear()
    ground.everything[NAME] = b"other"
    with pytest.raises(Wrong, match="other bytes"):
        ground.check()


@pytest.mark.soak
def test_kills_of_every_command_lose_nothing(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "soak" / "kills"), "--instants", "60", "--seed", "7"]
    done = subprocess.run(command, env=isolated_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 wrong, 0 damaged" in done.stdout
