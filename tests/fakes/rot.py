"""Rot in a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.store.store import Store


def flip(store: Store, database: str, at: int) -> None:
    """Flip a bit of the first value unnoticed by the store."""
    catalog = store.environments[0]
    table = catalog.database(database)
    with catalog.raw.begin(write=True) as transaction, transaction.cursor(table) as cursor:
        assert cursor.first()
        value = bytearray(cursor.value())
        value[at % len(value)] ^= 1
        transaction.put(cursor.key(), bytes(value), db=table)
