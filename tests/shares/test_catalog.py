"""The log of a share: everybody who follows it comes to the same, without a listing, and asks little when nothing is new."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.catalogs import Follower, Memory, append, file, filled
from wheelfs.errors import OriginFault, OriginTimeout
from wheelfs.model.share_catalog import (
    Batch,
    SnapshotOf,
    decode_root,
    file_key,
    folded,
    record_key,
    root_key,
    snapshot_key,
    split,
    staying,
)
from wheelfs.remote.limits import SHARE_LIMITS, ShareLimits
from wheelfs.remote.share.log import ShareCatalog
from wheelfs.remote.share.log_writer import WrittenShareCatalog

if TYPE_CHECKING:
    from tests.shares.conftest import Place
    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import SharedFile


SHORT = ShareLimits(span=4)


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), max_size=40))
def test_who_follows_all_along_who_comes_now_and_who_was_away_know_the_same(steps: list[tuple[bool, int, bool]]) -> None:
    objects = Memory()
    catalog = filled(objects, 0, limits=SHORT)
    always, sometimes = Follower(objects, SHORT), Follower(objects, SHORT)
    expected: dict[FileKey, SharedFile] = {}
    cursor = None
    for adds, number, looks in steps:
        one = file(number)
        cursor = append(catalog, cursor, [one] if adds else [], [] if adds else [file_key(one)])
        if adds:
            expected[file_key(one)] = one
        else:
            expected.pop(file_key(one), None)
        always.follow()
        if looks:
            sometimes.follow()
    for follower in (always, sometimes, Follower(objects, SHORT)):
        follower.follow()
        assert follower.files == expected
    assert {file_key(one): one for one in ShareCatalog(objects, SHORT).files()} == expected


def test_an_idle_question_is_one_request_and_now_and_then_three_whatever_the_share_has() -> None:
    objects = Memory()
    filled(objects, 600)
    follower = Follower(objects)
    follower.follow()
    for _ in range(2):
        objects.asked.clear()
        for _ in range(SHARE_LIMITS.look_around):
            follower.follow()
        assert len(objects.asked) <= SHARE_LIMITS.look_around + 2


def test_first_sight_reads_snapshots_and_no_more_records_than_a_span_and_a_portion() -> None:
    objects = Memory()
    filled(objects, 600)
    objects.asked.clear()
    assert sum(Follower(objects).follow()) == 600
    records = {key for key in objects.asked if key.startswith("log/")}
    assert {record_key(number) for number in range(512, 601)} <= records
    assert record_key(511) not in records


def test_portions_are_small_and_a_follower_that_is_restarted_in_the_middle_goes_on() -> None:
    small = ShareLimits(span=4, portion_files=3)
    objects = Memory()
    filled(objects, 41, limits=SHORT)
    follower = Follower(objects, SHORT)
    told = []
    more = True
    while more:
        follower.catalog = ShareCatalog(objects, small)  # a new process each time
        events = follower.catalog.events(follower.cursor)
        told += [one.filename for one in events.files]
        assert len(events.files) <= 4
        follower.cursor, more = events.cursor, events.more
        assert events.is_resync
    assert sorted(told) == sorted(file(number).filename for number in range(41))
    assert follower.follow() == [0]


def test_who_comes_back_after_the_old_records_were_cleared_away_begins_anew() -> None:
    objects = Memory()
    catalog = filled(objects, 3, limits=SHORT)
    follower = Follower(objects, SHORT)
    follower.follow()
    append(catalog, follower.cursor, [], [file_key(file(0))])
    filled(objects, 20, first=3, limits=SHORT)
    for number in range(16):
        objects.kept.pop(record_key(number))
    for _ in range(SHARE_LIMITS.look_around + 1):
        follower.follow()
    assert sorted(follower.files) == sorted(file_key(file(number)) for number in range(1, 23))


def go_on_and_clear_away(objects: Memory, catalog: WrittenShareCatalog) -> None:
    """Take file 0 out, and append 7 to 19; of snapshots and records those go first that are there longer."""
    cursor = append(catalog, None, [], [file_key(file(0))])
    for number in range(7, 20):
        cursor = append(catalog, cursor, [file(number)])
    newest = {snapshot_key(one.name) for number in (4, 5) for one in decode_root(objects.kept[root_key(number)])}
    for key in [key for key in objects.kept if key.startswith("snapshots/") and key not in newest]:
        del objects.kept[key]
    for number in range(4):
        del objects.kept[record_key(number)]


def test_who_reads_all_and_is_held_up_misses_nothing_that_was_cleared_away_meanwhile() -> None:
    class HeldUp(Memory):
        left = 0

        def read(self, key: str, *, limit_bytes: int) -> bytes | None:
            self.left -= 1
            if self.left == 0:
                go_on_and_clear_away(self, catalog)
            return super().read(key, limit_bytes=limit_bytes)

    for reads in range(1, 9):
        objects = HeldUp()
        catalog = filled(objects, 7, limits=ShareLimits(span=4, snapshot_files=2))
        objects.left = reads
        files = {file_key(one) for one in ShareCatalog(objects, SHORT).files()}
        assert {file_key(file(number)) for number in range(1, 7)} <= files, f"held up before read {reads}"


def test_who_is_held_up_in_the_middle_of_first_sight_misses_nothing_that_was_cleared_away_meanwhile() -> None:
    for portions in range(12):
        objects = Memory()
        catalog = filled(objects, 7, limits=ShareLimits(span=4, snapshot_files=2))
        follower = Follower(objects, ShareLimits(span=4, portion_files=1))
        for _ in range(portions):
            follower.ask()
        go_on_and_clear_away(objects, catalog)
        for _ in range(SHARE_LIMITS.look_around + 1):
            follower.follow()
        assert set(follower.files) == {file_key(file(number)) for number in range(1, 20)}, f"held up after {portions} portions"


@pytest.mark.parametrize("cleared", [range(16), range(7, 16)])
def test_first_sight_is_not_over_where_the_records_behind_it_are_cleared_away(cleared: range) -> None:
    objects = Memory()
    filled(objects, 7, limits=SHORT)
    follower = Follower(objects, ShareLimits(span=4, portion_files=1))
    while not (follower.cursor or "").endswith(":5a"):
        follower.ask()
    follower.catalog = ShareCatalog(objects, SHORT)
    filled(objects, 13, first=7, limits=SHORT)
    for number in cleared:
        del objects.kept[record_key(number)]
    while not follower.files:  # until it is told that this is all
        follower.ask()
    assert set(follower.files) == {file_key(file(number)) for number in range(20)}


def test_a_writer_whose_memory_is_older_than_the_log_writes_at_its_end() -> None:
    objects = Memory()
    catalog = filled(objects, 2, limits=SHORT)
    old = append(catalog, None, [file(2)])
    filled(objects, 20, first=3, limits=SHORT)
    for number in range(16):
        objects.kept.pop(record_key(number))
    append(catalog, old, [file(99)])
    assert file_key(file(99)) in {file_key(one) for one in ShareCatalog(objects, SHORT).files()}


def test_a_writer_whose_memory_is_of_a_share_that_was_longer_leaves_no_gap_in_the_log() -> None:
    objects = Memory()
    old = append(filled(objects, 9), None, [file(9)])
    objects.kept.clear()
    catalog = filled(objects, 2)
    append(catalog, old, [file(99)])
    assert file_key(file(99)) in {file_key(one) for one in ShareCatalog(objects).files()}


def test_writers_whose_memory_is_older_than_the_log_do_not_mislead_each_other() -> None:
    objects = Memory()
    catalog = filled(objects, 2, limits=SHORT)
    old = append(catalog, None, [file(2)])
    filled(objects, 20, first=3, limits=SHORT)
    for number in range(16):
        objects.kept.pop(record_key(number))
    for number in (97, 98, 99):  # each finds the record that the one before has left where no reader looks
        append(WrittenShareCatalog(objects, SHORT), old, [file(number)])
    assert {file_key(file(number)) for number in (97, 98, 99)} <= {file_key(one) for one in ShareCatalog(objects, SHORT).files()}


def test_a_writer_is_not_misled_by_an_old_record_that_is_not_cleared_away_yet() -> None:
    objects = Memory()
    catalog = filled(objects, 2, limits=SHORT)
    old = append(catalog, None, [file(2)])
    filled(objects, 20, first=3, limits=SHORT)
    objects.kept.pop(record_key(3))  # clearing away has just begun
    append(catalog, old, [file(99)])
    assert file_key(file(99)) in {file_key(one) for one in ShareCatalog(objects, SHORT).files()}


def test_a_root_relies_on_no_snapshot_that_was_there_before_it() -> None:
    """One that says the same may be old, needed no more, and about to be cleared away."""
    objects = Memory()
    catalog = filled(objects, 4, limits=SHORT)
    before = {key for key in objects.kept if key.startswith("snapshots/")}
    cursor = append(catalog, None, [], [file_key(file(number)) for number in range(4)])
    for number in (*range(4), 1, 2, 3):
        cursor = append(catalog, cursor, [file(number)])
    newest = decode_root(objects.kept[root_key(3)])
    assert len(before) == 1
    assert not before & {snapshot_key(one.name) for one in newest}
    assert len(ShareCatalog(objects, SHORT).files()) == 4


@pytest.mark.parametrize("below", ["log/", "snapshots/"])
def test_a_root_is_made_by_nobody_who_does_not_see_all_that_goes_into_it(below: str) -> None:
    class Late(Memory):
        unseen: str | None = None

        def read(self, key: str, *, limit_bytes: int) -> bytes | None:
            return None if key == self.unseen else super().read(key, limit_bytes=limit_bytes)

    objects = Late()
    filled(objects, 6, limits=SHORT)
    objects.unseen = max(key for key in objects.kept if key.startswith(below))
    filled(objects, 3, first=6, limits=SHORT)
    assert root_key(2) not in objects.kept
    objects.unseen = None
    filled(objects, 1, first=9, limits=SHORT)
    assert root_key(2) in objects.kept
    assert len(ShareCatalog(objects, SHORT).files()) == 10


def test_who_takes_too_long_writes_neither_a_record_nor_a_root_and_others_do() -> None:
    objects = Memory()
    catalog = filled(objects, 3, limits=SHORT)
    with pytest.raises(OriginTimeout, match="took too long"):
        catalog.append(None, [file(3)], may_tell=lambda: False)
    assert record_key(3) not in objects.kept
    catalog.append(None, [file(3)], may_tell=iter([*4 * [True], False]).__next__)
    assert record_key(3) in objects.kept
    assert root_key(1) not in objects.kept
    filled(objects, 1, first=4, limits=SHORT)
    assert root_key(1) in objects.kept
    assert len(ShareCatalog(objects, SHORT).files()) == 5


def test_no_share_is_made_where_objects_that_are_there_would_be_replaced() -> None:
    class Replacing(Memory):
        def create(self, key: str, content: bytes) -> bool:
            self.kept[key] = content
            return True

        def delete(self, key: str) -> None:
            del self.kept[key]

    objects = Replacing()
    for _ in range(2):
        with pytest.raises(OriginFault, match="only if it is absent"):
            WrittenShareCatalog(objects).prepare()
    assert not objects.kept


def test_a_share_begun_anew_at_the_same_address_is_told_anew() -> None:
    objects = Memory()
    filled(objects, 30)
    follower = Follower(objects)
    follower.follow()
    objects.kept.clear()
    filled(objects, 2, first=100)
    for _ in range(SHARE_LIMITS.look_around + 1):
        follower.follow()
    assert sorted(follower.files) == [file_key(file(number)) for number in (100, 101)]


def test_many_writers_at_once_lose_nothing(place: Place) -> None:
    WrittenShareCatalog(place.open()).prepare()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda writer: filled(place.open(), 8, first=10 * writer), range(4)))
    expected = sorted(file_key(file(10 * writer + number)) for writer in range(4) for number in range(8))
    assert sorted(map(file_key, ShareCatalog(place.open()).files())) == expected


@pytest.mark.parametrize("damage", [b"torn", None])
def test_a_snapshot_that_is_damaged_or_gone_costs_its_own_files_only(
    damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    objects = Memory()
    filled(objects, 18, limits=SHORT)
    snapshots = sorted((key for key in objects.kept if key.startswith("snapshots/")), key=lambda key: len(objects.kept[key]))
    if damage is None:
        del objects.kept[snapshots[-1]]
    else:
        objects.kept[snapshots[-1]] = damage
    follower = Follower(objects, SHORT)
    with caplog.at_level(logging.WARNING):
        follower.follow()
    assert file_key(file(17)) in follower.files
    assert 2 <= len(follower.files) < 18
    assert snapshots[-1] in caplog.text


def test_what_has_been_superseded_is_what_nobody_reads(place: Place) -> None:
    objects = place.open()
    catalog = filled(objects, 13, limits=SHORT)
    follower = Follower(objects, SHORT)
    follower.follow()
    for found in list(catalog.superseded()):
        objects.delete(found.key)
    assert {found.key for found in objects.found("log")} == {record_key(number) for number in range(8, 13)}
    roots = [decode_root(objects.read(root_key(number), limit_bytes=10_000) or b"") for number in (2, 3)]
    named = {snapshot_key(one.name) for root in roots for one in root}
    assert {found.key for found in objects.found("snapshots")} == named
    assert follower.follow() == [0]
    late = Follower(objects, SHORT)
    late.follow()
    assert late.files == follower.files
    assert len(late.files) == 13


def _snapshots(sizes: list[int], gone: int = 0) -> list[SnapshotOf]:
    return [SnapshotOf("0" * 32, size, gone) for size in sizes]


def test_snapshots_are_merged_so_that_they_stay_few_and_each_file_is_written_few_times() -> None:
    sizes: list[int] = []
    written = 0
    for _ in range(1_000):
        stay = staying(_snapshots(sizes), 256)
        merged = 256 + sum(sizes[stay:])
        written += merged
        sizes = [*sizes[:stay], merged]
    assert sum(sizes) == 256_000
    assert max(sizes) <= 50_000
    assert len(sizes) < 25
    assert written < 20 * 256_000


def test_much_that_is_gone_is_written_no_more() -> None:
    assert staying(_snapshots([10], gone=6), 1) == 0
    files, gone = folded([Batch((file(1), file(2))), Batch((), (file_key(file(1)),))])
    assert list(split(files, set())) == [Batch((file(2),))]
    assert gone == {file_key(file(1))}
    assert list(split({}, set())) == []
