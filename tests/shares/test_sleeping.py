"""Machines that sleep in the middle of a push, while others collect the share's garbage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.fakes.later import DAY_S, collect_later, push_later
from tests.shares.test_collecting import fill, keys, pulled
from wheelfs.errors import OriginTimeout
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.outcomes import Failed, Pushed
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_no_manifest_is_written_that_names_what_was_condemned_while_its_machine_slept(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects = open_objects((tmp_path / "share").as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    share, now_s = WrittenShare(objects), time.time()
    share.catalog.prepare()

    def has_manifest(sha256: bytes) -> bool:
        """Sleep until the packs have been condemned, the first time."""
        nonlocal now_s
        if not keys(objects, "condemned"):
            now_s += 8 * DAY_S
            assert collect_later(objects, 8).condemned == 1
        return False

    with Store.open(tmp_path / "a") as store, mock.patch.object(share, "has_manifest", has_manifest):
        names = store.catalog.stored_names("good")
        cache = RemoteCatalogCache(store, share)
        cache.catch_up()
        pushed = push_names(store, PushTarget(share, cache, CondemnedView(share, clock_s=lambda: now_s), OwnPacks()), names)
        assert [type(outcome) for outcome in pushed] == [Pushed]
    assert collect_later(objects, 16).deleted == 1
    assert pulled(tmp_path / "b", objects) == wheels


def test_nothing_is_told_of_that_was_deleted_while_its_machine_slept(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects = open_objects((tmp_path / "share").as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    share, now_s = WrittenShare(objects), 0.0
    share.catalog.prepare()
    with Store.open(tmp_path / "a") as store:
        cache = RemoteCatalogCache(store, share)
        cache.catch_up()

        def catch_up() -> None:
            """Sleep until all that was written is condemned and deleted, the first time."""
            nonlocal now_s
            if not keys(objects, "condemned"):
                now_s += 16 * DAY_S
                assert (collect_later(objects, 8).condemned, collect_later(objects, 16).deleted) == (2, 2)

        # The storage's clock goes on as well.
        with mock.patch.object(cache, "catch_up", catch_up), mock.patch.object(share, "clock_s", lambda: time.time() + now_s):
            condemned = CondemnedView(share, clock_s=lambda: now_s)
            list(push_names(store, PushTarget(share, cache, condemned, OwnPacks()), store.catalog.stored_names("good")))
    assert not share.catalog.files(), "another run may be deleting still"
    push_later(tmp_path / "a", objects, 16.1)
    assert pulled(tmp_path / "b", objects) == wheels, "written once more"


def test_nothing_is_told_of_long_after_it_was_looked_at_what_is_condemned(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects = open_objects((tmp_path / "share").as_uri())
    fill(tmp_path / "a", "1.0")
    share, now_s = WrittenShare(objects), 0.0
    share.catalog.prepare()
    append = share.catalog.append

    def sleeping(*args: Any, **options: Any) -> str:
        nonlocal now_s
        now_s += DAY_S
        return append(*args, **options)

    with Store.open(tmp_path / "a") as store, mock.patch.object(share.catalog, "append", sleeping):
        cache = RemoteCatalogCache(store, share)
        cache.catch_up()
        condemned = CondemnedView(share, clock_s=lambda: now_s)
        [outcome] = push_names(store, PushTarget(share, cache, condemned, OwnPacks()), store.catalog.stored_names("good"))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OriginTimeout)
    assert not keys(objects, "log")
