"""``gc --solid``: what is not used takes less room, and a mount shows the same bytes, also while it happens."""

from __future__ import annotations

import json
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.fakes.crashes import kill_when, stored, transactions
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.store.directory import allow_solid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs


def a_wheel(version: int) -> bytes:
    chance = random.Random("words")
    lines = [" ".join(f"word{chance.randrange(900)}" for _ in range(12)) for _ in range(4_000)]
    for place in range(0, len(lines), 100):
        lines[place] = f"version {'=' * version} {version}"
    files = {f"demo/part{part}.py": "\n".join(lines[part * 400 : part * 400 + 400]).encode() for part in range(10)}
    return build_wheel("demo", f"{version}.0", files=files)


@pytest.fixture
def wheels(tmp_path: Path, run_wheelfs: RunWheelfs, store_dir: Path) -> dict[str, bytes]:
    folder = tmp_path / "folder"
    folder.mkdir()
    made = {wheel_filename("demo", f"{version}.0"): a_wheel(version) for version in range(1, 6)}
    for name, wheel in made.items():
        (folder / name).write_bytes(wheel)
    assert run_wheelfs("--store", str(store_dir), "add", str(folder)).returncode == 0
    return made


def stored_bytes(run_wheelfs: RunWheelfs, store_dir: Path) -> int:
    done = run_wheelfs("--json", "--store", str(store_dir), "stats")
    return int(json.loads(done.stdout)["stored_bytes"])


def patient(store_dir: Path) -> list[str]:
    """Return the command that makes all solid that can be, however slow this machine is."""
    return wheelfs_command("--json", "--store", str(store_dir), "gc", "--solid", "0", "--solid-rate", "1")


def solid(tmp_path: Path, store_dir: Path) -> dict[str, Any]:
    done = run(patient(store_dir), environment=wheelfs_environment(tmp_path / "home"), cwd=tmp_path, timeout_s=300.0)
    assert done.returncode == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_old_versions_take_less_and_a_mount_shows_them_as_before(
    wheels: dict[str, bytes], run_wheelfs: RunWheelfs, mounted: MountWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    before_bytes = stored_bytes(run_wheelfs, store_dir)
    done = solid(tmp_path, store_dir)
    assert done["solid_wheels"] == 4, "all but the newest"
    assert stored_bytes(run_wheelfs, store_dir) == before_bytes - done["freed_bytes"] < before_bytes
    mount = mounted("--offline")
    for _ in range(2):
        assert {name: (mount.path / name).read_bytes() for name in wheels} == wheels


def test_a_mount_goes_on_while_more_becomes_solid(
    wheels: dict[str, bytes], run_wheelfs: RunWheelfs, mounted: MountWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    solid(tmp_path, store_dir)
    mount = mounted("--offline")
    oldest = wheel_filename("demo", "1.0")
    with (mount.path / oldest).open("rb") as file:
        begin = file.read(10_000)
        for version in (6, 7, 8):
            added = tmp_path / wheel_filename("demo", f"{version}.0")
            added.write_bytes(a_wheel(version))
            assert run_wheelfs("--store", str(store_dir), "add", str(added)).returncode == 0
        solid(tmp_path, store_dir)
        assert begin + file.read() == wheels[oldest]
    assert (mount.path / wheel_filename("demo", "6.0")).read_bytes() == a_wheel(6)


def test_a_gateway_and_its_nodes_give_what_is_solid(
    wheels: dict[str, bytes], mounted: MountWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    where = tmp_path / "gateway"
    where.mkdir()
    store_dir.rename(where / "store")
    solid(tmp_path, where / "store")
    with Serving(where, "--offline", "--workers", "2") as gateway:
        node = mounted("--no-index", "--share", gateway.url, "--delta", "always", store=tmp_path / "node")
        eventually(lambda: {path.name for path in node.path.glob("*.whl")} == wheels.keys())
        oldest, second, *others = wheels
        half = len(wheels[second]) // 2

        def rest(_: int) -> bytes:
            url = f"{gateway.url}/simple/demo/{second}"
            return httpx2.get(url, headers={"range": f"bytes={half}-"}, trust_env=False).content

        with ThreadPoolExecutor(8) as clients:
            assert list(clients.map(rest, range(8))) == [wheels[second][half:]] * 8
        assert (node.path / oldest).read_bytes() == wheels[oldest]
        for name in others:
            assert httpx2.get(f"{gateway.url}/simple/demo/{name}", trust_env=False).content == wheels[name]
            assert (node.path / name).read_bytes() == wheels[name]
    assert stored(where / "store") == wheels


def test_what_is_solid_is_pushed_pulled_and_exported(
    wheels: dict[str, bytes], run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    share = f"file://{tmp_path / 'share'}"
    (tmp_path / "share").mkdir()
    solid(tmp_path, store_dir)
    other = str(tmp_path / "other")
    for command in (
        ["--store", str(store_dir), "push", "--private", "--share", share],
        ["--store", other, "pull", "--contents", "--share", share],
        ["--store", str(store_dir), "export", str(tmp_path / "exported")],
    ):
        run_wheelfs(*command).succeeded()
    assert stored(tmp_path / "other") == wheels
    assert {path.name: path.read_bytes() for path in (tmp_path / "exported").glob("**/*.whl")} == wheels


def test_the_first_time_no_mount_may_be_running(
    wheels: dict[str, bytes], run_wheelfs: RunWheelfs, mounted: MountWheelfs, store_dir: Path
) -> None:
    mounted("--offline")
    done = run_wheelfs("--store", str(store_dir), "gc", "--solid", "30d")
    assert done.returncode == 41
    assert "this once" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--solid", "soon"], "soon"),
        (["--solid", "30d", "--solid-rate", "fast"], "fast"),
        (["--solid-rate", "20MB"], "--solid"),
        (["--solid", "30d", "--dry-run"], "--dry-run"),
        (["--solid", "30d", "--unused", "90d"], "--unused"),
        (["--solid", "30d", "--share", "file:///nowhere"], "--share"),
    ],
)
def test_what_makes_no_sense_is_refused(run_wheelfs: RunWheelfs, store_dir: Path, options: list[str], said: str) -> None:
    done = run_wheelfs("--store", str(store_dir), "gc", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_killed_gc_loses_nothing_and_the_next_one_ends_its_work(
    wheels: dict[str, bytes], store_dir: Path, tmp_path: Path
) -> None:
    allow_solid(store_dir)
    draw = random.Random(20_261_201)
    killed = 0
    for _ in range(4):
        instant = transactions(store_dir) + draw.randrange(1, 8)
        begun = subprocess.Popen(
            patient(store_dir), env=wheelfs_environment(tmp_path / "home"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        killed += kill_when(begun, lambda: transactions(store_dir) >= instant)  # noqa: B023
        assert stored(store_dir) == wheels, f"killed at transaction {instant}"
    assert killed >= 2, "too many kills came too late"
    solid(tmp_path, store_dir)
    assert stored(store_dir) == wheels
