"""Two mounts of one store, and a command beside one, want the same parts of a wheel at the same moment: each byte comes once."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.fakes.environment_bench import VERSION, Bench
from tests.fakes.faults import Fault, Slow, Stall
from tests.fakes.waiting import eventually
from tests.fakes.wheels import incompressible, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted

PARTS = 8
PART_BYTES = 400_000
LARGE = wheel_filename("large", "1.0")
FILES = {f"large/part{number}.bin": incompressible(PART_BYTES, f"part {number}") for number in range(PARTS)}
TIMEOUT_S = 8
"""Of which a quarter is what another process is given to bring something."""


@pytest.fixture
def size_bytes(fake_index: FakeIndex) -> int:
    _, content = fake_index.add_wheel("large", "1.0", files=FILES)
    return len(content)


@pytest.fixture
def bench(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path, size_bytes: int
) -> Bench:
    assert size_bytes
    made = Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-of-python")
    assert made.create("it", "large", lazy=True)["environment"]["state"] == "lazy"
    return made


@pytest.fixture
def mounts(bench: Bench, mounted: MountWheelfs, tmp_path: Path) -> list[Mounted]:
    env = {"WHEELFS_OPEN_TIMEOUT_S": str(TIMEOUT_S)}
    return [mounted(*bench.options, store=bench.store, path=tmp_path / f"mount{number}", env=env) for number in range(2)]


def site(mount: Mounted) -> Path:
    return mount.path / "env" / "it" / "lib" / f"python{VERSION}" / "site-packages" / "large"


def test_what_both_open_at_once_comes_once(bench: Bench, mounts: list[Mounted], size_bytes: int) -> None:
    bench.index.faults.append(Fault(LARGE, Slow(4 * PART_BYTES), times=None))
    paths = [site(mount) / name.partition("/")[2] for name in FILES for mount in mounts]
    with ThreadPoolExecutor(len(paths)) as readers:
        contents = dict(zip(paths, readers.map(lambda path: path.read_bytes(), paths), strict=True))
    assert all(content == FILES[f"large/{path.name}"] for path, content in contents.items())
    assert bench.index.body_bytes(LARGE) <= size_bytes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_what_one_that_is_killed_or_stopped_was_fetching_the_other_asks_for(
    bench: Bench, mounts: list[Mounted], number: signal.Signals
) -> None:
    held = threading.Event()
    bench.index.faults.append(Fault(LARGE, Stall(600, until=held)))
    first, second = (site(mount) / "part4.bin" for mount in mounts)
    before = len(bench.index.requests_for(LARGE))
    with ThreadPoolExecutor(2) as readers:
        lost = readers.submit(first.read_bytes)
        eventually(lambda: len(bench.index.requests_for(LARGE)) > before)
        found = readers.submit(second.read_bytes)
        mounts[0].process.send_signal(number)
        assert found.result() == FILES["large/part4.bin"]
        held.set()
        mounts[0].kill()
        assert lost.exception() is not None
    rest = site(mounts[1]) / "part6.bin"
    assert rest.read_bytes() == FILES["large/part6.bin"]


def test_a_command_that_fetches_all_and_a_mount_share_what_comes(bench: Bench, mounts: list[Mounted], size_bytes: int) -> None:
    bench.index.faults.append(Fault(LARGE, Slow(2 * PART_BYTES), times=None))
    with ThreadPoolExecutor(2) as readers:
        done = readers.submit(bench.command, "fetch", "--env", "it", *bench.options)
        paths = [site(mounts[0]) / name.partition("/")[2] for name in FILES]
        assert [path.read_bytes() for path in paths] == list(FILES.values())
        done.result().succeeded()
    assert bench.index.body_bytes(LARGE) <= size_bytes
