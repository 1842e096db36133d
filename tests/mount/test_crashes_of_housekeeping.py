"""kill -9 while room is given back: by gc, and by a mount that keeps its quota.

The instants are numbers of transactions committed in the store, drawn from a seed.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.fakes.crashes import journalled_bytes, kill_when, stored, transactions
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex


def add(store: Store, scratch: Path, wheels: dict[str, bytes], version: str, members: dict[str, bytes]) -> None:
    content = build_wheel("demo", version, files=members)
    filename = wheel_filename("demo", version)
    scratch.write_bytes(content)
    with scratch.open("rb") as file:
        name = StoredName(project="demo", filename=filename, index="main", size_bytes=len(content), added_at_us=1)
        store.add_content(file.fileno(), len(content), expected_sha256=None, names=[name])
    wheels[filename] = content


def remove(store: Store, wheels: dict[str, bytes], filename: str) -> bytes:
    content = wheels.pop(filename)
    (name,) = [one for one in store.catalog.stored_names("demo") if one.filename == filename]
    assert store.catalog.remove_name(name.key).result()
    return content


def work_for_gc(store: Store, scratch: Path, wheels: dict[str, bytes], draw: random.Random, round_: int) -> None:
    """Leave blocks of no use, and blocks of little: of pairs of wheels that share a member one is removed."""
    gone = [filename for filename in sorted(wheels) if draw.random() < 0.3]
    for number in range(8):
        shared = {"demo/shared.bin": incompressible(40_000, f"{round_} {number}")}
        large = {"demo/large.bin": incompressible(80_000, f"large {round_} {number}")}
        add(store, scratch, wheels, f"{round_}.{number}", shared | large)
        gone.append(wheel_filename("demo", f"{round_}.{number}"))
        add(store, scratch, wheels, f"{round_}.{number}.1", shared)
    for filename in gone:
        remove(store, wheels, filename)


def check_killed_collections(tmp_path: Path, path: Path, *, count: int, seed: int) -> None:
    """Kill `wheelfs gc` ``count`` times, each time with new work and a removed wheel open, without cleaning up in between."""
    draw = random.Random(seed)
    wheels: dict[str, bytes] = {}
    killed = 0

    def gc() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            wheelfs_command("--store", str(path), "gc"),
            env=wheelfs_environment(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    for number in range(count):
        with Store.open(path) as store:
            work_for_gc(store, tmp_path / "input", wheels, draw, number)
            add(store, tmp_path / "input", wheels, f"{number}.open", {"demo/open.bin": incompressible(200_000, f"open {number}")})
            opened = hashlib.sha256(wheels[wheel_filename("demo", f"{number}.open")]).digest()
            with store.reading(opened) as sealed:
                removed = remove(store, wheels, wheel_filename("demo", f"{number}.open"))
                instant = transactions(path) + draw.randrange(1, 25)
                where = f"seed {seed}, instant {number}: transaction {instant}"
                killed += kill_when(gc(), lambda: transactions(path) >= instant)  # noqa: B023
                assert sealed.read(0, sealed.size) == removed, where
        assert stored(path) == wheels, where
    assert killed > count // 2, "too many kills came too late"
    assert gc().wait(60) == 0
    with Store.open(path) as store:
        blocks = sum(length for _, length in store.chunks.blocks())
        chunks = {
            chunk.digest: chunk.length
            for content in wheels.values()
            for recipe in [store.open_sealed(hashlib.sha256(content).digest())._recipe]
            for part in (recipe.data, recipe.skeleton)
            for chunk in part
        }
        assert blocks < 2.2 * sum(chunks.values()), "nothing that a killed gc left stays for good"
        assert list(store.catalog.retired_batches()) == []
    assert stored(path) == wheels


def test_a_killed_gc_takes_nothing_that_is_needed_and_the_next_one_ends_its_work(tmp_path: Path, store_dir: Path) -> None:
    check_killed_collections(tmp_path, store_dir, count=3, seed=20_260_105)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_gc_killed_many_times_takes_nothing_that_is_needed(tmp_path: Path, store_dir: Path, seed: int) -> None:
    check_killed_collections(tmp_path, store_dir, count=20, seed=seed)


QUOTA_BYTES = 8_000_000

OVER_QUOTA = 1.05
"""How far the files of a store may go beyond so small a quota at the instant of a kill: freed pages of LMDB's file lie scattered,
and of few wheels a page more or less is a larger part."""


def check_killed_evictions(index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, path: Path, *, count: int, seed: int) -> None:
    """Read wheels through a mount that has room for seven of them and is killed ``count`` times."""
    draw = random.Random(seed)
    wheels = dict(index.add_wheel("numbers", f"1.{minor}", big_bytes=1_000_000) for minor in range(3 * count + 10))
    private = wheel_filename("lab", "1.0")
    (tmp_path / private).write_bytes(build_wheel("lab", "1.0", big_bytes=500_000))
    add_private = wheelfs_command("--store", str(path), "add", str(tmp_path / private))
    subprocess.run(add_private, env=wheelfs_environment(tmp_path / "home"), check=True, stdout=subprocess.DEVNULL)
    mount = mounted("--quota", f"{QUOTA_BYTES}", index=index.url)
    unread = list(wheels)
    pinned = unread[0]
    promised: dict[str, int] = {}

    def read_all() -> None:
        """Read one after the other until the mount is killed; the one that fails comes first the next time."""
        while unread:
            try:
                assert (mount.path / "simple" / "numbers" / unread[0]).read_bytes() == wheels[unread[0]]
            except OSError:
                return
            unread.pop(0)

    assert (mount.path / "simple" / "numbers" / pinned).read_bytes() == wheels[unread.pop(0)]
    mount.stop()
    with Store.open(path) as store:
        (name,) = store.catalog.stored_names("numbers")
        assert store.catalog.set_pinned(name.key, True).result()
    mount.start()
    killed = evicted = 0
    for number in range(count):
        if not unread:
            break
        instant = transactions(path) + draw.randrange(1, 20)
        where = f"seed {seed}, instant {number}: transaction {instant}"
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read_all)
            kill_when(mount.process, lambda: transactions(path) >= instant or reading.done())  # noqa: B023
            reading.result()
            killed += bool(unread)
        index.stop()  # its last sends are counted now
        index.start()
        found = stored(path)
        evicted += len(wheels) - len(unread) - len(found)
        assert {pinned, private} <= set(found), where
        assert all(found[name] == wheels[name] for name in found if name != private), where
        used_bytes = sum(file.stat().st_blocks * 512 for file in path.rglob("*.*"))
        assert used_bytes <= QUOTA_BYTES * OVER_QUOTA, where
        assert all(index.body_bytes(name) <= most for name, most in promised.items()), f"{where}: fetched twice"
        here = journalled_bytes(path, dict.fromkeys(unread[:1], wheels[unread[0]])) if unread else {}
        promised = {name: index.body_bytes(name) + len(wheels[name]) - size for name, size in here.items()}
        mount.start()
    assert killed > count // 2, "too many kills came too late"
    assert evicted > 0
    read_all()
    assert not unread
    assert all(index.body_bytes(name) <= most for name, most in promised.items())
    assert mount.stop() == 0
    stored(path)


def test_a_mount_killed_while_it_makes_room_loses_nothing_it_must_keep(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, store_dir: Path
) -> None:
    check_killed_evictions(fake_index, mounted, tmp_path, store_dir, count=3, seed=20_260_106)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_mount_killed_many_times_while_it_makes_room_loses_nothing_it_must_keep(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, store_dir: Path, seed: int
) -> None:
    check_killed_evictions(fake_index, mounted, tmp_path, store_dir, count=10, seed=seed)
