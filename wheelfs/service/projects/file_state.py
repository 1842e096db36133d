"""Whether a file is stored, partly fetched, only known of, or quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.reports.files import FileState
    from wheelfs.service.fetch.context import Supply
    from wheelfs.service.file_refs import FileRef


def state_of(supply: Supply, ref: FileRef, sealed: bytes | None) -> tuple[FileState, int]:
    """Return a file's state and how many of its bytes are here."""
    if sealed is not None:
        return "stored", supply.known_size(ref) or 0
    facts = supply.store.catalog.facts(ref.key)
    if facts is not None and facts.poisoned is not None:
        return "poisoned", 0
    present = supply.present_bytes(ref)
    return ("partial", present) if present else ("remote", 0)
