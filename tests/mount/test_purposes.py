"""What crosses the network for programs that install and for those that only resolve, through a real mount."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

BIG = 3_000_000
_READS_ENDS_IN_THREADS = """
import sys, threading
def read_end(path):
    with open(path, "rb") as file:
        file.seek(-100, 2)
        file.read()
for path in sys.argv[1].split(":"):
    thread = threading.Thread(target=read_end, args=(path,))
    thread.start()
    thread.join()
sys.stdin.read()
"""


@contextmanager
def reading_ends(paths: Sequence[Path], *words: str) -> Iterator[None]:
    """Read the last bytes of files in a process whose command line has these words, and which goes on during the block."""
    command = [sys.executable, "-c", _READS_ENDS_IN_THREADS, ":".join(map(str, paths)), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_wheel_whose_end_an_installer_reads_is_stored_before_it_asks_for_more(
    fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with reading_ends([path], "pip", "install", "numbers"):
        eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    assert fake_index.body_bytes(name) == len(content)


def test_one_that_only_resolves_pays_for_less_than_others(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    names = [fake_index.add_wheel(project, "1.0", big_bytes=120_000)[0] for project in ("numbers", "letters")]
    mount = mounted(index=fake_index.url)
    with reading_ends([mount.path / "simple" / "numbers" / names[0]], "uv", "lock"):
        pass
    with reading_ends([mount.path / "simple" / "letters" / names[1]]):
        pass
    assert fake_index.body_bytes(names[0]) < 20_000
    assert fake_index.body_bytes(names[1]) > 120_000


def test_versions_that_an_installer_tries_in_threads_as_uv_does_are_not_all_fetched(
    fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    names = [fake_index.add_wheel("numbers", version, big_bytes=BIG)[0] for version in ("1.2", "1.1", "1.0")]
    last, content = fake_index.add_wheel("letters", "1.0", big_bytes=BIG)
    mount = mounted(index=fake_index.url)
    paths = [mount.path / "simple" / name.partition("-")[0] / name for name in (*names, last)]
    with reading_ends(paths, "pip", "install", "numbers"):
        eventually(lambda: {os.getxattr(path, "user.wheelfs.state") for path in (paths[0], paths[-1])} == {b"stored"})
    assert fake_index.body_bytes(last) == len(content)
    assert [fake_index.body_bytes(name) > BIG / 2 for name in names] == [True, False, False]
