"""kill -9 at any instant: the store opens, what was acknowledged reads back byte for byte, and nothing is fetched twice.

The instants are drawn from a seed and are places in the work (bytes that the index has sent, lines that the command has printed),
not times, so that they spread over the work on a slow machine as on a fast one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fakes.crashes import journalled_bytes, stored, unread_bytes
from tests.fakes.faults import Fault, Slow
from tests.fakes.mounts import mount_points
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import DEADLINE_S, eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

IN_FLIGHT_BYTES = 350_000
"""What may be under way on one connection when its reader dies: in the kernel's buffers, and not yet written to the spool.

The index sends pieces of 100,000 bytes and counts them first; the mount gathers up to 256 KiB.
"""


class House(NamedTuple):
    """A directory, and its wheels by name."""

    path: Path
    wheels: dict[str, bytes]


@pytest.fixture
def houses(tmp_path: Path) -> list[House]:
    """Three directories of twelve wheels, some of which share most of their bytes, and one of which is large."""
    return [house(tmp_path / f"house-{number}", number) for number in range(3)]


def house(place: Path, number: int) -> House:
    place.mkdir()
    wheels = {
        wheel_filename("shop", f"{number}.{minor}"): build_wheel(
            "shop", f"{number}.{minor}", big_bytes=300_000 + minor, big_seed="same"
        )
        for minor in range(11)
    }
    wheels[wheel_filename("zoo", f"{number}.0")] = build_wheel("zoo", f"{number}.0", big_bytes=9_000_000)
    for filename, content in wheels.items():
        (place / filename).write_bytes(content)
    return House(place, wheels)


def add_and_kill(tmp_path: Path, store: Path, added: Path, *, lines: int, written_bytes: int) -> list[str]:
    """Run ``add`` on a directory and kill it after so many lines and then bytes in its store; return what it acknowledged."""
    process = subprocess.Popen(
        wheelfs_command("--store", str(store), "add", "--json", str(added)),
        env={**wheelfs_environment(tmp_path / "home"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    try:
        for line in process.stdout:
            seen.append(line)
            if len(seen) >= lines:
                break
        data = store / "chunks" / "data.mdb"
        start = data.stat().st_blocks * 512 if data.exists() else 0
        # Looked at without a pause: what is stored in the 20 ms of one is most of what this command has left to do.
        end_s = time.monotonic() + DEADLINE_S
        while process.poll() is None and not (data.exists() and data.stat().st_blocks * 512 >= start + written_bytes):
            assert time.monotonic() < end_s, "nothing was stored"
    finally:
        process.kill()
        seen += process.stdout.readlines()
        process.stdout.close()
        process.wait(30)
    return [
        json.loads(line)["file"]["filename"]
        for line in seen
        if line.endswith("\n") and json.loads(line)["file"]["result"] != "refused"
    ]


def instants_of_add(count: int, seed: int) -> Iterator[tuple[int, int]]:
    draw = random.Random(seed)
    for _ in range(count):
        yield draw.randrange(13), draw.choice((0, 1, 200_000, draw.randrange(9_000_000)))


def check_killed_adds(tmp_path: Path, store: Path, houses: list[House], *, count: int, seed: int) -> None:
    """Kill so many times, each time in other work; after a kill for each house a new store is begun."""
    everything = {filename: content for house in houses for filename, content in house.wheels.items()}
    cut_short, place = 0, store
    for number, (lines, written_bytes) in enumerate(instants_of_add(count, seed)):
        round_, house = divmod(number, len(houses))
        place = store.with_name(f"store-{round_}")
        acknowledged = add_and_kill(tmp_path, place, houses[house].path, lines=lines, written_bytes=written_bytes)
        cut_short += len(acknowledged) < len(houses[house].wheels)
        if not (place / "format").exists():
            assert not acknowledged
            continue
        found = stored(place)
        where = f"seed {seed}, instant {number}: {lines} lines, {written_bytes} bytes"
        assert set(acknowledged) <= set(found), where
        assert all(found[filename] == everything[filename] for filename in found), where
    assert cut_short > count // 2, "too many kills came too late"
    done = subprocess.run(
        wheelfs_command("--store", str(place), "add", *(str(house.path) for house in houses)),
        env=wheelfs_environment(tmp_path / "home"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert stored(place) == everything


def test_an_acknowledged_wheel_survives_the_kill_of_add(tmp_path: Path, store_dir: Path, houses: list[House]) -> None:
    check_killed_adds(tmp_path, store_dir, houses, count=6, seed=20_260_101)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_an_acknowledged_wheel_survives_many_kills_of_add(
    tmp_path: Path, store_dir: Path, houses: list[House], seed: int
) -> None:
    check_killed_adds(tmp_path, store_dir, houses, count=25, seed=seed)


def check_killed_mounts(index: FakeIndex, mounted: MountWheelfs, store: Path, *, count: int, seed: int) -> None:
    """Fetch six wheels through one mount that is killed ``count`` times meanwhile."""
    draw = random.Random(seed)
    wheels = dict(index.add_wheel("numbers", f"1.{minor}", big_bytes=1_000_000) for minor in range(6))
    total = sum(map(len, wheels.values()))
    index.faults.append(Fault(".whl", Slow(2_000_000), times=None))
    mount = mounted(index=index.url)
    project = mount.path / "simple" / "numbers"
    port = int(index.origin.rpartition(":")[2])

    def read(name: str) -> bytes | None:
        try:
            return (project / name).read_bytes()
        except OSError:
            return None  # the kill

    lost = in_the_middle = 0
    for number, instant in enumerate(sorted(draw.randrange(50_000, total) for _ in range(count))):
        where = f"seed {seed}, instant {number}: {instant} bytes"
        names = draw.sample(sorted(wheels), 3)
        with ThreadPoolExecutor(3) as pool:
            reads = [pool.submit(read, name) for name in names]
            eventually(lambda: index.body_bytes(".whl") >= instant or all(one.done() for one in reads))  # noqa: B023
            # A busy machine lets the mount wait, and the index go on sending: what the mount has not even received is no loss.
            mount.process.send_signal(signal.SIGSTOP)
            index.stop()  # its last sends are counted now
            unread = unread_bytes(port)
            mount.kill()
            assert all(one.result() in (None, wheels[name]) for name, one in zip(names, reads, strict=True)), where
        index.start()
        found = stored(store)
        assert all(found[name] == wheels[name] for name in found), where
        lost_now = index.body_bytes(".whl") - sum(journalled_bytes(store, wheels).values()) - lost
        assert lost_now <= 3 * IN_FLIGHT_BYTES + unread, where
        lost += lost_now
        in_the_middle += any(one.result() is None for one in reads)
        mount.start()
        assert all(os.getxattr(project / name, "user.wheelfs.state") == b"stored" for name in found), where
    assert in_the_middle > count // 3, "too many kills hit nothing"
    for name, content in wheels.items():
        assert (project / name).read_bytes() == content
        eventually(lambda: os.getxattr(project / name, "user.wheelfs.state") == b"stored")  # noqa: B023
    # Everything that was on disk at some kill was never asked for again.
    assert index.body_bytes(".whl") == total + lost
    assert mount.stop() == 0
    assert stored(store) == wheels
    assert list((store / "spool").iterdir()) == []


def test_a_killed_mount_loses_no_wheel_and_fetches_no_byte_twice(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path
) -> None:
    check_killed_mounts(fake_index, mounted, store_dir, count=8, seed=20_260_102)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_mount_killed_many_times_loses_no_wheel(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path, seed: int
) -> None:
    check_killed_mounts(fake_index, mounted, store_dir, count=20, seed=seed)


def test_what_is_sealed_when_the_mount_is_killed_stays_sealed(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=2_000_000)
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    assert path.read_bytes() == content
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    mount.kill()
    fake_index.reset_counters()
    mount.start()
    assert path.read_bytes() == content
    assert fake_index.body_bytes(".whl") == 0


def test_a_killed_download_leaves_nothing_behind(fake_index: FakeIndex, tmp_path: Path, store_dir: Path) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=2_000_000)
    fake_index.faults.append(Fault(name, Slow(2_000_000), times=None))
    process = subprocess.Popen(
        wheelfs_command("--store", str(store_dir), "add", fake_index.file_url(name)),
        env=wheelfs_environment(tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: fake_index.body_bytes(name) > 500_000)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert stored(store_dir) == {}
    assert list((store_dir / "spool").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["the store is there", "it is mounted"])
def test_a_signal_while_it_starts_leaves_no_mount_in_the_way(
    tmp_path: Path, store_dir: Path, mounted: MountWheelfs, number: signal.Signals, moment: str
) -> None:
    place = tmp_path / "mnt"
    process = subprocess.Popen(
        wheelfs_command("--store", str(store_dir), "mount", "-f", "--offline", str(place)),
        env=wheelfs_environment(tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if moment == "it is mounted":
        eventually(lambda: mount_points(place) != [])
    else:
        eventually((store_dir / "format").exists)
    process.send_signal(number)
    assert process.wait(30) in (0, -number)
    if number == signal.SIGTERM:
        eventually(lambda: mount_points(place) == [])
    mount = mounted("--offline", path=place)
    assert os.listdir(mount.path / "simple") == []
    assert mount.stop() == 0
    assert mount_points(place) == []
