"""Rot in what the catalog keeps of other people's answers: it is noticed, and never taken for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.rot import flip
from wheelfs.errors import StoreDamaged
from wheelfs.model.content import key_of_sha256
from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.store.catalog.records import PageRecord
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [f"alpha-{number}.tar.gz" for number in range(9)]
PAGE = ProjectPage("alpha", tuple(FileLink(name, f"https://index.example/{name}", upload_time_us=1) for name in NAMES))
METADATA = b"Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n"
KEY = key_of_sha256(bytes(32))


@pytest.mark.parametrize("at", [5, 20, 40, -1])
def test_damaged_metadata_is_not_known_and_a_damaged_page_is_no_answer_until_it_is_forgotten(tmp_path: Path, at: int) -> None:
    def record(fetched_at_us: int) -> PageRecord:
        return PageRecord(index_url="https://index.example/simple", fetched_at_us=fetched_at_us, page=PAGE)

    with Store.open(tmp_path / "store") as store:
        catalog = store.catalog
        catalog.put_page("main", "alpha", record(1)).result()
        catalog.put_metadata(KEY, METADATA).result()
        assert (catalog.page("main", "alpha"), catalog.metadata(KEY)) == (PAGE, METADATA)
        flip(store, "pages", at)
        flip(store, "metadata", at)
        assert catalog.metadata(KEY) is None
        with pytest.raises(StoreDamaged):
            catalog.page("main", "alpha")
        catalog.forget_page("main", "alpha").result()
        assert catalog.page_head("main", "alpha") is None
        assert catalog.put_page("main", "alpha", record(2)).result()
        assert catalog.page("main", "alpha") == PAGE
