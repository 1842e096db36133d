"""Bytes that rot in the store's files, under a mount that is up and under none: named, mended from the index, never served."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import objects
from tests.fakes.waiting import eventually
from tests.fakes.wheels import incompressible
from wheelfs.model.recipe import Recipe
from wheelfs.store.chunks.relocate import places
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

FILES = {f"numbers/{number}.py": f"value = {number}\n".encode() * 40 for number in range(60)}
KINDS = ("block", "recipe", "skeleton")


@pytest.fixture
def wheels(fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path) -> dict[str, bytes]:
    """Wheels that the index has and the store too, one for each kind of rot, and one that nothing happens to."""
    made = {}
    for project in (*KINDS, "sound"):
        files = FILES | {f"{project}/big.bin": incompressible(400_000, project)}
        name, made[name] = fake_index.add_wheel(project, "1.0", files=files)
    run_wheelfs("--store", str(store_dir), "fetch", "--index", f"main={fake_index.url}", *KINDS, "sound").succeeded()
    return made


def sick(wheels: dict[str, bytes]) -> list[str]:
    return [name for name in wheels if not name.startswith("sound")]


def rot(store: Path, wheels: dict[str, bytes]) -> None:
    """Flip one bit of what each stored file is made of, in the data files themselves."""
    with Store.open(store) as opened:
        values = {}
        for name in sick(wheels):
            kind = name.partition("-")[0]
            encoded = opened.catalog.recipe(hashlib.sha256(wheels[name]).digest()) or b""
            recipe = Recipe.decode(encoded)
            if kind == "block":
                values[kind] = next(opened.chunks.read(place) for chunk, place in places(recipe.data) if chunk.length > 100_000)
            elif kind == "skeleton":
                values[kind] = opened.chunks.read(next(iter(places(recipe.skeleton)))[1])
            else:
                values[kind] = encoded
    for kind, value in values.items():
        flip(store / ("catalog" if kind == "recipe" else "chunks") / "data.mdb", value)


def flip(data: Path, value: bytes) -> None:
    """Flip one bit in the middle of a value, wherever it is in the file: LMDB's copies of before may be in free pages."""
    held = data.read_bytes()
    at, found = held.find(value), 0
    with data.open("r+b", buffering=0) as file:
        while at >= 0:
            found += 1
            middle = at + len(value) // 2
            os.pwrite(file.fileno(), bytes([held[middle] ^ 4]), middle)
            at = held.find(value, at + 1)
    assert found


@pytest.fixture
def verify(run_wheelfs: RunWheelfs, store_dir: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    def verify(*words: str) -> tuple[int, dict[str, Any]]:
        done = run_wheelfs("--json", "--store", str(store_dir), "verify", *words)
        (told,) = objects(done)
        return done.returncode, told

    return verify


def test_rot_is_named_quarantined_and_mended_from_the_index(
    wheels: dict[str, bytes], fake_index: FakeIndex, verify: Callable[..., Any], mounted: MountWheelfs, store_dir: Path
) -> None:
    rot(store_dir, wheels)
    for words in ("--quick",), ():
        code, told = verify(*words)
        assert (code, told["checked_wheels"]) == (46, 4)
        assert sorted(file["filename"] for file in told["damaged"]) == sorted(sick(wheels))
    code, told = verify("--repair", "--index", f"main={fake_index.url}")
    assert (code, [file["repaired"] for file in told["damaged"]]) == (0, [True] * 3)
    assert verify() == (0, {"ok": True, "checked_wheels": 4, "damaged": []})
    fake_index.stop()
    mount = mounted("--offline")
    assert {name: (mount.path / name).read_bytes() for name in wheels} == wheels


def test_rot_under_a_mount_is_mended_while_it_is_read(
    wheels: dict[str, bytes], fake_index: FakeIndex, verify: Callable[..., Any], mounted: MountWheelfs, store_dir: Path
) -> None:
    mount = mounted(index=fake_index.url)
    assert set(wheels) <= set(os.listdir(mount.path))
    rot(store_dir, wheels)
    fake_index.reset_counters()
    for name in sick(wheels):
        assert (mount.path / name).read_bytes() == wheels[name]
        assert fake_index.body_bytes(name) > 0, "what is sound of it is taken from the store"
        assert f"read {name}" in mount.log
    assert mount.log.count("fetched again") == 3
    assert verify() == (0, {"ok": True, "checked_wheels": 4, "damaged": []})


def test_rot_that_cannot_be_mended_now_is_eio_and_mends_when_the_index_is_back(
    wheels: dict[str, bytes], fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path
) -> None:
    mount = mounted(index=fake_index.url)
    assert set(wheels) <= set(os.listdir(mount.path))
    fake_index.stop()
    rot(store_dir, wheels)
    for name in sick(wheels):
        with pytest.raises(OSError, match="Input/output error"):
            (mount.path / name).read_bytes()
        assert name in mount.log
    fake_index.start()
    for name in sick(wheels):
        path = mount.path / "simple" / name.partition("-")[0] / name
        eventually(lambda: _reads(path) == wheels[path.name])  # noqa: B023


def _reads(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def test_a_rotten_page_or_metadata_is_asked_for_again(
    wheels: dict[str, bytes], fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path
) -> None:
    name = next(iter(wheels))
    mount = mounted(index=fake_index.url)
    page = (mount.path / "simple" / "block" / "index.html").read_bytes()
    metadata = (mount.path / "simple" / "block" / f"{name}.metadata").read_bytes()
    mount.stop()
    with Store.open(store_dir) as store, store.environments[0].read() as transaction:
        tables = [store.environments[0].database(kind) for kind in ("pages", "metadata")]
        frames = [bytes(frame) for table in tables for _, frame in transaction.cursor(table)]
    for frame in frames:
        flip(store_dir / "catalog" / "data.mdb", frame)
    mount.start()
    assert (mount.path / "simple" / "block" / f"{name}.metadata").read_bytes() == metadata
    # Its digest is on the page once it has been read again.
    assert (mount.path / "simple" / "block" / "index.html").read_bytes() == page
    assert (mount.path / "simple" / "block" / name).read_bytes() == wheels[name]
    assert "fetched again" in mount.log


@pytest.mark.parametrize("environment", ["catalog", "chunks"])
def test_a_store_whose_file_was_cut_off_under_a_mount_is_refused_from_then_on_and_said_to_be_so(
    wheels: dict[str, bytes], run_wheelfs: RunWheelfs, mounted: MountWheelfs, store_dir: Path, environment: str
) -> None:
    mount = mounted("--offline")
    data = store_dir / environment / "data.mdb"
    os.truncate(data, data.stat().st_size // 2)
    # What a process of LMDB's touches of what is gone ends it, and the kernel then takes the mount away: no wrong byte is read.
    assert all(_reads(mount.path / name) in (None, content) for name, content in wheels.items())
    mount.kill()
    for words in ["ls"], ["verify"], ["add", str(store_dir)], ["mount", "--offline", "-f", str(mount.path)]:
        done = run_wheelfs("--json", "--store", str(store_dir), *words)
        assert done.returncode == 46, done
        assert "was cut off" in done.stdout
        assert "restore the whole store" in done.stdout
