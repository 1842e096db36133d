"""``wheelfs top``: a file that is coming is on the screen, and Ctrl-C gives the terminal back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.fakes.commands import objects
from tests.fakes.faults import Fault, Stall
from tests.fakes.processes import wheelfs_environment
from tests.fakes.terminals import watched
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex


def test_what_is_coming_is_shown_until_it_is_here(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=3_000_000)
    go_on = threading.Event()
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "demo" / name
    path.stat()
    fake_index.faults.append(Fault(name, Stall(until=go_on, after_bytes=100_000), times=None))
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()

    def top(*words: str) -> str:
        return run_wheelfs("--store", str(store_dir), "top", *words).succeeded().stdout

    try:
        eventually(lambda: name in top("--once"))
        [status] = objects(run_wheelfs("--store", str(store_dir), "top", "--json").succeeded())
        assert status["transfers"][0]["filename"] == name
        assert status["transfers"][0]["size_bytes"] == len(content)
        wanted = (name.encode(), b"requests/s", name.encode())
        seen = watched(store_dir, wheelfs_environment(tmp_path / "home"), ["top"], wanted)
        assert b"\x1b[?1049h" in seen
        assert b"\x1b[?25h" in seen.partition(b"\x1b[?1049l")[0] + seen.partition(b"\x1b[?1049l")[2], "the cursor is back"
        assert b"\x1b[?1049l" in seen, "and the screen as it was before"
    finally:
        go_on.set()
        reader.join(60)
    assert got == [content]
    eventually(lambda: "nothing is being fetched" in top())
