"""Environments in such worlds: what is announced has all its objects at every moment, and in the end nothing else is there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.fakes.related_wheels import filled_store
from tests.sim.test_share_sim import Simulation, simulate
from wheelfs.model.shared_environment import SharedEnvironment, announcement_key, decode_announcement, keys_in_force
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.environments.sharing import announce
from wheelfs.service.shares.condemned_view import CondemnedView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.slow_objects import SlowObjects, World
    from wheelfs.store.store import Store

PUSHED_WHAT_WENT = 93
"""The world in which one that does not look what is condemned announces what is deleted."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with filled_store(tmp_path_factory.mktemp("sim")) as opened:
        yield opened


def in_force(world: World) -> set[str]:
    """Return the keys of what is announced, as it really is."""
    encoded: list[bytes] = []
    while (one := world.content(announcement_key(len(encoded)))) is not None:
        encoded.append(one)
    return keys_in_force(map(decode_announcement, encoded))


class WithEnvironments(Simulation):
    def __init__(self, seed: int, store: Store, *, cluster: bool = False) -> None:
        super().__init__(seed, store, cluster=cluster)
        self.world.changed = self.look

    def look(self, key: str) -> None:
        self.watcher.look(key)
        if key.startswith("environment") and "/.new-" not in key:
            lacking = [one for one in in_force(self.world) if self.world.content(one) is None]
            assert not lacking, f"{lacking} is announced and gone"

    def pusher(self) -> None:
        """Every second one pushes environments of a few, and may take them away: so names and objects come back."""
        chance, world = self.world.chance, self.world
        if chance.random() < 0.5:
            super().pusher()
            return
        rounds = [(f"env{chance.randrange(2)}", b"tree %d" % chance.randrange(3), b"%d" % chance.randrange(3)) for _ in range(3)]
        is_withdrawn = chance.random() < 0.3

        def work(objects: SlowObjects) -> None:
            share = WrittenShare(objects)
            share.catalog.prepare()
            condemned = CondemnedView(share, clock_s=lambda: world.now_s)
            for name, tree, profile in rounds:
                condemned.begin()
                before = share.environments().get(name)
                keys = [share.add_environment_object(content) for content in (tree, profile)]
                made = SharedEnvironment(name, keys[0], keys[1], None, 1)
                if before != made:
                    announce(share, made, condemned)
                if is_withdrawn:
                    share.announce_environment(SharedEnvironment(name, b"", None, None, 1))

        self.start("pusher of environments", work)

    def finish(self) -> None:
        super().finish()
        assert set(self.world.keys("environment-objects/")) == in_force(self.world)


def test_no_environment_that_is_announced_ever_lacks_an_object_and_all_garbage_goes(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "wheelfs")
    deletions: Counter[str] = Counter()
    for seed in (*range(10), PUSHED_WHAT_WENT):
        deletions += simulate(seed, store, kind=WithEnvironments)
    assert deletions["environment-objects"] > 0
