"""A store stays within its quota, all that is in its directory counted, while files come one by one or all at once."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import objects
from tests.fakes.faults import Fault, Slow
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished


def room_of(store: Path) -> int:
    """What a store takes on disk; what goes while it is counted takes nothing."""
    total = 0
    for place, _, files in os.walk(store):
        for name in files:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH116, PTH118
            except FileNotFoundError:
                continue
    return total


@pytest.fixture
def largest(store_dir: Path) -> Iterator[list[int]]:
    """The most that the store takes from now on, looked at all the time."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            most[0] = max(most[0], room_of(store_dir))

    watching = threading.Thread(target=watch)
    watching.start()
    yield most
    over.set()
    watching.join()


@pytest.fixture
def fetch(run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path) -> Callable[..., Finished]:
    def fetch(*words: str, **settings: Any) -> Finished:
        return run_wheelfs("--json", "--store", str(store_dir), "fetch", "--index", f"main={fake_index.url}", *words, **settings)

    return fetch


def test_a_fetch_of_many_at_once_never_takes_more_than_the_quota_and_drives_out_nothing_it_brought(
    fake_index: FakeIndex, fetch: Callable[..., Finished], largest: list[int], store_dir: Path
) -> None:
    names = [fake_index.add_wheel(f"numbers{number}", "1.0", big_bytes=1_000_000)[0] for number in range(12)]
    done = fetch("--quota", "20MB", *(f"numbers{number}" for number in range(12))).succeeded()
    assert sorted(line["file"]["filename"] for line in objects(done) if "file" in line) == sorted(names)
    assert largest[0] < 20_000_000
    assert len(list((store_dir / "spool").iterdir())) == 0


def test_under_pressure_files_come_one_after_the_other_and_all_come(
    fake_index: FakeIndex, fetch: Callable[..., Finished], largest: list[int]
) -> None:
    for number in range(10):
        fake_index.add_wheel(f"numbers{number}", "1.0", big_bytes=1_000_000)
    fake_index.faults.append(Fault(".whl", Slow(20_000_000), times=None))
    done = fetch("--quota", "6MB", *(f"numbers{number}" for number in range(10))).succeeded()
    assert [line["file"]["result"] for line in objects(done) if "file" in line] == ["fetched"] * 10
    assert largest[0] < 6_000_000


def test_a_file_that_cannot_fit_is_refused_before_it_is_asked_for(
    fake_index: FakeIndex, fetch: Callable[..., Finished], mounted: MountWheelfs
) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=4_000_000)
    done = fetch("--quota", "5MB", "numbers")
    assert done.returncode == 43
    assert "[cache] quota" in objects(done)[-1]["error"]["message"]
    assert fake_index.body_bytes(name) == 0
    mount = mounted("-o", "quota=5MB", index=fake_index.url)
    with (mount.path / "simple" / "numbers" / name).open("rb") as file, pytest.raises(OSError, match="No space left"):
        file.read()
    assert fake_index.body_bytes(name) < 100_000, "its tail, for resolvers"


def test_what_was_fetched_in_part_and_left_makes_room_before_any_wheel(
    fake_index: FakeIndex, fetch: Callable[..., Finished], mounted: MountWheelfs, store_dir: Path, run_wheelfs: RunWheelfs
) -> None:
    kept, _ = fake_index.add_wheel("kept", "1.0", big_bytes=1_000_000)
    left, _ = fake_index.add_wheel("left", "1.0", big_bytes=2_000_000)
    name, _ = fake_index.add_wheel("wanted", "1.0", big_bytes=1_000_000)
    fetch("kept").succeeded()
    fake_index.faults.append(Fault(left, Slow(2_000_000), times=None))
    mount = mounted(index=fake_index.url)
    reading = threading.Thread(target=lambda: _try(mount.path / "simple" / "left" / left))
    reading.start()
    eventually(lambda: fake_index.body_bytes(left) > 1_500_000)
    mount.kill()
    reading.join()
    assert len(list((store_dir / "spool").glob("*.part"))) == 1
    fetch("--quota", "4.5MB", "wanted").succeeded()
    assert list((store_dir / "spool").iterdir()) == []
    listed = objects(run_wheelfs("--json", "--store", str(store_dir), "ls").succeeded())
    assert {file["filename"] for file in listed} == {kept, name}


def _try(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError:
        return
