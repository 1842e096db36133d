"""Seeded simulations of a share: machines push, are killed, sleep for days, and collect garbage, and each sees the others late.

What must hold at every moment, whatever the seed: a file that is listed has its manifest and all its packs, and stays listed.  In
the end nothing is there that is not needed.
"""

from __future__ import annotations

import logging
import random
import secrets
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.fakes.related_wheels import filled_store
from tests.fakes.slow_objects import DAY_S, LAG_S, Cluster, Machine, SlowObjects, TrueObjects, World
from wheelfs.errors import OriginError
from wheelfs.model.condemned import FRESH_S, decode_condemned
from wheelfs.model.manifest import Manifest
from wheelfs.model.share_catalog import LOG, MARKER_KEY, ROOTS, SNAPSHOTS, file_key
from wheelfs.model.share_objects import manifest_key, pack_key
from wheelfs.remote.limits import ShareLimits
from wheelfs.remote.share.gc import ShareGarbage
from wheelfs.remote.share.log import ShareCatalog
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.gc import collect
from wheelfs.service.shares.known_end import known_end
from wheelfs.service.shares.limits import PushLimits
from wheelfs.service.shares.outcomes import Pushed
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import SharedFile
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

PUSHERS, COLLECTORS, FOLLOWERS = 3, 2, 1
SMALL_PACKS = PushLimits(pack_bytes=6_000)
YEAR_S = 366 * DAY_S
CATALOG = (MARKER_KEY, LOG, ROOTS, SNAPSHOTS)  # where keys begin that say what files there are


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with filled_store(tmp_path_factory.mktemp("sim")) as opened:
        yield opened


# One operation of a machine at a time: the turns are given to machines, and a seed is to decide all.
SMALL = ShareLimits(span=3, portion_files=2, record_files=2, snapshot_files=2, records_at_once=1, collect_at_once=1, probes=8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "wheelfs")


@contextmanager
def withdrawn(target: PushTarget) -> Iterator[None]:
    """Do what a command does whose push fails."""
    try:
        yield
    except OriginError:
        target.own.withdraw(target.share)
        raise


def told(world: World) -> dict[FileKey, SharedFile]:
    """Return the files that the catalog lists, as it really is."""
    return {file_key(file): file for file in ShareCatalog(TrueObjects(world), SMALL).files()}


class Watcher:
    """Looks at everything after every change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[FileKey, float] = {}
        self.removed: set[FileKey] = set()
        self.deletions: Counter[str] = Counter()
        self._there: set[str] = set()
        self._files: dict[FileKey, SharedFile] = {}

    def look(self, key: str) -> None:
        """Look at everything that the change of ``key`` may have changed."""
        kind, world = key.partition("/")[0], self._world
        if "/.new-" in key or "/clock-" in key:
            return
        if world.content(key) is not None:
            self._there.add(key)
        elif key in self._there:
            self._there.remove(key)
            self.deletions[kind] += 1
        if kind in CATALOG:
            self._files = told(world)
        files = self._files
        assert self._known.keys() - self.removed <= files.keys(), "what was listed once is listed no more"
        self._known = {name: self._known.get(name, world.now_s) for name in files}
        for file in files.values():
            encoded = world.content(manifest_key(file.sha256))
            assert encoded is not None, f"{file.filename} has no {manifest_key(file.sha256)}"
            for pack in Manifest.decode(encoded).packs:
                assert world.content(pack_key(pack)) is not None, f"{file.filename} lacks {pack_key(pack)}"

    def promised(self, file: StoredName) -> None:
        """What is reported as pushed is in the catalog."""
        key = file.project, file.filename, file.sha256
        assert key in self._known or key in self.removed, f"{file.filename} is listed where no reader looks"

    def known_since(self, before_s: float) -> set[FileKey]:
        return {key for key, since_s in self._known.items() if since_s <= before_s}


class Simulation:
    def __init__(self, seed: int, store: Store, *, cluster: bool = False) -> None:
        self.world = World(seed, cluster=cluster)
        self.watcher = Watcher(self.world)
        self.world.changed = self.watcher.look
        self._store, self._names, self._number = store, store.catalog.stored_names("demo"), 0
        self.machines: list[Machine] = []
        self.memories: list[str] = []  # what followers remember the share as

    def pusher(self) -> None:
        """A machine that pushes everything by hand, or, for days, some files after others."""
        chance, skew_s = self.world.chance, self.world.chance.choice((0.0, 0.0, -YEAR_S, YEAR_S))
        own = chance.sample(self._names, chance.randrange(1, 5))
        lots = [own[at : at + 2] for at in range(0, len(own), 2)]
        memory = self.memory()

        def work(objects: SlowObjects) -> None:
            share = WrittenShare(objects, SMALL)
            share.catalog.prepare()
            cache = RemoteCatalogCache(self._store, share, memory)
            condemned = CondemnedView(share, clock_s=lambda: self.world.now_s + skew_s)
            target = PushTarget(share, cache, condemned, OwnPacks())
            for lot in lots:
                with withdrawn(target):
                    # Once more, as a mount does, with what was written before.
                    with suppress(OriginError):
                        self.push_lot(target, lot)
                        continue
                    self.push_lot(target, lot)

        self.start("pusher", work)

    def push_lot(self, target: PushTarget, lot: list[StoredName]) -> None:
        target.cache.catch_up()
        for outcome in push_names(self._store, target, lot, limits=SMALL_PACKS):
            if isinstance(outcome, Pushed):
                self.watcher.promised(outcome.name)

    def remover(self) -> None:
        """A machine that takes files out of the share."""
        known = self.watcher.known_since(self.world.now_s)
        victim = self.world.chance.choice([name for name in self._names if file_key(shared_file(name)) in known])

        def work(objects: SlowObjects) -> None:
            share = WrittenShare(objects, SMALL)
            self.watcher.removed.add(file_key(shared_file(victim)))
            began_s = self.world.now_s
            may_tell = lambda: self.world.now_s - began_s < FRESH_S  # noqa: E731
            share.catalog.append(None, [], [file_key(shared_file(victim))], may_tell=may_tell)

        self.start("remover", work, step_s=20.0)

    def follower(self) -> None:
        """A machine that follows for days, and goes on where it, or another process of it, was killed."""
        memory = self.memory()

        def work(objects: SlowObjects) -> None:
            cache = RemoteCatalogCache(self._store, WrittenShare(objects, SMALL), memory)
            before: set[FileKey] = set()
            for _ in range(10):
                expected = self.watcher.known_since(self.world.now_s - LAG_S)
                cache.catch_up()
                known = set(map(file_key, cache.of_project("demo")))
                if self.world.cluster is None:
                    assert expected - self.watcher.removed <= known, "a follower does not know what all were told long ago"
                assert before - self.watcher.removed <= known, "a follower has forgotten what it knew"
                before = known

        self.start("follower", work)

    def memory(self) -> str:
        """Return what one of a few stores, none of another world's, calls the share; sometimes a new one."""
        if len(self.memories) < 2 or self.world.chance.random() < 0.1:
            self.memories = [*self.memories, uuid.uuid4().hex][-3:]
        return self.world.chance.choice(self.memories)

    def collector(self) -> None:
        grace_s = self.world.chance.choice((3_600.0, 3_600.0, DAY_S, 7 * DAY_S))
        self.start("collector", lambda objects: self.collect(objects, grace_s))

    def reader(self) -> None:
        def work(objects: SlowObjects) -> None:
            expected = self.watcher.known_since(self.world.now_s - LAG_S)
            seen = {file_key(file) for file in ShareCatalog(objects, SMALL).files()}
            assert self.world.cluster is not None or expected - self.watcher.removed <= seen, (
                "a reader does not see what all were told long ago"
            )

        self.start("reader", work, step_s=self.world.chance.choice((20.0, None)))

    def collect(self, objects: SlowObjects, grace_s: float) -> None:
        collect(
            ShareGarbage(objects, SMALL),
            grace_s=grace_s,
            dry_run=False,
            known_end=lambda identity: known_end(self._store, identity),
            running_s=lambda: self.world.now_s,
        )

    def push_all(self, objects: SlowObjects) -> list[type]:
        share = WrittenShare(objects, SMALL)
        cache = RemoteCatalogCache(self._store, share, uuid.uuid4().hex)
        cache.catch_up()
        condemned = CondemnedView(share, clock_s=lambda: self.world.now_s)
        target = PushTarget(share, cache, condemned, OwnPacks())
        return [type(outcome) for outcome in push_names(self._store, target, self._names, limits=SMALL_PACKS)]

    def start(self, kind: str, work: Callable[[SlowObjects], object], *, step_s: float | None = None) -> None:
        self._number += 1
        self.machines.append(self.world.start(f"{kind}{self._number}", work, step_s=step_s))

    def run(self, steps: int) -> None:
        chance = self.world.chance
        for _ in range(steps):
            alive = [machine for machine in self.machines if machine.waits()]
            if sum(machine.name.startswith("pusher") for machine in alive) < PUSHERS and chance.random() < 0.1:
                self.pusher()
            if sum(machine.name.startswith("collector") for machine in alive) < COLLECTORS and chance.random() < 0.2:
                self.collector()
            if chance.random() < 0.01:
                self.reader()
            if sum(machine.name.startswith("follower") for machine in alive) < FOLLOWERS and chance.random() < 0.1:
                self.follower()
            if chance.random() < 0.03 and self.watcher.known_since(self.world.now_s):
                self.remover()
            for machine in alive:
                # Most often in the middle of what makes a file known.
                if chance.random() < (0.02 if machine.is_in_a_hurry() else 0.002):
                    machine.kill()
            if self.world.cluster is not None and self.world.keys(MARKER_KEY):
                self.world.cluster.turn(self.world.keys("log/"))
            if not self.world.go_on(patient=True):
                self.world.now_s += chance.choice((60.0, 0.3 * DAY_S, 8 * DAY_S))
            self.check()
        while self.world.go_on(patient=False):
            self.check()

    def check(self) -> None:
        for machine in self.machines:
            # A share that is seen late may refuse, never more than that.
            if machine.error is not None and not isinstance(machine.error, OriginError):
                raise machine.error
        self.machines = [machine for machine in self.machines if machine.waits()]

    def alone(self, work: Callable[[SlowObjects], object]) -> None:
        self.world.now_s += DAY_S
        self.start("last", work)
        machine = self.machines[-1]
        while self.world.go_on(patient=False):
            pass
        if machine.error is not None:
            raise machine.error

    def long_outages(self, cluster: Cluster) -> None:
        """Each server is away for days, and garbage is collected and followed all the same."""
        for away in range(cluster.servers):
            cluster.heal()
            self.refused(lambda objects: self.collect(objects, 3_600.0))
            if self.watcher.known_since(self.world.now_s):
                self.remover()
                self.refused(lambda _: None)
            self.refused(self.push_all)  # the last record is of what was taken out
            cluster.away, cluster.errors = away, self.world.chance.choice((0.0, 0.0, 0.2))
            for _ in range(8):  # until it passes: names are made up by chance, and not all can be made
                self.refused(lambda objects: self.collect(objects, 3_600.0))
            self.refused(self.forget_nothing)

    def forget_nothing(self, objects: SlowObjects) -> None:
        for memory in self.memories:
            cache = RemoteCatalogCache(self._store, WrittenShare(objects, SMALL), memory)
            before = set(map(file_key, cache.of_project("demo")))
            for _ in range(3):
                try:
                    cache.catch_up()
                except OriginError:
                    continue
                assert before - self.watcher.removed <= set(map(file_key, cache.of_project("demo"))), "forgotten in an outage"

    def refused(self, work: Callable[[SlowObjects], object]) -> None:
        """Do something a day later that may be refused, and must do no harm."""
        with suppress(OriginError):
            self.alone(work)

    def finish(self) -> None:
        """In peace: all garbage goes, all files come, and who follows knows them."""
        self.world.is_calm = True
        if self.world.cluster is not None:
            self.world.cluster.heal()
        for _ in range(6):
            self.world.now_s += 8 * DAY_S
            self.alone(lambda objects: self.collect(objects, 7 * DAY_S))
        needed = {file.sha256 for file in told(self.world).values()}
        manifests = {sha256: Manifest.decode(self.world.content(manifest_key(sha256)) or b"") for sha256 in needed}
        assert set(self.world.keys("manifests/")) == set(map(manifest_key, needed))
        packs = {pack for manifest in manifests.values() for pack in manifest.packs}
        assert set(self.world.keys("packs/")) == set(map(pack_key, packs))
        results: list[type] = []
        self.alone(lambda objects: results.extend(self.push_all(objects)))
        assert set(results) == {Pushed}
        assert {file.filename for file in told(self.world).values()} == {name.filename for name in self._names}
        for memory in self.memories:
            self.alone(lambda objects: self.know_all(objects, memory))  # noqa: B023
        for days in (8, 8, 8, 200, 200):
            self.world.now_s += days * DAY_S
            self.alone(lambda objects: self.collect(objects, 7 * DAY_S))
        lists = [decode_condemned(self.world.content(key) or b"") for key in self.world.keys("condemned/")]
        assert not [one for one in lists if one.keys], "only notes of the log's end stay"
        assert not [key for key in self.world.keys("") if "/.new-" in key]

    def know_all(self, objects: SlowObjects, memory: str) -> None:
        cache = RemoteCatalogCache(self._store, WrittenShare(objects, SMALL), memory)
        cache.catch_up()
        assert set(map(file_key, cache.of_project("demo"))) == set(told(self.world))


def simulate(
    seed: int, store: Store, steps: int = 500, *, cluster: bool = False, kind: type[Simulation] = Simulation
) -> Counter[str]:
    """Run the world of a seed, to which the names that machines give by chance belong, too."""
    simulation = kind(seed, store, cluster=cluster)
    # Identities of shares are among them: the store, which all worlds have in common, must not take one for another.
    names = random.Random(f"{seed} on a cluster" if cluster else seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(secrets, "token_bytes", names.randbytes)
        patched.setattr(secrets, "token_hex", lambda count: names.randbytes(count).hex())
        try:
            simulation.run(steps)
            if simulation.world.cluster is not None:
                simulation.world.is_calm = True
                simulation.long_outages(simulation.world.cluster)
            simulation.finish()
        except BaseException as error:
            error.add_note(f"in the world of seed {seed}")
            raise
    return simulation.watcher.deletions


def by_tens(tmp_path_factory: pytest.TempPathFactory, seeds: range) -> Iterator[tuple[int, Store]]:
    """Yield seeds with a store for each ten: one remembers the shares of all its worlds, and reads them all for each."""
    for at in range(0, len(seeds), 10):
        with filled_store(tmp_path_factory.mktemp("sim")) as store:
            yield from ((seed, store) for seed in seeds[at : at + 10])


KINDS = ("packs", "manifests", "log", "snapshots", "condemned")


def test_no_file_that_is_told_of_ever_lacks_a_byte_and_all_garbage_goes(store: Store) -> None:
    deleted: Counter[str] = Counter()
    for seed in range(14):
        deleted += simulate(seed, store)
    assert not [kind for kind in KINDS if not deleted[kind]], "what was never deleted was not looked at"


@pytest.mark.soak
def test_no_file_that_is_told_of_ever_lacks_a_byte_in_two_thousand_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    for seed, store in by_tens(tmp_path_factory, range(1_000, 3_000)):
        simulate(seed, store)


def test_on_a_cluster_whose_servers_come_and_go_nothing_is_lost_deleted_or_forgotten(store: Store) -> None:
    deleted: Counter[str] = Counter()
    for seed in range(10):
        deleted += simulate(seed, store, steps=150, cluster=True)
    assert not [kind for kind in KINDS if not deleted[kind]], "what was never deleted was not looked at"


@pytest.mark.soak
@pytest.mark.parametrize("first", range(10_000, 11_000, 100))
def test_on_a_cluster_whose_servers_come_and_go_nothing_is_lost_in_a_thousand_worlds(
    tmp_path_factory: pytest.TempPathFactory, first: int
) -> None:
    deleted: Counter[str] = Counter()
    for seed, store in by_tens(tmp_path_factory, range(first, first + 100)):
        deleted += simulate(seed, store, steps=150, cluster=True)
    assert not [kind for kind in KINDS if not deleted[kind]], "what was never deleted was not looked at"
