"""Shares on a mounted file system that behaves as a cluster's does in an outage (`tests.fakes.cluster_fs`)."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.fakes.cluster_fs import SERVERS, Cluster, server_of
from tests.fakes.later import collect_later
from tests.shares.test_collecting import fill, keys, pulled, push_all
from wheelfs.errors import OriginError, OriginMissing
from wheelfs.model.share_catalog import record_key
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as mounted:
        yield mounted


def test_while_any_server_is_away_nothing_is_deleted_and_all_is_back_after_it(cluster: Cluster, tmp_path: Path) -> None:
    objects = open_objects(cluster.mount.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    collect_later(objects, 9)
    before = keys(objects, "log", "packs", "manifests")
    for away in range(SERVERS):
        cluster.order(away=away)
        for days in (10, 18, 30):
            with suppress(OriginError):
                collect_later(objects, days)
    cluster.order(away=None)
    assert keys(objects, "log", "packs", "manifests") == before
    assert pulled(tmp_path / "b", objects) == wheels


def test_pull_says_that_it_sees_less_than_before_instead_of_listing_that(cluster: Cluster, tmp_path: Path) -> None:
    objects = open_objects(cluster.mount.as_uri())
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    cluster.order(away=server_of(record_key(0)))
    with Store.open(tmp_path / "a") as store, pytest.raises(OriginMissing):
        list(pull(store, WrittenShare(objects), [], contents=False))


def test_a_sick_name_stale_handles_raced_directories_and_late_listings_stop_no_push_and_no_pull(
    cluster: Cluster, tmp_path: Path
) -> None:
    objects = open_objects(cluster.mount.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    cluster.order(raced=3, late_s=3_600.0)
    push_all(tmp_path / "a", objects)
    wheels |= fill(tmp_path / "b", "2.0")
    push_all(tmp_path / "b", objects)
    wheels |= fill(tmp_path / "c", "3.0")
    cluster.order(sick=[record_key(1)], stale=2, late_s=0.0)
    push_all(tmp_path / "c", objects)
    assert pulled(tmp_path / "d", objects) == {name: wheels[name] for name in wheels if "-2.0-" not in name}
    cluster.order(sick=[], stale=2)
    assert pulled(tmp_path / "e", objects) == wheels


def test_an_input_output_error_of_a_name_that_is_not_there_leaves_no_gap_in_the_log(cluster: Cluster, tmp_path: Path) -> None:
    objects = open_objects(cluster.mount.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    wheels |= fill(tmp_path / "b", "2.0")
    cluster.order(sick=[record_key(1)])
    with Store.open(tmp_path / "b") as store:
        assert {file.result for file in push(store, WrittenShare(objects), [], private=False)} == {"failed"}
    cluster.order(sick=[])
    push_all(tmp_path / "b", objects)
    assert pulled(tmp_path / "c", objects) == wheels


def test_times_are_those_of_the_client_that_writes_and_clocks_that_differ_are_noticed(cluster: Cluster, tmp_path: Path) -> None:
    objects = open_objects(cluster.mount.as_uri())
    fill(tmp_path / "a", "1.0")
    cluster.order(ahead_s=3 * 3_600)
    push_all(tmp_path / "a", objects)
    assert min(found.modified_s for found in objects.found("packs")) > time.time() + 2 * 3_600
    cluster.order(ahead_s=0)
    with pytest.raises(OriginError, match="clocks of machines that write there differ"):
        collect_later(objects, 0)
