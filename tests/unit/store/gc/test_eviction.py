"""What goes to make room, and what never does."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import StoreFull
from wheelfs.model.content import key_of_sha256
from wheelfs.model.environment import EnvironmentLabel
from wheelfs.store.catalog.last_use import COARSE_US, LastUses
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.gc.eviction import evict_unused, excess_bytes, make_room
from wheelfs.store.limits import NO_LIMITS, TUNING, Limits, Need
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.store.spool.file import SpoolFile

SIZE = 500_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def add(store: Store, tmp_path: Path, project: str, added_at_us: int, **marks: bool) -> bytes:
    data = build_wheel(project, "1.0", files={f"{project}/x": incompressible(SIZE, project)})
    (tmp_path / "input").write_bytes(data)
    descriptor = os.open(tmp_path / "input", os.O_RDONLY)
    name = StoredName(
        project=project,
        filename=wheel_filename(project, "1.0"),
        index="main",
        size_bytes=len(data),
        added_at_us=added_at_us,
        private=marks.get("private", False),
        pinned=marks.get("pinned", False),
    )
    store.add_content(descriptor, len(data), expected_sha256=None, names=[name])
    os.close(descriptor)
    return hashlib.sha256(data).digest()


def projects(store: Store) -> list[str]:
    return [name.project for name in store.catalog.names()]


def quota(store: Store, *, without: int) -> Limits:
    """A quota that the store would just keep, with some room to spare, if ``without`` of its wheels were gone."""
    return Limits(quota_bytes=int((store.used_bytes() - without * SIZE) / NO_LIMITS.low_water) + 100_000)


def test_nothing_goes_while_there_is_room(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "one", 1)
    assert make_room(store, Limits(quota_bytes=10_000_000), Need(SIZE)) == []
    assert make_room(store, Limits(), Need(1 << 50)) == []


def test_what_was_not_used_since_goes_and_nothing_else(store: Store, tmp_path: Path) -> None:
    for number, project in enumerate(["old", "used", "opened", "new"]):
        add(store, tmp_path, project, 10 + number)
    add(store, tmp_path, "own", 1, private=True)
    add(store, tmp_path, "kept", 1, pinned=True)
    (used,), (opened,) = store.catalog.stored_names("used"), store.catalog.stored_names("opened")
    store.catalog.note_used({used.sha256: 100}).result()
    with store.reading(opened.sha256):
        assert list(evict_unused(store, 13, dry_run=True)) == [wheel_filename("old", "1.0")]
        assert sorted(projects(store)) == ["kept", "new", "old", "opened", "own", "used"]
        assert list(evict_unused(store, 13)) == [wheel_filename("old", "1.0")]
    assert sorted(projects(store)) == ["kept", "new", "opened", "own", "used"]


def test_the_least_recently_used_go_first_and_no_more_than_needed(store: Store, tmp_path: Path) -> None:
    for number, project in enumerate(["one", "two", "three", "four", "five", "six"]):
        add(store, tmp_path, project, number + 1)
    (one,) = store.catalog.stored_names("one")
    store.catalog.note_used({one.sha256: 100}).result()
    limits = quota(store, without=2)
    assert make_room(store, limits, Need(SIZE)) != []
    assert "one" in projects(store), "it came first, but was used last"
    assert "two" not in projects(store)
    assert "six" in projects(store)
    assert excess_bytes(store, limits, Need(SIZE)) == 0


def test_pinned_private_and_open_ones_stay_even_if_there_is_no_room_then(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "pinned", 1, pinned=True)
    add(store, tmp_path, "private", 2, private=True)
    opened = add(store, tmp_path, "opened", 3)
    add(store, tmp_path, "other", 4)
    needed = add(store, tmp_path, "needed", 5)
    store.mounted.put(EnvironmentLabel("it", bytes(32), 1, (needed,)), b"a tree").result()
    store.hold(opened)
    with pytest.raises(StoreFull, match="quota"):
        make_room(store, Limits(quota_bytes=600_000))
    assert projects(store) == ["needed", "opened", "pinned", "private"]


def test_one_pinned_name_keeps_a_content_under_all_its_names(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "one", 1)
    (name,) = store.catalog.stored_names("one")
    store.catalog.add_name(
        StoredName(
            project="one",
            filename=wheel_filename("one", "1.0.0"),
            index="lab",
            size_bytes=SIZE,
            added_at_us=1,
            sha256=name.sha256,
            pinned=True,
        )
    ).result()
    with pytest.raises(StoreFull):
        make_room(store, Limits(quota_bytes=100_000))
    assert len(projects(store)) == 2


def test_what_was_removed_by_hand_makes_room_before_anything_is_evicted(store: Store, tmp_path: Path) -> None:
    for number, project in enumerate(["one", "two", "three"]):
        add(store, tmp_path, project, number + 1)
    limits = quota(store, without=1)
    (three,) = store.catalog.stored_names("three")
    store.catalog.remove_name(three.key).result()
    assert make_room(store, limits) == []
    assert projects(store) == ["one", "two"]


def test_disk_space_is_left_to_others(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, project in enumerate(["one", "two", "three"]):
        add(store, tmp_path, project, number + 1)
    # What is freed stays in the store's files, where it counts as room for what comes.
    monkeypatch.setattr(store, "disk_space", lambda: (100_000_000, 1_000_000))
    made = make_room(store, Limits(min_free_bytes=1_000_000), Need(400_000))
    assert made == [wheel_filename("one", "1.0")]


def test_a_small_disk_can_be_filled_to_a_twentieth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "disk_space", lambda: (20_000_000, 5_000_000))
    assert make_room(store, Limits(min_free_bytes=100_000_000), Need(3_900_000)) == []
    with pytest.raises(StoreFull) as full:
        make_room(store, Limits(min_free_bytes=100_000_000), Need(5_000_000))
    assert "the disk is full" in str(full.value)
    assert "quota" not in str(full.value), "there is none"
    with pytest.raises(StoreFull, match="the disk is full"):
        make_room(store, Limits(quota_bytes=1 << 40, min_free_bytes=100_000_000), Need(5_000_000))


def test_a_store_keeps_its_quota_by_itself(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", limits=Limits(quota_bytes=8_000_000)) as store:
        for number in range(40):
            add(store, tmp_path, f"project-{number:02}", number + 1)
            usage = store.usage()
            assert usage.catalog_bytes + usage.chunks_bytes <= 8_000_000
        assert projects(store)[-1] == "project-39"
        assert len(projects(store)) >= 11


def test_a_use_is_written_once_an_hour(store: Store, tmp_path: Path) -> None:
    sha256 = add(store, tmp_path, "one", 1)
    now_us = COARSE_US * 10
    uses = LastUses(store.catalog, lambda: now_us)
    uses.note(sha256)
    assert store.catalog.used_at_us(sha256) == 0
    uses.flush()
    assert store.catalog.used_at_us(sha256) == now_us
    before = store.catalog.last_transaction()
    for _ in range(100):
        now_us += COARSE_US // 101
        uses.note(sha256)
        uses.flush()
    assert store.catalog.last_transaction() == before
    now_us += COARSE_US
    uses.note(sha256)
    uses.note(bytes(32))
    uses.flush()
    assert store.catalog.used_at_us(sha256) == now_us
    assert store.catalog.used_at_us(bytes(32)) == 0, "what is not stored has no use"


def partial(store: Store, seed: str, size_bytes: int) -> SpoolFile:
    opened = store.spool.open(key_of_sha256(hashlib.sha256(seed.encode()).digest()), size_bytes=size_bytes)
    opened.write(0, incompressible(size_bytes, seed))
    return opened


def test_partly_fetched_files_count_and_the_oldest_idle_ones_go_before_any_wheel(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "one", 1)
    in_use = partial(store, "in use", 400_000)
    for seed in ("oldest", "older", "new"):
        partial(store, seed, 400_000).close()
    limits = Limits(
        quota_bytes=int((store.used_bytes() / TUNING.evict.high_water + 4 * 400_000 + 100_000) / (1 - TUNING.evict.slack_part))
    )
    assert make_room(store, limits) == []
    assert store.spool.usage_bytes() == 1_605_632, "all of them fit"
    assert make_room(store, limits, Need(spooled_bytes=400_000)) == []
    assert projects(store) == ["one"]
    left = {path.stem for path in store.spool.directory.glob("*.part")}
    assert left == {hashlib.sha256(seed.encode()).hexdigest() for seed in ("in use", "older", "new")}
    with pytest.raises(StoreFull):
        make_room(store, Limits(quota_bytes=300_000))
    assert projects(store) == []
    assert in_use.read(0, 400_000) == incompressible(400_000, "in use")
    in_use.close()


def test_the_low_water_mark_is_where_an_eviction_ends(store: Store, tmp_path: Path) -> None:
    for number in range(10):
        add(store, tmp_path, f"project-{number}", number + 1)
    quota_bytes = store.used_bytes()
    make_room(store, Limits(quota_bytes=quota_bytes, low_water=0.3))
    assert 0.1 * quota_bytes < store.used_bytes() <= 0.3 * quota_bytes


def test_nothing_is_driven_out_for_what_cannot_fit(store: Store, tmp_path: Path) -> None:
    for number, project in enumerate(["one", "two", "three"]):
        add(store, tmp_path, project, number + 1)
    with pytest.raises(StoreFull):
        make_room(store, Limits(quota_bytes=4_000_000), Need(stored_bytes=3_500_000))
    assert len(projects(store)) == 3
    assert len(make_room(store, Limits(quota_bytes=4_000_000), Need(stored_bytes=2_500_000))) >= 1
