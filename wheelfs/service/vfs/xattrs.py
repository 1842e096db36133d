"""Extended attributes of files (``user.wheelfs.*``), answered from the store alone; see attr(5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.times import rfc3339_seconds
from wheelfs.service.projects.file_state import state_of

if TYPE_CHECKING:
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.projects import Projects


class ExtendedAttributes:
    """State (``stored``, ``partial``, ``remote`` or ``poisoned``), where a file comes from, and what is here of it."""

    def __init__(self, *, projects: Projects, downloads: DownloadPool) -> None:
        """Answer from what these two know."""
        self._projects = projects
        self._downloads = downloads

    def of(self, ref: FileRef) -> dict[str, bytes]:
        """Return all attributes of a file; unknown ones are left out."""
        sealed = self._projects.sealed(ref)
        state, here = state_of(self._downloads, ref, sealed)
        digest = sealed if sealed is not None else ref.link.sha256
        names = self._downloads.context.store.catalog.stored_names(ref.project, ref.filename)
        pinned = any(name.pinned for name in names)
        values = {"state": state, "origin": ref.origin, "stored_bytes": str(here), "pinned": "1" if pinned else "0"}
        if any(name.repacked and name.sha256 == sealed for name in names):
            values["repacked"] = "1"
        if digest is not None:
            values["sha256"] = digest.hex()
        if ref.link.upload_time_us is not None:
            values["upload_time"] = rfc3339_seconds(ref.link.upload_time_us)
        elif ref.link.first_seen_us is not None:
            values["first_seen"] = rfc3339_seconds(ref.link.first_seen_us)
        return {f"user.wheelfs.{name}": value.encode() for name, value in values.items()}
