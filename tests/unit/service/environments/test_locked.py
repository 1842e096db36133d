"""Which files of a lock are taken with no index asked: those that are stored under the lock's hash, and that may be shown."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from wheelfs.core.platforms.targets import named
from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.core.views.visibility import ViewFilter
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted
from wheelfs.service.environments.locked import added, built, stored_files
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = named(
    "3.11",
    ["manylinux_2_28_x86_64"],
    machine_platforms=[],
    environment={key: str(value) for key, value in default_environment().items()},
)
PURE = "demo-1.0-py3-none-any.whl"
EXACT = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
WINDOWS = "demo-1.0-cp311-cp311-win_amd64.whl"
SDIST = "demo-1.0.tar.gz"
ALL = ViewFilter()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def put(store: Store, filename: str, *, index: str = "main", **more: Any) -> bytes:
    content = filename.encode()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        name = StoredName(project="demo", filename=filename, index=index, size_bytes=len(content), added_at_us=1, **more)
        return store.add_content(os.dup(file.fileno()), len(content), expected_sha256=None, names=[name])


def locked(*filenames: str) -> Wanted:
    hashes = frozenset(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in filenames)
    return Wanted(ProjectName("demo"), SpecifierSet("==1.0"), hashes, filenames=frozenset(filenames), places=("uv.lock",))


def taken(
    store: Store, *wanted: Wanted, patterns: dict[str, list[str]] | None = None, view_filter: ViewFilter = ALL
) -> list[str | None] | None:
    scopes = IndexScopes({"main": []} if patterns is None else patterns)
    found = stored_files(store, wanted, TARGET, scopes=scopes, view_filter=view_filter)
    return None if found is None else [file.filename for file in found]


def test_the_best_file_of_a_lock_is_taken_once_where_it_is_stored(store: Store) -> None:
    put(store, EXACT)
    put(store, PURE)
    assert taken(store, locked(PURE, EXACT, SDIST), locked(EXACT)) == [EXACT]


def test_its_report_is_that_of_a_file_that_was_here(store: Store) -> None:
    sha256 = put(store, PURE, index="local", private=True)
    [file] = stored_files(store, [locked(PURE)], TARGET, scopes=IndexScopes({}), view_filter=ALL) or []
    assert (file.result, file.project, file.version, file.origin) == ("present", "demo", "1.0", "local")
    assert (file.sha256, file.size_bytes, file.missing_bytes, file.places) == (sha256.hex(), len(PURE), 0, ("uv.lock",))


def test_a_lock_of_which_another_file_is_better_is_left_to_the_indexes(store: Store) -> None:
    put(store, PURE)
    assert taken(store, locked(PURE, EXACT)) is None


def test_one_file_that_is_not_stored_leaves_all_to_the_indexes(store: Store) -> None:
    put(store, PURE)
    other = Wanted(
        ProjectName("other"), hashes=frozenset({"sha256:" + 64 * "0"}), filenames=frozenset({"other-1-py3-none-any.whl"})
    )
    assert taken(store, locked(PURE), other) is None


def test_a_file_of_another_hash_is_not_the_one_of_the_lock(store: Store) -> None:
    put(store, PURE)
    assert (
        taken(store, Wanted(ProjectName("demo"), hashes=frozenset({"sha256:" + 64 * "0"}), filenames=frozenset({PURE}))) is None
    )


def test_what_the_lock_gives_no_hash_of_is_left_to_the_indexes(store: Store) -> None:
    put(store, PURE)
    assert taken(store, Wanted(ProjectName("demo"), filenames=frozenset({PURE}))) is None


def test_an_sdist_is_left_to_what_says_why_it_is_one(store: Store) -> None:
    put(store, SDIST)
    assert taken(store, locked(SDIST)) is None


def test_what_a_share_alone_has_named_is_left_to_the_indexes(store: Store) -> None:
    put(store, PURE, of_share=True)
    assert taken(store, locked(PURE)) is None


def test_a_name_that_is_tied_to_another_index_is_left_to_that(store: Store) -> None:
    put(store, PURE)
    assert taken(store, locked(PURE), patterns={"lab": ["demo"], "main": []}) is None
    assert taken(store, locked(PURE), patterns={"lab": ["other"], "main": []}) == [PURE]


def test_what_a_policy_hides_is_not_taken(store: Store) -> None:
    put(store, PURE, upload_time_us=2_000)
    assert taken(store, locked(PURE), view_filter=ViewFilter(settled_us=1_000)) is None
    assert taken(store, locked(PURE), view_filter=ViewFilter(settled_us=3_000)) == [PURE]


def test_what_is_quarantined_is_not_taken(store: Store) -> None:
    store.quarantine(put(store, PURE), "a test")
    assert taken(store, locked(PURE)) is None


def stands_for(store: Store, wanted: Wanted, *, view_filter: ViewFilter = ALL) -> set[str] | None:
    found = built(store, wanted, TARGET, scopes=IndexScopes({}), view_filter=view_filter)
    return None if found is None else set(found.filenames)


def test_a_wheel_of_its_version_that_was_added_stands_for_an_sdist(store: Store) -> None:
    sha256 = put(store, PURE, index="local", private=True)
    for wanted in (locked(SDIST), locked(SDIST, WINDOWS)):
        found = built(store, wanted, TARGET, scopes=IndexScopes({}), view_filter=ALL)
        assert found is not None
        assert found.hashes == {f"sha256:{sha256.hex()}"}
        assert (stands_for(store, wanted), found.places) == ({PURE}, wanted.places)
        assert taken(store, wanted) is None
        assert taken(store, found) == [PURE]


def test_of_several_that_were_added_the_best_for_the_machine_stands_for_it(store: Store) -> None:
    for name in (PURE, EXACT, WINDOWS):
        put(store, name, index="local", private=True)
    assert stands_for(store, locked(SDIST)) == {EXACT}


@pytest.mark.parametrize("name", ["demo-1.0.1-py3-none-any.whl", "demo-1.0+mine-py3-none-any.whl", SDIST])
def test_neither_another_version_nor_an_sdist_stands_for_it(store: Store, name: str) -> None:
    put(store, name, index="local", private=True)
    assert stands_for(store, locked(SDIST)) is None


def test_a_wheel_of_an_index_stands_for_nothing(store: Store) -> None:
    put(store, PURE)
    assert stands_for(store, locked(SDIST)) is None


def test_a_wheel_that_the_lock_names_or_that_is_lacking_for_this_machine_is_not_replaced(store: Store) -> None:
    put(store, PURE, index="local", private=True)
    assert stands_for(store, locked(SDIST, EXACT)) is None
    assert stands_for(store, locked(WINDOWS)) is None


def test_what_was_added_stands_for_what_a_lock_names_no_file_of(store: Store) -> None:
    """It is from a repository, or an archive that is called after its branch."""
    put(store, PURE, index="local", private=True)
    for filenames in (frozenset[str](), frozenset(("main.tar.gz",))):
        wanted = Wanted(ProjectName("demo"), SpecifierSet("==1.0"), filenames=filenames)
        assert stands_for(store, wanted) == {PURE}
        assert stands_for(store, Wanted(ProjectName("demo"), SpecifierSet("==2.0"), filenames=filenames)) is None
        assert stands_for(store, Wanted(ProjectName("demo"), filenames=filenames)) is None, "its version is not known"


@pytest.mark.parametrize("name", [PURE, SDIST])
def test_a_file_of_a_url_is_there_once_it_was_added_with_the_hash_of_the_lock(store: Store, name: str) -> None:
    def found(wanted: Wanted, *, builds: bool) -> Wanted | None:
        return added(store, wanted, TARGET, scopes=IndexScopes({}), view_filter=ALL, builds=builds)

    assert found(locked(name), builds=True) is None
    put(store, name, index="local", private=True)
    assert found(locked(name), builds=True) == locked(name)
    assert found(locked(name), builds=False) == locked(name)
    other = Wanted(ProjectName("demo"), SpecifierSet("==1.0"), frozenset({"sha256:" + 64 * "0"}), filenames=frozenset({name}))
    assert found(other, builds=False) is None
    assert found(replace(other, hashes=frozenset()), builds=False) is None


def test_of_an_sdist_of_a_url_and_a_wheel_that_were_added_an_environment_has_the_wheel(store: Store) -> None:
    for name in (PURE, SDIST):
        put(store, name, index="local", private=True)
    found = added(store, locked(SDIST), TARGET, scopes=IndexScopes({}), view_filter=ALL, builds=True)
    assert found is not None
    assert found.filenames == {PURE}
    assert added(store, locked(SDIST), TARGET, scopes=IndexScopes({}), view_filter=ALL, builds=False) == locked(SDIST)
