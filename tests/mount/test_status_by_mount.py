"""``wheelfs status`` says of each mount how it is: its indexes, what it did, what failed last, and whether it was detached."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import objects
from tests.fakes.faults import Fault, Status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex


def test_each_mount_has_its_own_indexes_counts_and_failures(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    broken, _ = fake_index.add_wheel("broken", "1.0", big_bytes=300_000)
    fake_index.faults.append(Fault(broken, Status(503), times=None))
    online = mounted("--index", f"lab={fake_index.url}")
    offline = mounted("--index", f"other={fake_index.url}", "--offline")
    assert (online.path / "simple" / "demo" / name).read_bytes() == content
    with pytest.raises(OSError, match="Remote I/O") as caught:
        (online.path / "simple" / "broken" / broken).read_bytes()
    assert caught.value.errno == errno.EREMOTEIO
    [status] = objects(run_wheelfs("--store", str(store_dir), "status", "--json").succeeded())
    by_path: dict[str, Any] = {mount["path"]: mount for mount in status["mounts"]}
    one, other = by_path[str(online.path)], by_path[str(offline.path)]
    assert (one["indexes"], one["offline"]) == (["lab"], False)
    assert (other["indexes"], other["offline"], other["failures"]) == (["other"], True, [])
    assert one["counters"]["fetched_bytes"] >= len(content)
    assert other["counters"]["requests"] == 0
    last = one["failures"][-1]
    assert (last["operation"], last["at"][-1]) == ("open", "Z")
    assert broken in last["message"]
    text = run_wheelfs("--store", str(store_dir), "status").succeeded().stdout
    assert f"failed at {last['at']}: open: " in text
    assert "        indexes and shares: lab\n" in text
    assert "        offline, indexes and shares: other\n" in text


def test_a_mount_that_was_unmounted_lazily_is_marked(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    mount = mounted(index=fake_index.url)

    def status() -> str:
        return run_wheelfs("--store", str(store_dir), "status").succeeded().stdout

    assert "lazily" not in status()
    with (mount.path / "simple" / "demo" / name).open("rb") as file:
        assert file.read() == content
        run_wheelfs("umount", "--lazy", str(mount.path)).succeeded()
        assert f"mount   {mount.path}  process {mount.process.pid}, " in status()
        assert "unmounted lazily: it ends with the last open file" in status()
    assert mount.process.wait(60) == 0
    assert status().splitlines()[1] == "no mounts"
