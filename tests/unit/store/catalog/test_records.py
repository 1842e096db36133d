"""Records of the catalog: what another build wrote reads."""

from __future__ import annotations

import msgspec

from wheelfs.store.catalog.records import StoredContent


def test_records_with_more_fields_than_we_know_still_read() -> None:
    longer = msgspec.msgpack.encode([1000, 1, True, None, "from the future"])
    assert msgspec.msgpack.decode(longer, type=StoredContent) == StoredContent(1000, 1, True)
    shorter = msgspec.msgpack.encode([1000, 1, True])
    assert msgspec.msgpack.decode(shorter, type=StoredContent) == StoredContent(1000, 1, True)
