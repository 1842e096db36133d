"""Noting what an index lists no more: what shares have of it, here or there, stays the index's own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from wheelfs.errors import StoreDamaged
from wheelfs.store.catalog import shared_names
from wheelfs.store.catalog.pages import unpacked

if TYPE_CHECKING:
    import lmdb

    from wheelfs.store.catalog.names import NameTable


def note_listed(
    transaction: lmdb.Transaction, names: NameTable, shared: lmdb._Database | None, index: str, project: str, packed: bytes
) -> None:
    """Note what was on a page (``packed``) that is replaced; of a damaged one that is not known any more."""
    with suppress(StoreDamaged):
        links = unpacked(packed, project).files
        names.note_listed(transaction, index, project, links)
        shared_names.note_listed(transaction, shared, index, project, links)
