"""Tracked projects in the catalog, and the names that a page stops to mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.model.tracked import Tracked
from wheelfs.store.catalog.catalog import CATALOG_DATABASES, Catalog
from wheelfs.store.catalog.records import Change, PageRecord
from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.writer import open_writer
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Store.open(tmp_path / "store") as store:
        yield store.catalog


def page(*files: tuple[str, bytes | None]) -> PageRecord:
    links = tuple(FileLink(name, f"https://files.example/{name}", sha256=sha256) for name, sha256 in files)
    return PageRecord(index_url="https://index.example/simple", fetched_at_us=1, page=ProjectPage("demo", links))


def changes(catalog: Catalog, since: int) -> list[Change]:
    return catalog.changes_since(since).changes


def test_what_is_tracked_is_found_in_order_until_it_is_untracked(catalog: Catalog) -> None:
    for number, project in enumerate(("numpy", "attrs", "numpy-stubs")):
        assert catalog.track(Tracked(project, (">=1",), number)).result()
    assert [one.project for one in catalog.all_tracked()] == ["attrs", "numpy", "numpy-stubs"]
    assert [one.project for one in catalog.all_tracked("attrs")] == ["numpy", "numpy-stubs"]
    assert [one.project for one in catalog.all_tracked("numpy")] == ["numpy-stubs"]
    assert catalog.tracked("numpy") == Tracked("numpy", (">=1",), 0)
    assert catalog.untrack("numpy").result()
    assert not catalog.untrack("numpy").result()
    assert catalog.tracked("numpy") is None
    assert catalog.tracked_projects() == 2


def test_tracking_the_same_again_changes_nothing_and_another_range_takes_its_place(catalog: Catalog) -> None:
    assert catalog.track(Tracked("numpy", ("",), 5)).result()
    assert not catalog.track(Tracked("numpy", ("",), 9)).result()
    assert catalog.track(Tracked("numpy", ("<2",), 9)).result()
    assert catalog.tracked("numpy") == Tracked("numpy", ("<2",), 5)


def test_tracking_is_a_change_that_builds_without_it_understand(catalog: Catalog) -> None:
    catalog.put_page("main", "demo", page(("demo-1.0-py3-none-any.whl", None))).result()
    before = catalog.last_seq()
    catalog.track(Tracked("demo", ("",), 1)).result()
    catalog.untrack("demo").result()
    told = changes(catalog, before)
    assert told == [
        Change("page", "demo"),
        Change("page", "demo"),
        Change("page", "demo", "demo-1.0-py3-none-any.whl", index="main"),
    ]


def test_files_that_a_page_drops_or_replaces_are_named(catalog: Catalog) -> None:
    catalog.put_page("main", "demo", page(("same", b"1" * 32), ("other", b"2" * 32), ("gone", b"3" * 32))).result()
    before = catalog.last_seq()
    catalog.put_page("main", "demo", page(("same", b"1" * 32), ("other", b"9" * 32), ("new", b"4" * 32))).result()
    assert [change.filename for change in changes(catalog, before)] == [None, "other", "gone"]
    before = catalog.last_seq()
    catalog.put_absent("main", "demo", index_url="https://index.example/simple", fetched_at_us=2).result()
    assert [change.filename for change in changes(catalog, before)] == [None, "same", "other", "new"]


def test_a_record_of_an_older_build_reads(catalog: Catalog) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(["numpy", [">=2"], 7]), type=Tracked) == Tracked("numpy", (">=2",), 7)


def test_nothing_is_tracked_in_an_older_store_that_may_not_be_written(tmp_path: Path) -> None:
    directory = StoreDirectory.open(tmp_path / "store", create=True)
    directory.open_environment("catalog", [name for name in CATALOG_DATABASES if name != "tracked"])
    directory.close()
    directory = StoreDirectory.open(tmp_path / "store", create=False, readonly=True)
    environment = directory.open_environment("catalog", CATALOG_DATABASES)
    catalog = Catalog(environment, open_writer(environment))
    assert catalog.tracked("numpy") is None
    assert list(catalog.all_tracked()) == []
    assert catalog.tracked_projects() == 0
    directory.close()
