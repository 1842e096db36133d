"""What an index says of a file survives every way from one record of it to another."""

from __future__ import annotations

import msgspec

from wheelfs.model.links import Description, FileLink, description_of
from wheelfs.model.shared import SharedFile
from wheelfs.service.file_refs import link_of
from wheelfs.service.shares.feed import shared_file
from wheelfs.store.catalog.records import NameValue, StoredName

SHA256 = bytes(range(32))
ABOUT: Description = {"upload_time_us": 1, "requires_python": ">=3.11", "yanked": "broken", "metadata_sha256": SHA256}
NAME = StoredName(
    project="demo", filename="demo-1.0.tar.gz", index="main", size_bytes=3, added_at_us=4, sha256=SHA256, url="https://x", **ABOUT
)


def test_every_record_has_every_field() -> None:
    for record in (FileLink, SharedFile, StoredName, NameValue):
        assert set(Description.__annotations__) <= set(record.__struct_fields__), record.__name__
    assert set(ABOUT) == set(Description.__annotations__)
    assert all(ABOUT.values()), "a field that is empty could be lost unnoticed"


def test_no_way_between_two_records_loses_a_field() -> None:
    link = link_of(NAME)
    shared = shared_file(NAME)
    stored = StoredName.from_stored(NAME.key, msgspec.msgpack.decode(msgspec.msgpack.encode(NAME.value()), type=NameValue))
    for record in (link, shared, stored, link_of(shared)):
        assert description_of(record) == ABOUT, type(record).__name__
    assert stored == NAME
