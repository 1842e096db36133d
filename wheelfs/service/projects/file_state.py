"""Whether a file is stored, partly fetched, only known of, or quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.reports.files import FileState
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef


def state_of(downloads: DownloadPool, ref: FileRef, sealed: bytes | None) -> tuple[FileState, int]:
    """Return a file's state and how many of its bytes are here."""
    if sealed is not None:
        return "stored", downloads.context.facts.size_of(ref) or 0
    facts = downloads.context.store.catalog.facts(ref.key)
    if facts is not None and facts.poisoned is not None:
        return "poisoned", 0
    present = downloads.present_bytes(ref)
    return ("partial", present) if present else ("remote", 0)
