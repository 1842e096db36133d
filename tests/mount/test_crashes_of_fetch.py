"""kill -9 while files are fetched, whole or in parts: what the spool's journal promises is never asked for again.

The instants are numbers of bytes that the index has sent, drawn from a seed.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.fakes.crashes import journalled_bytes, kill_when, stored
from tests.fakes.faults import Fault, Slow
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import incompressible

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

RATE = 4_000_000
"""Bytes a second on each connection: slow enough that a kill comes in the middle, fast enough for a hundred of them."""
KILLS = 3
GAP_BYTES = 8 * 1024
"""Ranges that are so near each other are asked for as one, with what lies between them and is here."""


def add_history(index: FakeIndex, count: int, seed: int) -> dict[str, bytes]:
    """Versions of one project, each with a third of its members new."""
    draw = random.Random(seed)
    members = {f"numbers/{number:02}.bin": incompressible(60_000, f"{number}") for number in range(15)}
    wheels = {}
    for version in range(count):
        for name in draw.sample(sorted(members), 5):
            members[name] = incompressible(60_000, f"{name} {version} {seed}")
        name, content = index.add_wheel("numbers", f"1.{version}", files=dict(members))
        wheels[name] = content
    index.faults.append(Fault(".whl", Slow(RATE), times=None))
    return wheels


@dataclass
class Books:
    """What the index has sent of each wheel, against what the store's journal said at each kill."""

    index: FakeIndex
    store: Path
    wheels: dict[str, bytes]
    cost: dict[str, int]
    """How many bytes each wheel takes when no process is killed."""
    owed: dict[str, int] = field(default_factory=dict)

    def sent(self, name: str) -> int:
        return self.index.body_bytes(name)

    def instant(self, name: str, draw: random.Random) -> int:
        """Return a number of bytes that will have been sent at some time while the rest of a wheel is fetched."""
        here = journalled_bytes(self.store, self.wheels)[name]
        return self.sent(name) + draw.randrange(max(1, self.cost[name] - here))

    def check(self, where: str) -> None:
        """Nothing of what was journalled at the kill before has been sent since; then look at the journal again."""
        here = journalled_bytes(self.store, self.wheels) if (self.store / "format").exists() else dict.fromkeys(self.wheels, 0)
        for name, content in self.wheels.items():
            if name in self.owed:
                assert self.sent(name) <= self.owed[name], f"{where}: {name} was fetched twice"
            rest = 0 if here[name] == len(content) else max(0, self.cost[name] - here[name]) + self.slack(name)
            self.owed[name] = self.sent(name) + rest

    def slack(self, name: str) -> int:
        return 0 if self.cost[name] == len(self.wheels[name]) else 5 * GAP_BYTES


def cut_off_connections(index: FakeIndex) -> None:
    """What the index was sending when its reader died is counted when this returns."""
    index.stop()
    index.start()


def begin_fetch(index: FakeIndex, home: Path, store: Path, version: int, delta: str) -> subprocess.Popen[bytes]:
    words = ["--json", "--store", str(store), "fetch", "--delta", delta, "--index", f"main={index.url}"]
    return subprocess.Popen(
        wheelfs_command(*words, f"numbers==1.{version}"),
        env=wheelfs_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def acknowledged_by(process: subprocess.Popen[bytes]) -> set[str]:
    """Return the files that an ended command has told to be here."""
    out, _ = process.communicate(timeout=60)
    told = [json.loads(line).get("file") for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
    return {file["filename"] for file in told if file is not None and file["result"] in ("fetched", "present")}


def check_killed_fetches(index: FakeIndex, tmp_path: Path, store: Path, *, delta: str, count: int, seed: int) -> None:
    """Kill `wheelfs fetch` ``count`` times: each wheel's, `KILLS` times, before it is fetched to its end."""
    draw = random.Random(seed)
    wheels = add_history(index, 2 + (count - 1) // KILLS, seed)
    names = list(wheels)

    def fetch(version: int, store: Path = store) -> subprocess.Popen[bytes]:
        return begin_fetch(index, tmp_path / "home", store, version, delta)

    for version, name in enumerate(names):
        assert acknowledged_by(fetch(version, tmp_path / "control")) == {name}
    books = Books(index, store, wheels, {name: index.body_bytes(name) for name in names})
    if delta == "always":
        assert sum(books.cost.values()) < 0.7 * sum(map(len, wheels.values()))
    index.reset_counters()
    acknowledged = acknowledged_by(fetch(0))
    killed = 0
    for number in range(count):
        version = 1 + number // KILLS
        name = names[version]
        instant = books.instant(name, draw)
        where = f"seed {seed}, instant {number}: {instant} bytes of {name}"
        process = fetch(version)
        killed += kill_when(process, lambda: index.body_bytes(name) > instant)  # noqa: B023
        acknowledged |= acknowledged_by(process)
        cut_off_connections(index)
        found = stored(store)
        assert acknowledged <= set(found), where
        assert all(found[name] == wheels[name] for name in found), where
        books.check(where)
        if number % KILLS == KILLS - 1:
            assert acknowledged_by(fetch(version)) == {name}, where
            books.check(f"after {where}")
    assert killed > count // 2, "too many kills came too late"
    for version, name in enumerate(names):
        assert acknowledged_by(fetch(version)) == {name}
    books.check(f"seed {seed}, at the end")
    assert stored(store) == wheels
    assert list((store / "spool").iterdir()) == []


def test_a_killed_fetch_goes_on_where_it_was(fake_index: FakeIndex, tmp_path: Path, store_dir: Path) -> None:
    check_killed_fetches(fake_index, tmp_path, store_dir, delta="always", count=3, seed=20_260_103)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("delta", ["never", "always"])
def test_a_fetch_killed_many_times_goes_on_where_it_was(
    fake_index: FakeIndex, tmp_path: Path, store_dir: Path, delta: str, seed: int
) -> None:
    check_killed_fetches(fake_index, tmp_path, store_dir, delta=delta, count=10, seed=seed)


def check_killed_mounts_with_delta(index: FakeIndex, mounted: MountWheelfs, store: Path, *, count: int, seed: int) -> None:
    """Read one version after the other through a mount that is killed ``count`` times, and mounted again each time."""
    draw = random.Random(seed)
    wheels = add_history(index, 2 + (count - 1) // KILLS, seed)
    names = list(wheels)

    def read(place: Path, name: str) -> bytes | None:
        try:
            content = (place / "simple" / "numbers" / name).read_bytes()
            eventually(lambda: os.getxattr(place / "simple" / "numbers" / name, "user.wheelfs.state") == b"stored")
            return content
        except OSError:
            return None  # the kill

    control = mounted("--delta", "always", index=index.url, store=store.with_name("control"))
    assert all(read(control.path, name) == wheels[name] for name in names)
    assert control.stop() == 0
    books = Books(index, store, wheels, {name: index.body_bytes(name) for name in names})
    index.reset_counters()
    mount = mounted("--delta", "always", index=index.url)
    assert read(mount.path, names[0]) == wheels[names[0]]
    killed = 0
    for number in range(count):
        name = names[1 + number // KILLS]
        instant = books.instant(name, draw)
        where = f"seed {seed}, instant {number}: {instant} bytes of {name}"
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read, mount.path, name)
            kill_when(mount.process, lambda: index.body_bytes(name) > instant or reading.done())  # noqa: B023
            killed += reading.result() is None
            assert reading.result() in (None, wheels[name]), where
        cut_off_connections(index)
        found = stored(store)
        assert all(found[name] == wheels[name] for name in found), where
        books.check(where)
        mount.start()
        if number % KILLS == KILLS - 1:
            assert read(mount.path, name) == wheels[name]
    assert killed > count // 3, "too many kills hit nothing"
    assert all(read(mount.path, name) == wheels[name] for name in names)
    assert mount.stop() == 0
    books.check(f"seed {seed}, at the end")
    assert stored(store) == wheels


def test_a_mount_killed_while_it_fetches_parts_goes_on_where_it_was(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path
) -> None:
    check_killed_mounts_with_delta(fake_index, mounted, store_dir, count=3, seed=20_260_104)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_mount_killed_many_times_while_it_fetches_parts_goes_on_where_it_was(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path, seed: int
) -> None:
    check_killed_mounts_with_delta(fake_index, mounted, store_dir, count=10, seed=seed)
