"""Environments in the catalog: what a label needs is kept, and nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.rot import flip
from wheelfs.errors import StoreDamaged
from wheelfs.model.environment import LAYOUT, Environment, EnvironmentLabel, EnvironmentWheel, Interpreter, WheelMember
from wheelfs.store.catalog.mounted_environments import MountedEnvironments, bytecode_key, bytecode_keys, encoded
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as store:
        yield store


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def environment(*modules: str) -> Environment:
    wheel = EnvironmentWheel("demo", "demo-1.0-py3-none-any.whl", "main", sha("wheel"), 10)
    members = tuple(WheelMember(f"{PYTHON.site_packages}/{one}.py", 0, 1, 8, 2, 3, 4, False, sha(one)) for one in modules)
    return Environment(LAYOUT, PYTHON, (wheel,), members, (), (("bin/python", PYTHON.executable),))


def put(mounted: MountedEnvironments, name: str, tree: Environment) -> EnvironmentLabel | None:
    digest, encoding = encoded(tree)
    code = {key: b"code" + key for key in bytecode_keys(tree)}
    mounted.put_bytecode(code).result()
    return mounted.put(EnvironmentLabel(name, digest, 5, tuple(wheel.sha256 for wheel in tree.wheels)), encoding).result()


def code_of(*modules: str) -> set[bytes]:
    return {bytecode_key(sha(one), PYTHON.magic) for one in modules}


def test_what_was_put_is_there_in_another_process_too(store: Store, tmp_path: Path) -> None:
    tree = environment("a", "b")
    assert put(store.mounted, "it", tree) is None
    label = store.mounted.label("it")
    assert label is not None
    assert store.mounted.tree(label.digest) == tree
    assert store.mounted.contents() == {sha("wheel"): "it"}
    [key] = code_of("a")
    assert store.mounted.bytecode(key) == b"code" + key
    assert store.mounted.bytecode_sizes([key, b"none"]) == {key: 4 + len(key)}
    assert store.mounted.bytecode(b"none") is None
    store.close()
    with Store.open(tmp_path / "store", readonly=True) as again:
        assert again.mounted.labels() == [label]


def test_a_label_that_moves_lets_go_of_what_only_it_needed(store: Store) -> None:
    put(store.mounted, "one", environment("a", "b"))
    put(store.mounted, "two", environment("b", "c"))
    before = put(store.mounted, "one", environment("d"))
    assert before is not None
    assert store.mounted.tree(before.digest) is None
    assert set(store.mounted.bytecode_sizes(code_of("a", "b", "c", "d"))) == code_of("b", "c", "d")
    assert store.mounted.remove("two").result()
    assert set(store.mounted.bytecode_sizes(code_of("a", "b", "c", "d"))) == code_of("d")
    assert not store.mounted.remove("two").result()


def test_two_labels_of_one_tree_need_it_both(store: Store) -> None:
    for name in ("one", "two"):
        put(store.mounted, name, environment("a"))
    store.mounted.remove("one").result()
    [label] = store.mounted.labels()
    assert store.mounted.tree(label.digest) is not None
    assert set(store.mounted.bytecode_sizes(code_of("a"))) == code_of("a")


def test_digests_are_of_everything_but_the_label() -> None:
    tree = environment("a")
    other = msgspec.structs.replace(tree, interpreter=msgspec.structs.replace(PYTHON, version="3.11.8"))
    assert encoded(tree)[0] == encoded(environment("a"))[0] != encoded(other)[0]


def test_a_name_no_key_can_hold_is_not_there(store: Store) -> None:
    assert store.mounted.label("x" * 600) is None


def test_a_damaged_tree_is_replaced_and_hinders_no_other(store: Store) -> None:
    put(store.mounted, "it", environment("a", "b"))
    flip(store, "environment-trees", -3)
    label = store.mounted.label("it")
    assert label is not None
    with pytest.raises(StoreDamaged):
        store.mounted.tree(label.digest)
    [(name, _)] = store.mounted.damage()
    assert name == "it"
    put(store.mounted, "other", environment("b", "c"))
    put(store.mounted, "other", environment("c"))
    assert set(store.mounted.bytecode_sizes(code_of("a", "b", "c"))) == code_of("a", "b", "c"), "it may need it"
    put(store.mounted, "it", environment("a", "b"))
    assert store.mounted.tree(label.digest) == environment("a", "b")
    assert list(store.mounted.damage()) == []


def test_a_damaged_tree_can_be_removed_and_left_behind(store: Store) -> None:
    for leave in (lambda: store.mounted.remove("it").result(), lambda: put(store.mounted, "it", environment("b"))):
        put(store.mounted, "it", environment("a"))
        flip(store, "environment-trees", -3)
        assert leave()
        assert list(store.mounted.damage()) == []


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_damaged_label_hinders_no_other_and_what_it_may_need_is_kept(
    store: Store, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = environment("a")
    put(store.mounted, "first", before)
    put(store.mounted, "second", environment("b"))
    flip(store, "environments", at)
    for _ in range(2):
        assert [label.name for label in store.mounted.labels()] == ["second"]
    assert caplog.text.count("wheelfs env create first") == 1
    with pytest.raises(StoreDamaged, match=r"wheelfs env rm first"):
        store.mounted.label("first")
    with pytest.raises(StoreDamaged):
        store.mounted.contents()
    [(name, _)] = store.mounted.damage()
    assert name == "first"
    assert store.mounted.has_label("first")
    assert store.mounted.remove("second").result()
    assert store.mounted.tree(encoded(before)[0]) == before
    if at:
        assert put(store.mounted, "first", before) is None
    else:
        assert store.mounted.remove("first").result()
    assert list(store.mounted.damage()) == []
    assert set(store.mounted.contents()) == ({sha("wheel")} if at else set())


def test_a_label_of_another_tree_is_damaged_too(store: Store) -> None:
    put(store.mounted, "it", environment("a"))
    flip(store, "environments", 10)  # in the digest
    [(name, _)] = store.mounted.damage()
    assert name == "it"
    put(store.mounted, "it", environment("a"))
    assert list(store.mounted.damage()) == []


def test_damaged_bytecode_and_profiles_are_made_again(store: Store) -> None:
    label = EnvironmentLabel("it", encoded(environment("a"))[0], 5, ())
    put(store.mounted, "it", environment("a"))
    store.mounted.profiles.merge(label.digest, ["x"]).result()
    flip(store, "bytecode", 0)
    flip(store, "environment-profiles", -3)
    assert store.mounted.bytecode_sizes(code_of("a")) == {}
    assert store.mounted.profiles.of(label.digest) == ()
    store.mounted.profiles.merge(label.digest, ["y"]).result()
    assert store.mounted.profiles.of(label.digest) == ("y",)
