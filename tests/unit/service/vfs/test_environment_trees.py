"""Trees of environments: made when they are entered, and again only where something of theirs has come."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from wheelfs.model.environment import LAYOUT, Environment, EnvironmentLabel, EnvironmentWheel, Interpreter, WheelMember
from wheelfs.service.vfs.environments.nodes import EnvironmentDirectory, EnvironmentRoot
from wheelfs.service.vfs.environments.trees import EnvironmentTrees
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.catalog.mounted_environments import MountedEnvironments, bytecode_keys, encoded
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")


class Prefetcher:
    """Takes no notice."""

    def looked_into(self, tree: object) -> None:
        """Do nothing."""


class Trees:
    """Environments of a store, each with one module, and the digests whose trees were read."""

    def __init__(self, store: Store, read: list[bytes]) -> None:
        self.store = store
        self.read = read
        self.trees = EnvironmentTrees(store, cast("Any", Prefetcher()), lambda index: index)

    def make(self, name: str) -> Environment:
        """Give a name to an environment."""
        sha256 = hashlib.sha256(name.encode()).digest()
        wheel = EnvironmentWheel("demo", "demo-1.0-py3-none-any.whl", "main", sha256, 10)
        member = WheelMember(f"{PYTHON.site_packages}/{name}.py", 0, 1, 8, 2, 3, 4, False, sha256)
        tree = Environment(LAYOUT, PYTHON, (wheel,), (member,), (), (("bin/python", PYTHON.executable),))
        digest, encoding = encoded(tree)
        self.store.mounted.put(EnvironmentLabel(name, digest, 5, (sha256,)), encoding).result()
        return tree

    def compile(self, tree: Environment) -> None:
        """Put the bytecode of an environment."""
        self.store.mounted.put_bytecode(dict.fromkeys(bytecode_keys(tree), b"code")).result()

    async def named(self, name: str) -> EnvironmentDirectory:
        """Look an environment up."""
        found = await self.trees.named(name)
        assert found is not None
        return found


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trees]:
    read: list[bytes] = []
    tree_of = MountedEnvironments.tree

    def noted(self: MountedEnvironments, digest: bytes) -> Environment | None:
        assert threading.current_thread() is not threading.main_thread(), "nothing else would be answered meanwhile"
        read.append(digest)
        return tree_of(self, digest)

    monkeypatch.setattr(MountedEnvironments, "tree", noted)
    with Store.open(tmp_path / "s") as store:
        yield Trees(store, read)


async def test_a_listing_makes_no_tree_and_has_the_numbers_of_look_ups(trees: Trees) -> None:
    names = [f"e{number:02}" for number in range(20)]
    for name in names:
        trees.make(name)
    listed = dict(trees.trees.listed())
    assert list(listed) == list(dict(trees.trees.listed())) == names
    assert trees.read == []
    for name in names:
        entered = await trees.named(name)
        assert entered.attributes == listed[name].attributes
    assert len(trees.read) == len(names)
    root = listed["e00"]
    assert isinstance(root, EnvironmentRoot)
    assert isinstance(await trees.trees.lookup(root, "bin"), EnvironmentDirectory)
    trees.store.mounted.remove("e01").result()
    assert await trees.trees.named("e01") is None
    assert isinstance(await trees.trees.lookup(listed["e01"], "bin"), Absent)


async def test_only_bytecode_of_its_own_makes_a_tree_again(trees: Trees) -> None:
    one, other = trees.make("one"), trees.make("other")
    before = await trees.named("one")
    trees.compile(other)
    assert (await trees.named("one")).tree is before.tree
    trees.compile(one)
    after = await trees.named("one")
    assert trees.read == [before.tree.digest] * 2
    assert after.attributes.inode != before.attributes.inode, "what the kernel has found absent is there now"
    assert dict(trees.trees.listed())["one"].attributes == after.attributes
    assert (await trees.named("one")).tree is after.tree


async def test_a_tree_in_use_is_not_made_twice(trees: Trees) -> None:
    trees.make("in-use")
    held = await trees.named("in-use")
    for number in range(20):
        trees.make(f"other{number}")
        await trees.named(f"other{number}")
    assert (await trees.named("in-use")).tree is held.tree
    assert trees.read.count(held.tree.digest) == 1
