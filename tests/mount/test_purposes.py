"""What crosses the network for programs that install and for those that only resolve, through a real mount."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

BIG = 3_000_000
_READS_THE_END = "import sys; file = open(sys.argv[1], 'rb'); file.seek(-100, 2); file.read()"


def read_end(path: Path, *words: str) -> None:
    """Read the last bytes of a file in a process whose command line has these words."""
    subprocess.run([sys.executable, "-c", _READS_THE_END, str(path), *words], check=True, timeout=60)


def test_a_wheel_whose_end_an_installer_reads_is_stored_before_it_asks_for_more(
    fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    read_end(path, "pip", "install", "numbers")
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    assert fake_index.body_bytes(name) == len(content)


def test_one_that_only_resolves_pays_for_less_than_others(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    names = [fake_index.add_wheel(project, "1.0", big_bytes=120_000)[0] for project in ("numbers", "letters")]
    mount = mounted(index=fake_index.url)
    read_end(mount.path / "simple" / "numbers" / names[0], "uv", "lock")
    read_end(mount.path / "simple" / "letters" / names[1])
    assert fake_index.body_bytes(names[0]) < 20_000
    assert fake_index.body_bytes(names[1]) > 120_000
