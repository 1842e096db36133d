"""Shares on a cluster's file system: what is away with one of its servers is missing without an error, and is not gone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.catalogs import file, filled
from tests.fakes.later import DAY_S, GRACE_S, LaterObjects, collect_later
from tests.shares.test_collecting import fill, keys, orphan_pack, pulled, push_all, take_all_out
from wheelfs.errors import OriginError, OriginFault, OriginMissing, OriginUnreachable
from wheelfs.model.condemned import MARGIN_S, Condemnations, Condemned
from wheelfs.model.share_catalog import MARKER_KEY, record_key
from wheelfs.remote.limits import ShareLimits
from wheelfs.remote.share.gc import ShareGarbage
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.gc import collect
from wheelfs.service.shares.known_end import known_end
from wheelfs.service.shares.pull import pull
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.share_objects import FoundObject
    from wheelfs.remote.share.objects import Objects


class Outage:
    """Objects of which some are away: not there, not listed, and not to be made."""

    def __init__(self, objects: Objects, is_away: Callable[[str], bool] = lambda key: False) -> None:
        self._objects = objects
        self.url = objects.url
        self.is_away = is_away
        self.delete = objects.delete

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        return None if self.is_away(key) else self._objects.read(key, limit_bytes=limit_bytes)

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        return None if self.is_away(key) else self._objects.read_range(key, start, end)

    def create(self, key: str, content: bytes) -> bool:
        if self.is_away(key):
            raise OriginFault(f"write {key}", "transport endpoint is not connected")
        return self._objects.create(key, content)

    def found(self, prefix: str) -> Iterator[FoundObject]:
        return (found for found in self._objects.found(prefix) if not self.is_away(found.key))


def collect_in_outages(objects: Outage, days: float) -> None:
    with pytest.raises(OriginMissing, match="nothing was deleted or condemned"):
        collect_later(objects, days)


def test_while_the_end_of_the_log_is_away_nothing_is_condemned_once_any_run_has_seen_it(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    collect_later(objects, 9)
    everything = keys(objects, "packs", "manifests", "condemned")
    outage = Outage(objects, record_key(0).__eq__)
    for days in (10, 18, 30):
        collect_in_outages(outage, days)
    assert keys(objects, "packs", "manifests", "condemned") == everything
    assert pulled(tmp_path / "b", objects) == wheels


def test_while_the_end_of_the_log_is_away_nothing_is_condemned_where_this_machine_has_seen_it(
    objects: Objects, tmp_path: Path
) -> None:
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    everything = keys(objects, "packs", "manifests", "condemned")
    garbage = ShareGarbage(LaterObjects(Outage(objects, record_key(0).__eq__), 9))
    with Store.open(tmp_path / "a") as store, pytest.raises(OriginMissing, match="nothing was deleted or condemned"):
        collect(garbage, grace_s=GRACE_S, dry_run=False, known_end=lambda identity: known_end(store, identity))
    assert keys(objects, "packs", "manifests", "condemned") == everything


def test_while_all_that_tells_of_the_newest_file_is_away_nothing_is_condemned(objects: Objects, tmp_path: Path) -> None:
    """No list and no store knows of the last record: only that names cannot be made says that something is away."""
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    collect_later(objects, 9)
    before = keys(objects, "manifests", "condemned")
    wheels |= fill(tmp_path / "b", "2.0")
    push_all(tmp_path / "b", objects)
    away = {record_key(1), *(keys(objects, "manifests") - before)}
    clocks: list[str] = []

    def is_away(key: str) -> bool:
        if "/clock-" in key and key not in clocks:
            clocks.append(key)
        return key in away or key in clocks[1::2]  # the first one tells the time

    outage = Outage(objects, is_away)
    for days in (20, 30):
        clocks.clear()
        with pytest.raises(OriginUnreachable, match=r"not every name can be made in it .*nothing was deleted or condemned"):
            collect_later(outage, days)
    assert keys(objects, "condemned") == before & keys(objects, "condemned")
    assert pulled(tmp_path / "c", objects) == wheels


def test_while_a_pack_that_is_needed_is_away_nothing_is_condemned(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    [pack] = keys(objects, "packs")
    orphan_pack(objects, b"left")
    outage = Outage(objects, pack.__eq__)
    for days in (9, 20):
        collect_in_outages(outage, days)
    assert not keys(objects, "condemned")
    outage.is_away = lambda key: False
    collect_later(outage, 9)
    assert keys(objects, "condemned")
    assert pulled(tmp_path / "b", objects) == wheels


def test_what_is_written_while_a_share_is_listed_is_not_taken_for_away(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    late = Outage(objects)
    late.found = lambda prefix: iter(())  # type: ignore[method-assign]
    listed = {found.key: found for prefix in ("log", "roots") for found in objects.found(prefix)}
    needed, end = ShareGarbage(late).needed(listed, 0)
    assert (len(needed), end) == (len(wheels), 1)


def test_a_manifest_that_is_there_and_not_listed_keeps_its_packs(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    [manifest] = keys(objects, "manifests")
    unlisted = Outage(objects)
    unlisted.found = lambda prefix: (found for found in objects.found(prefix) if found.key != manifest)  # type: ignore[method-assign]
    for days in (9, 18, 27):
        collect_later(unlisted, days)
    assert pulled(tmp_path / "b", objects) == wheels


def test_while_a_manifest_is_away_its_packs_are_not_taken_for_unneeded(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    collect_in_outages(Outage(objects, lambda key: key.startswith("manifests/")), 9)
    assert not keys(objects, "condemned")
    assert pulled(tmp_path / "b", objects) == wheels


def test_while_roots_are_seen_beyond_the_end_of_the_log_nothing_is_condemned(objects: Objects) -> None:
    short = ShareLimits(span=4)
    filled(objects, 9, limits=short)
    outage = Outage(objects, lambda key: key.startswith("log/") and key >= record_key(6))
    garbage = ShareGarbage(LaterObjects(outage, 9), short)
    outage.is_away = lambda key: key == "roots/00000002" or (key.startswith("log/") and key >= record_key(6))
    listed = {found.key: found for found in objects.found("roots")}
    with pytest.raises(OriginMissing):
        garbage.needed(listed, 0)


def test_a_manifest_that_is_lost_for_good_is_named_with_what_to_do(objects: Objects, tmp_path: Path) -> None:
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    [manifest] = keys(objects, "manifests")
    objects.delete(manifest)
    with pytest.raises(OriginMissing, match=r"wheelfs rm --share"):
        collect_later(objects, 9)
    take_all_out(objects)
    collect_later(objects, 9)


def test_pull_does_not_report_a_shorter_log_than_this_machine_has_seen(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    with Store.open(tmp_path / "a") as store:
        with pytest.raises(OriginMissing, match="when it was seen here before"):
            list(pull(store, WrittenShare(Outage(objects, record_key(0).__eq__)), [], contents=False))
        assert len(list(pull(store, WrittenShare(objects), [], contents=False))) == len(wheels)


def test_a_resync_that_sees_less_than_was_seen_before_forgets_nothing(objects: Objects, tmp_path: Path) -> None:
    short = ShareLimits(span=4)
    outage = Outage(objects)
    filled(objects, 3, limits=short)
    with Store.open(tmp_path / "store") as store:
        cache = RemoteCatalogCache(store, WrittenShare(outage, short), "lab")
        cache.catch_up()
        filled(objects, 8, first=3, limits=short)
        for number in range(4):
            objects.delete(record_key(number))
        # It has to begin again, and sees neither the records nor the snapshot that have the first ones.
        outage.is_away = lambda key: key.startswith(("log/", "snapshots/"))
        for _ in range(10):
            cache.catch_up()
        assert {file.filename for file in cache.of_project("demo")} >= {file(number).filename for number in range(3)}
        outage.is_away = lambda key: False
        for _ in range(10):
            cache.catch_up()
        assert {file.filename for file in cache.of_project("demo")} == {file(number).filename for number in range(11)}


def test_a_resync_that_was_cut_off_and_begins_again_in_an_outage_forgets_nothing(objects: Objects, tmp_path: Path) -> None:
    limits = ShareLimits(span=4, portion_files=2)
    outage = Outage(objects)
    filled(objects, 9, limits=limits)
    with Store.open(tmp_path / "store") as store:
        share = WrittenShare(outage, limits)
        first = share.catalog.events(None)
        assert store.shared.take("lab", first, asked=None).result()
        seen = {file.filename for file in first.files}
        assert seen
        filled(objects, 8, first=9, limits=limits)
        for number in range(8):
            objects.delete(record_key(number))
        # The root after the next one says that this one's snapshots may be gone, and none of the roots before it is seen.
        outage.is_away = lambda key: key.startswith(("log/", "roots/")) and key != "roots/00000004"
        cache = RemoteCatalogCache(store, WrittenShare(outage, limits), "lab")
        for _ in range(10):
            cache.catch_up()
        assert {file.filename for file in cache.of_project("demo")} >= seen
        outage.is_away = lambda key: False
        for _ in range(10):
            cache.catch_up()
        assert {file.filename for file in cache.of_project("demo")} == {file(number).filename for number in range(17)}


def test_a_share_whose_marker_is_away_is_neither_made_again_nor_said_to_be_none(objects: Objects) -> None:
    filled(objects, 2)
    outage = Outage(objects, MARKER_KEY.__eq__)
    for use in (WrittenShareCatalog(outage).prepare, WrittenShareCatalog(outage).check):
        with pytest.raises(OriginMissing, match="its marker wheelfs-share is not there, though its log is"):
            use()
    outage.is_away = lambda key: key in (MARKER_KEY, record_key(0))
    with pytest.raises(OriginMissing, match="a server of its file system is away"):
        WrittenShareCatalog(outage).prepare()


def test_a_directory_that_a_killed_writer_was_about_to_name_goes_when_it_is_old(objects: Objects, tmp_path: Path) -> None:
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    left = tmp_path / "share" / "packs" / f".new-{'0' * 32}"
    left.mkdir()
    collect_later(objects, 1)
    assert left.exists()
    collect_later(objects, 9)
    assert not left.exists()


def test_a_name_with_an_input_output_error_costs_its_own_file_only(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    fill(tmp_path / "b", "2.0")
    push_all(tmp_path / "b", objects)
    real_open, real_stat = os.open, os.stat

    def refuse(path: int | str | Path, directory: int | None) -> None:
        above = "" if directory is None else f"{Path(f'/proc/self/fd/{directory}').readlink()}/"
        if f"{above}{path}".endswith(f"share/{record_key(1)}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def opened(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        refuse(path, dir_fd)
        return real_open(path, flags, mode, dir_fd=dir_fd)

    def status(path: int | str | Path, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        refuse(path, dir_fd)
        return real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "stat", status)
    wheels |= fill(tmp_path / "c", "3.0")
    push_all(tmp_path / "c", objects)
    assert pulled(tmp_path / "d", objects) == wheels
    with pytest.raises(OriginError):
        collect_later(objects, 9)


def test_where_clocks_differ_by_more_than_the_margin_nothing_is_collected(objects: Objects, tmp_path: Path) -> None:
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    [manifest] = keys(objects, "manifests")
    path = tmp_path / "share" / manifest
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 3 * 3_600))
    with pytest.raises(OriginFault, match=r"clocks of machines that write there differ"):
        collect_later(objects, 0)


def test_a_list_by_a_clock_that_is_ahead_is_believed_at_once() -> None:
    ahead = Condemned(int((DAY_S + 3 * MARGIN_S) * 1e6), int(MARGIN_S), ("manifests/aa/x",))
    assert Condemnations([ahead]).is_pending_deletion("manifests/aa/x", since_s=DAY_S, now_s=DAY_S)


def test_an_orphan_still_goes_when_all_is_seen(objects: Objects, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    orphan_pack(objects, b"left")
    before = keys(objects, "packs")
    collect_later(objects, 9)
    collect_later(objects, 17)
    assert len(before - keys(objects, "packs")) == 1
    assert pulled(tmp_path / "b", objects) == wheels
