"""The names of one file are read alone, however many its project has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from wheelfs.store.catalog.records import StoredContent, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.store.catalog.records import NameValue


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as store:
        yield store


def test_the_names_of_one_file_are_found_without_those_of_its_project(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        StoredName(project="alpha", filename=f"alpha-{version}-py3-none-any.whl", index="main", size_bytes=1, added_at_us=1)
        for version in ("1", "1.0", "1.0.1")
    ]
    for one in names:
        digest = hashlib.sha256(one.filename.encode()).digest()
        store.catalog.seal(digest, StoredContent(1, 1, True), b"recipe", [one]).result()
    read: list[bytes] = []
    from_stored = StoredName.from_stored

    def noted(key: bytes, value: NameValue) -> StoredName:
        read.append(key)
        return from_stored(key, value)

    monkeypatch.setattr(StoredName, "from_stored", noted)
    for one in names:
        assert [found.filename for found in store.catalog.stored_names("alpha", one.filename)] == [one.filename]
    assert len(read) == len(names)
    for other in ("alpha-1", "", "\udc80", f"{names[0].filename}\0", "a" * 600):
        assert store.catalog.stored_names("alpha", other) == []
