"""The times at which files were first seen outlast readings of their page, older builds, and the page's own word of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.records import NameValue, PageRecord, StoredContent, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60
SHA256 = hashlib.sha256(b"a").digest()
FILE = FileLink("a-1-py3-none-any.whl", "https://index.example/a")
OTHER = FileLink("a-2-py3-none-any.whl", "https://index.example/b")
NAME = StoredName(project="a", filename=FILE.filename, index="main", size_bytes=1, added_at_us=50)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as store:
        yield store


def read(store: Store, at_us: int, *links: FileLink) -> dict[str, int | None]:
    """Let the index's page be read, and return when each file of it was first seen."""
    record = PageRecord(index_url="https://index.example/", fetched_at_us=at_us, page=ProjectPage("a", links))
    store.catalog.put_page("main", "a", record).result(WAIT_S)
    return times(store)


def times(store: Store) -> dict[str, int | None]:
    page = store.catalog.page("main", "a")
    return {} if page is None else {link.filename: link.first_seen_us for link in page.files}


def seal(store: Store) -> StoredName:
    store.catalog.seal(SHA256, StoredContent(1, 1, True), b"recipe", [NAME]).result(WAIT_S)
    return msgspec.structs.replace(NAME, sha256=SHA256)


def test_a_reading_changes_nothing_of_what_is_known(store: Store) -> None:
    assert read(store, 10, FILE) == {FILE.filename: 10}
    seq = store.catalog.last_seq()
    assert read(store, 20, FILE) == {FILE.filename: 10}
    assert store.catalog.last_seq() == seq, "a page that is the same is no change"
    assert store.catalog.touch_page("main", "a", fetched_at_us=30).result(WAIT_S)
    assert read(store, 40, FILE, OTHER) == {FILE.filename: 10, OTHER.filename: 40}


def test_a_stored_file_keeps_its_time_when_its_page_lists_it_no_more(store: Store) -> None:
    seal(store)
    read(store, 10, FILE)
    read(store, 20, OTHER)
    assert [name.first_seen_us for name in store.catalog.stored_names("a")] == [10]


def test_a_file_that_is_found_to_be_another_is_seen_for_the_first_time(store: Store) -> None:
    name = seal(store)
    read(store, 10, FILE, OTHER)
    assert store.catalog.replace_name(name.key, "main", "its server has changed it").result(WAIT_S)
    found = times(store)
    assert found[OTHER.filename] == 10
    assert (found[FILE.filename] or 0) > 1_000
    assert read(store, 30, FILE, OTHER) == found, "the next reading of the page says nothing else"


def test_a_hash_that_is_not_that_of_the_stored_file_makes_it_another(store: Store) -> None:
    seal(store)
    read(store, 10, FILE)
    assert read(store, 20, msgspec.structs.replace(FILE, sha256=b"2" * 32)) == {FILE.filename: 20}
    assert [name.replaced is None for name in store.catalog.stored_names("a", replaced=True)] == [False]


def test_a_page_of_an_older_build_was_there_when_it_changed_last(store: Store) -> None:
    read(store, 10, FILE)
    as_before = [*msgspec.to_builtins(ProjectPage("a", ()))]
    as_before[1] = [[*msgspec.to_builtins(FILE)][:-1]]
    encoded = msgspec.msgpack.encode(as_before)
    catalog = store.environments[0]
    head = store.catalog.page_head("main", "a")
    digest = hashlib.blake2b(encoded, digest_size=16).digest()
    with catalog.raw.begin(write=True) as transaction:
        compressed.put(transaction, catalog.database("pages"), b"main\0a\0", compressed.pack(encoded))
        packed = msgspec.msgpack.encode(msgspec.structs.replace(head, digest=digest))  # type: ignore[type-var]
        transaction.put(b"main\0a\0", packed, db=catalog.database("page-heads"))
    assert times(store) == {FILE.filename: 10}
    assert read(store, 20, FILE, OTHER) == {FILE.filename: 10, OTHER.filename: 20}


def test_a_name_of_an_older_build_has_no_such_time() -> None:
    value = msgspec.to_builtins(NAME.value())
    assert msgspec.convert(value[:-1], NameValue).first_seen_us is None
