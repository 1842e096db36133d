"""Extended attributes of files (``user.wheelfs.*``), answered from the store alone; see attr(5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.service.files import FileRef
    from wheelfs.service.projects import Projects
    from wheelfs.service.supply import Supply


class ExtendedAttributes:
    """``state`` is ``stored``, ``partial``, ``remote`` or ``poisoned``; the rest says where a file comes from and what is here of it."""

    def __init__(self, *, projects: Projects, supply: Supply) -> None:
        """Answer from what these two know."""
        self._projects = projects
        self._supply = supply

    def of(self, ref: FileRef) -> dict[str, bytes]:
        """Return all attributes of a file; those nobody knows are left out."""
        sealed = self._projects.sealed(ref)
        present = None if sealed is not None else self._supply.present_bytes(ref)
        facts = self._supply.store.catalog.facts(ref.key)
        if sealed is not None:
            state, here = "stored", self._supply.known_size(ref) or 0
        elif facts is not None and facts.poisoned is not None:
            state, here = "poisoned", 0
        else:
            state, here = ("partial", present) if present else ("remote", 0)
        digest = sealed if sealed is not None else ref.link.sha256
        pinned = any(name.pinned for name in self._supply.store.catalog.stored_names(ref.project) if name.filename == ref.filename)
        values = {"state": state, "origin": ref.origin, "stored_bytes": str(here), "pinned": "1" if pinned else "0"}
        if digest is not None:
            values["sha256"] = digest.hex()
        if ref.link.upload_time_us is not None:
            values["upload_time"] = datetime.fromtimestamp(ref.link.upload_time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
        return {f"user.wheelfs.{name}": value.encode() for name, value in values.items()}
