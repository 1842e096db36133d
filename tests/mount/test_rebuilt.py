"""A private wheel that is built again and added under its name: what keeps files by their times has to notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

NAME = wheel_filename("lab-tool", "1.0")


def test_a_private_wheel_has_the_time_at_which_it_came_also_after_a_remount(
    fake_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    mount = mounted(index=fake_index.url)
    source, seen = tmp_path / NAME, mount.path / NAME
    page, page_times = mount.path / "simple" / "lab-tool" / "index.html", [0]
    times = []
    for build in (b"first", b"second"):
        if source.exists():
            run_wheelfs("--store", str(mount.store), "rm", NAME).succeeded()
        source.write_bytes(build_wheel("lab-tool", "1.0", files={"lab_tool.py": build}))
        run_wheelfs("--store", str(mount.store), "add", str(source)).succeeded()
        # At once, though the kernel may still remember what the name meant before.
        assert seen.read_bytes() == source.read_bytes()
        times.append((seen.stat().st_mtime_ns, seen.stat().st_ctime_ns))
        # Attributes of pages are remembered for a second at most.
        eventually(lambda: page.stat().st_mtime_ns > page_times[-1])
        page_times.append(page.stat().st_mtime_ns)
    assert times[0][0] == times[0][1] > 1_600_000_000 * 10**9
    assert times[1][0] == times[1][1] > times[0][0]
    mount.stop()
    mount.start()
    assert (seen.stat().st_mtime_ns, seen.stat().st_ctime_ns) == times[1]
    assert page.stat().st_mtime_ns == page_times[-1]
