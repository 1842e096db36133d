"""Stored files keep what their index last said of them: once it is away, no other source can tell."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.store.catalog.records import PageRecord, StoredContent, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60
FILENAME = "a-1-py3-none-any.whl"
SHA256 = hashlib.sha256(b"a").digest()
LINK = FileLink(FILENAME, "https://index.example/new", SHA256, upload_time_us=7, yanked="broken", requires_python=">=3.9")
NAME = StoredName(project="a", filename=FILENAME, index="main", size_bytes=1, added_at_us=5, private=True, pinned=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as store:
        store.catalog.seal(SHA256, StoredContent(1, 1, True), b"recipe", [NAME]).result(WAIT_S)
        yield store


def say(store: Store, link: FileLink, *, index: str = "main", at_us: int = 1) -> StoredName:
    """Let an index say something of the file, and return what is then known of it."""
    page = PageRecord(index_url="https://index.example/", fetched_at_us=at_us, page=ProjectPage("a", (link,)))
    store.catalog.put_page(index, "a", page).result(WAIT_S)
    (known,) = store.catalog.stored_names("a")
    return known


def test_a_stored_file_follows_what_its_index_says_and_stays_what_it_is_to_the_user(store: Store) -> None:
    known = say(store, LINK)
    assert (known.upload_time_us, known.yanked, known.requires_python) == (7, "broken", ">=3.9")
    assert (known.url, known.private, known.pinned, known.added_at_us) == (LINK.url, True, True, 5)
    no_longer = say(store, msgspec.structs.replace(LINK, yanked=None, upload_time_us=None), at_us=2)
    assert (no_longer.yanked, no_longer.upload_time_us) == (None, 7), "an upload time that is told no more is still true"


def test_the_kernel_is_told_of_it_once(store: Store) -> None:
    say(store, LINK)
    seq = store.catalog.last_seq()
    say(store, LINK, at_us=2)
    assert store.catalog.last_seq() == seq


@pytest.mark.parametrize(
    ("link", "index"),
    [
        (LINK, "other"),
        (msgspec.structs.replace(LINK, sha256=hashlib.sha256(b"b").digest()), "main"),
        (msgspec.structs.replace(LINK, filename="a-2-py3-none-any.whl"), "main"),
    ],
    ids=["another index", "other content", "another file"],
)
def test_what_is_said_of_others_does_not_concern_it(store: Store, link: FileLink, index: str) -> None:
    assert say(store, link, index=index) == msgspec.structs.replace(NAME, sha256=SHA256)
