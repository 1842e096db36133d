"""The stored files that a user means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.service.selection import select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import StoredName


def select_stored(catalog: Catalog, attempted: str, words: Sequence[str]) -> list[StoredName]:
    """Return the stored files that are named; raises `InvalidInput` and `NotKnown`, and selects nothing then."""
    return select(
        attempted,
        words,
        lambda name: catalog.stored_names(name.project, replaced=True),
        happened="no stored file matches",
        advice="wheelfs ls lists what is stored",
    )
