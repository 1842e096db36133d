"""Profiles in the catalog: what was opened, collected in memory and written together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.unit.store.catalog.test_mounted_environments import PYTHON, environment, put
from wheelfs.store.catalog import profiles
from wheelfs.store.catalog.mounted_environments import encoded
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.model.environment import Environment

SITE = PYTHON.site_packages


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as store:
        yield store


def digest_of(tree: Environment) -> bytes:
    return encoded(tree)[0]


def test_what_was_noted_is_there_after_a_flush_and_written_once(store: Store) -> None:
    tree, found = environment("a", "b"), store.mounted.profiles
    put(store.mounted, "it", tree)
    for path in ("b", "a", "b"):
        found.note(digest_of(tree), path)
    assert found.of(digest_of(tree)) == ()
    found.flush()
    assert found.of(digest_of(tree)) == ("a", "b")
    before = store.catalog.last_transaction()
    found.note(digest_of(tree), "a")
    found.flush()
    assert store.catalog.last_transaction() == before
    found.merge(digest_of(tree), ["c", "a"]).result()
    assert found.of(digest_of(tree)) == ("a", "b", "c")
    found.clear(digest_of(tree)).result()
    assert found.of(digest_of(tree)) == ()


def test_it_outlives_its_environment_and_grows_no_more(store: Store) -> None:
    tree = environment("a")
    put(store.mounted, "it", tree)
    store.mounted.profiles.note(digest_of(tree), "a")
    store.mounted.profiles.flush()
    store.mounted.remove("it").result()
    store.mounted.profiles.note(digest_of(tree), "b")
    store.mounted.profiles.flush()
    assert store.mounted.profiles.of(digest_of(tree)) == ("a",), "of what is gone nothing is noted"
    put(store.mounted, "again", tree)
    assert store.mounted.profiles.of(digest_of(tree)) == ("a",)


def test_of_those_that_outlive_theirs_only_so_many_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MAX_LEFT", 2)
    kept, gone = environment("kept"), [environment(f"gone{number}") for number in range(5)]
    for name, tree in [("kept", kept), *((f"gone{number}", tree) for number, tree in enumerate(gone))]:
        put(store.mounted, name, tree)
        store.mounted.profiles.merge(digest_of(tree), ["a"]).result()
    for number, tree in enumerate(gone):
        store.mounted.remove(f"gone{number}").result()
        assert store.mounted.profiles.of(digest_of(tree)) == ("a",), "the last one is always there"
    assert sum(bool(store.mounted.profiles.of(digest_of(tree))) for tree in gone) == 2
    assert store.mounted.profiles.of(digest_of(kept)) == ("a",)


def test_a_label_hands_it_on_as_far_as_the_files_are_there(store: Store) -> None:
    before, after = environment("a", "b"), environment("b", "c")
    put(store.mounted, "it", before)
    store.mounted.profiles.merge(digest_of(before), [f"{SITE}/a.py", f"{SITE}/b.py"]).result()
    put(store.mounted, "it", after)
    assert store.mounted.profiles.of(digest_of(after)) == (f"{SITE}/b.py",)
    bare = msgspec.structs.replace(after, members=())
    put(store.mounted, "it", bare)
    assert store.mounted.profiles.of(digest_of(bare)) == ()


def test_it_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MAX_FILES", 3)
    tree = environment("a")
    put(store.mounted, "it", tree)
    store.mounted.profiles.merge(digest_of(tree), ["z"]).result()
    for path in "abcde":
        store.mounted.profiles.note(digest_of(tree), path)
    store.mounted.profiles.flush()
    assert store.mounted.profiles.of(digest_of(tree)) == ("a", "b", "z")
