"""The files of tracked projects that flat directories list before any is fetched.

A file is listed when its exact size is known; `wheelfs.service.projects.tracking` finds out those that an index does not tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.projects import tracking
from wheelfs.core.projects.ownership import Owned
from wheelfs.model.names import ProjectName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.core.platforms.machine import Machine
    from wheelfs.model.tracked import Tracked
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.projects import Projects


class TrackedFiles:
    """What is tracked, as files, from what is known here."""

    def __init__(self, *, projects: Projects, context: FetchContext, machine: Machine) -> None:
        """``machine`` is whose files are tracked where nothing else is said."""
        self._projects = projects
        self._context = context
        self._catalog = context.store.catalog
        self._machine = machine

    def tracked(self, after: str | None = None) -> Iterator[Tracked]:
        """Yield what is tracked of the projects that follow ``after``, in order, by short transactions."""
        return self._catalog.all_tracked(after)

    def files(self, tracked: Tracked) -> list[tuple[FileRef, int]]:
        """Return the files of a tracked project that can be listed now with their sizes, in order of filename.

        Stored ones are among them.  While they could not be fetched there are none (``[offline] show = "stored"``).
        """
        owned = self._owned(tracked)
        if owned is None or not self._projects.lists_remote(owned):
            return []
        refs = sorted(self.refs_of(tracked, owned), key=lambda ref: ref.filename)
        sizes = self._context.facts.sizes_of(refs)
        return [(ref, size_bytes) for ref, size_bytes in zip(refs, sizes, strict=True) if size_bytes is not None]

    def file(self, project: ProjectName, filename: str) -> tuple[FileRef, int] | None:
        """Return one file of a tracked project, if its size is known; also while it cannot be fetched: opening it says why."""
        tracked = self._catalog.tracked(project)
        owned = None if tracked is None else self._owned(tracked)
        if tracked is None or owned is None:
            return None
        for ref in self.refs_of(tracked, owned):
            if ref.filename == filename:
                size_bytes = self._context.facts.size_of(ref)
                return None if size_bytes is None else (ref, size_bytes)
        return None

    def all_files(self, tracked: Tracked) -> list[FileRef]:
        """Return all files of a tracked project by what is known, whether they can be listed or not."""
        owned = self._owned(tracked)
        return [] if owned is None else self.refs_of(tracked, owned)

    def _owned(self, tracked: Tracked) -> Owned | None:
        ownership = self._projects.known(ProjectName(tracked.project))
        return ownership if isinstance(ownership, Owned) else None

    def refs_of(self, tracked: Tracked, owned: Owned) -> list[FileRef]:
        """Return the files of a project's owner that are tracked."""
        project = ProjectName(tracked.project)
        return self._projects.refs(owned, project, tracking.chosen(tracked, owned.listed, self._machine))
