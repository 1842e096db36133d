"""A push that fails half-way: what it had written is used by the next attempt, or is deleted, and no file ever lacks a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.later import DAY_S, GRACE_S, LaterObjects
from tests.fakes.waiting import until
from tests.fakes.wheels import incompressible
from tests.shares.test_collecting import fill, keys, pulled
from tests.shares.test_write_through import fill as fill_one
from tests.shares.test_write_through import through
from wheelfs.errors import OriginError, OriginFault, OriginTimeout
from wheelfs.remote.share.gc import ShareGarbage
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.gc import collect
from wheelfs.service.shares.limits import PushLimits
from wheelfs.service.shares.outcomes import Failed, Pushed
from wheelfs.service.shares.push import push
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.remote.share.objects import Objects
    from wheelfs.service.shares.outcomes import Outcome

LIMITS = PushLimits(pack_bytes=100_000)
BIG = incompressible(1_000_000, "big")
"""Takes four packs: a chunk has up to 256 KiB."""


class Failing:
    """Objects of which a write fails: before it is done, or only its answer is lost."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url, self.read, self.read_range, self.found = objects.url, objects.read, objects.read_range, objects.found
        self.delete = objects.delete
        self.fails: dict[str, type[OriginError]] = {}
        """By the beginning of a key; each once."""
        self.then: dict[str, type[OriginError]] = {}
        """What fails after these."""
        self.passes = 0
        """Packs that are written before one fails."""
        self.written: list[str] = []

    def create(self, key: str, content: bytes) -> bool:
        failing = next((beginning for beginning in self.fails if key.startswith(beginning)), None)
        if failing == "packs/" and self.passes:
            self.passes -= 1
        elif failing is not None:
            error = self.fails.pop(failing)
            self.fails, self.then = self.fails or self.then, {}
            if error is OriginTimeout:
                self._objects.create(key, content)
            raise error(f"write {key}", "no answer, or none that is good")
        self.written.append(key)
        return self._objects.create(key, content)


class Pushing:
    """A mount that pushes to a share, days after the share was made."""

    def __init__(self, store: Store, objects: Objects) -> None:
        self.objects = Failing(objects)
        self.days = 0.0
        self._store, self._own, self._later = store, OwnPacks(), LaterObjects(self.objects, 0.0)
        share = WrittenShare(self._later)
        share.catalog.prepare()
        cache = RemoteCatalogCache(store, share)
        self._target = PushTarget(share, cache, CondemnedView(share, clock_s=lambda: self.days * DAY_S), self._own)

    def attempt(self) -> list[Outcome]:
        """Push all; returns what became of each, and forgets before which packs it wrote."""
        self.objects.written.clear()
        self._target.cache.catch_up()
        return list(push_names(self._store, self._target, self._store.catalog.names(), limits=LIMITS))

    def packs(self) -> list[str]:
        """Return the packs that the last attempt wrote."""
        return [key for key in self.objects.written if key.startswith("packs/")]

    def collect(self, days: float) -> int:
        """Collect the garbage so many days later, and return how much was deleted."""
        self.days = days
        self._later._ahead_s = days * DAY_S
        return collect(ShareGarbage(LaterObjects(self.objects, days)), grace_s=GRACE_S, dry_run=False).deleted


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    (tmp_path / "share").mkdir()
    return open_objects((tmp_path / "share").as_uri())


@pytest.fixture
def pushing(tmp_path: Path, objects: Objects) -> Iterator[Pushing]:
    """A mount whose first attempt wrote two packs and then failed."""
    fill(tmp_path / "a", "1.0", data=BIG)
    with Store.open(tmp_path / "a") as store:
        made = Pushing(store, objects)
        made.objects.fails, made.objects.passes = {"packs/": OriginFault}, 2
        with pytest.raises(OriginFault):
            made.attempt()
        assert len(keys(objects, "packs")) == 2
        yield made


def test_the_next_attempt_uses_the_packs_of_one_that_failed(tmp_path: Path, objects: Objects, pushing: Pushing) -> None:
    before = keys(objects, "packs")
    pushing.objects.fails = {"packs/": OriginFault}
    with pytest.raises(OriginFault):
        pushing.attempt()
    assert keys(objects, "packs") == before, "an attempt that fails at the same place adds nothing"
    [outcome] = pushing.attempt()
    assert isinstance(outcome, Pushed)
    assert outcome.written_bytes < 500_000, "what lies in these packs is not written again"
    assert len(pulled(tmp_path / "b", objects)) == 1


def test_a_manifest_that_cannot_be_written_is_written_later_without_any_pack(
    tmp_path: Path, objects: Objects, pushing: Pushing
) -> None:
    pushing.objects.fails = {"manifests/": OriginFault}
    assert [type(outcome) for outcome in pushing.attempt()] == [Failed]
    assert [type(outcome) for outcome in pushing.attempt()] == [Pushed]
    assert not pushing.packs()
    assert len(pulled(tmp_path / "b", objects)) == 1


def test_packs_that_were_condemned_meanwhile_are_not_used(tmp_path: Path, objects: Objects, pushing: Pushing) -> None:
    before = keys(objects, "packs")
    pushing.collect(8)
    assert [type(outcome) for outcome in pushing.attempt()] == [Pushed]
    assert pushing.collect(16) == len(before)
    assert not before & keys(objects, "packs")
    assert len(pulled(tmp_path / "b", objects)) == 1


def test_packs_that_were_deleted_meanwhile_are_not_used(tmp_path: Path, objects: Objects, pushing: Pushing) -> None:
    for days in (8, 16, 150):
        pushing.collect(days)
    assert not keys(objects, "packs")
    assert [type(outcome) for outcome in pushing.attempt()] == [Pushed]
    assert len(pulled(tmp_path / "b", objects)) == 1


async def test_share_write_keeps_what_it_has_written_for_its_next_attempt(tmp_path: Path, objects: Objects) -> None:
    failing = Failing(objects)
    failing.fails = {"manifests/": OriginFault}
    with Store.open(tmp_path / "a") as store:
        fill_one(store, "one")
        task = through(store, failing)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: task.state().pushed_files == 1)
            nursery.cancel_scope.cancel()
    assert len(keys(objects, "packs")) == 1


def push_by_hand(store: Store, objects: Objects) -> list[str]:
    return [file.result for file in push(store, WrittenShare(objects), [], private=False, limits=LIMITS)]


@pytest.mark.parametrize("error", [OriginFault, OriginTimeout])
def test_a_command_that_fails_deletes_the_packs_that_no_manifest_can_name(
    tmp_path: Path, objects: Objects, error: type[OriginError]
) -> None:
    failing = Failing(objects)
    failing.fails, failing.passes = {"packs/": error}, 2
    fill(tmp_path / "a", "1.0", data=BIG)
    with Store.open(tmp_path / "a") as store:
        with pytest.raises(error):
            push_by_hand(store, failing)
        assert not keys(objects, "packs")
        assert push_by_hand(store, failing) == ["pushed"]
    assert len(pulled(tmp_path / "b", objects)) == 1


def test_packs_of_a_manifest_whose_answer_was_lost_stay(tmp_path: Path, objects: Objects) -> None:
    """Another machine pushes the same file meanwhile, and announces it with that manifest."""
    failing = Failing(objects)
    failing.fails, failing.then, failing.passes = {"manifests/": OriginTimeout}, {"packs/": OriginFault}, 1
    fill(tmp_path / "b", "1.0", data=BIG)
    for version in ("1.0", "2.0", "3.0"):
        fill(tmp_path / "a", version, data=BIG if version == "1.0" else incompressible(600_000, version))
    with Store.open(tmp_path / "a") as store, pytest.raises(OriginFault):
        push_by_hand(store, failing)
    assert 3 <= len(keys(objects, "packs")) < len([key for key in failing.written if key.startswith("packs/")])
    with Store.open(tmp_path / "b") as store:
        assert push_by_hand(store, objects) == ["pushed"]
    assert len(pulled(tmp_path / "c", objects)) == 1
