"""Four machines push to one share at once, and one of them is killed, wherever it is: the share stays whole."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.crashes import kill_when, stored
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.shares.conftest import Place
    from wheelfs.remote.share.objects import Objects

WRITERS = 4
SHARED = {f"common/part{number}.bin": incompressible(60_000, f"common-{number}") for number in range(4)}


def stores(directory: Path) -> list[dict[str, bytes]]:
    """Fill a store for each writer and return what is in it: wheels of its own, and some that all have, of common parts."""
    everybody = [("common", f"{version}.0") for version in range(2)]
    filled: list[dict[str, bytes]] = []
    for writer in range(WRITERS):
        own = [(f"own{writer}", f"{version}.0") for version in range(3)]
        wheels = {
            wheel_filename(project, version): build_wheel(
                project, version, files={**SHARED, f"{project}/x": version.encode()}, big_bytes=40_000, compression="stored"
            )
            for project, version in (*everybody, *own)
        }
        with Store.open(directory / f"store{writer}") as store:
            for filename, content in wheels.items():
                (directory / "input").write_bytes(content)
                project = filename.partition("-")[0]
                name = StoredName(project=project, filename=filename, index="main", size_bytes=len(content), added_at_us=1)
                with (directory / "input").open("rb") as opened:
                    store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
        filled.append(wheels)
    return filled


def written(objects: Objects) -> int:
    """Return how many objects there are by now."""
    return sum(1 for prefix in ("packs", "manifests", "log") for _ in objects.found(prefix))


def round_of_writers(place: Place, directory: Path, filled: list[dict[str, bytes]], seed: int) -> bool:
    """Let all push and one be killed, look at the share, and tell whether the kill came before the end."""
    chance = random.Random(seed)
    victim, after = chance.randrange(WRITERS), chance.randrange(18)
    environment: Mapping[str, str] = {**wheelfs_environment(directory / "home"), **place.environment}
    running = []
    for writer in range(WRITERS):
        command = wheelfs_command("--store", str(directory / f"store{writer}"), "push", "--share", place.url)
        quiet = subprocess.DEVNULL
        running.append(subprocess.Popen(command, env=dict(environment), stdin=quiet, stdout=quiet, stderr=subprocess.PIPE))
    try:
        objects = place.open()
        killed = kill_when(running[victim], lambda: written(objects) > after)
    finally:
        said = [process.communicate(timeout=60)[1].decode() for process in running]
    for writer, process in enumerate(running):
        assert process.returncode == 0 or writer == victim, (seed, said[writer])

    share = WrittenShare(place.open())
    told = {file.filename for file in share.catalog.files()}
    whole = {name: content for wheels in filled for name, content in wheels.items()}
    survivors = {name for writer, wheels in enumerate(filled) if writer != victim for name in wheels}
    assert survivors <= told <= set(whole), seed
    reader = directory / f"reader{seed}"
    with Store.open(reader) as store:
        assert {file.result for file in pull(store, share, [], contents=True)} == {"pulled"}, seed
    assert stored(reader) == {name: whole[name] for name in told}, "every file that is listed is there, to the byte"
    with Store.open(directory / f"store{victim}") as store:
        assert {file.result for file in push(store, share, [], private=False)} <= {"pushed", "present"}
    assert {file.filename for file in share.catalog.files()} == set(whole), "who was killed goes on where it was"
    return killed


def rounds(place: Place, tmp_path: Path, seeds: range, *, enough: int) -> int:
    """Return in how many rounds a process was killed; ``enough`` of them end it."""
    filled = stores(tmp_path)
    kills = 0
    for seed in seeds:
        if kills == enough:
            break
        emptied = type(place)(f"{place.url}/round{seed}", place.environment)
        if place.url.startswith("file:"):
            (tmp_path / "lab wheels" / f"round{seed}").mkdir()
        kills += round_of_writers(emptied, tmp_path, filled, seed)
    return kills


def test_one_of_four_writers_is_killed_and_the_share_stays_whole(place: Place, tmp_path: Path) -> None:
    # How far a writer is when it is looked at is not ours to say: a kill may come too late, but not every time.
    assert rounds(place, tmp_path, range(12), enough=2)


@pytest.mark.soak
def test_one_of_four_writers_is_killed_fifty_times(place: Place, tmp_path: Path) -> None:
    assert rounds(place, tmp_path, range(50), enough=50) > 25, "most kills must come before the end"
