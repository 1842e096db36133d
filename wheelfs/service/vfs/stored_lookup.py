"""Files that can be served from the store at once: what a worker of the gateway does not ask its head for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.views import paths
from wheelfs.errors import WheelfsError
from wheelfs.service.vfs.nodes import FileNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.names import ProjectName
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views


class StoredLookup:
    """Looks paths up without the network."""

    def __init__(self, projects: Projects, views: Views, context: FetchContext) -> None:
        """Look at what these three know."""
        self._projects = projects
        self._views = views
        self._context = context

    def find(self, names: Sequence[str]) -> FileNode | None:
        """Return the stored file of a project that a path of the tree names; None where the head has to look."""
        place = paths.ROOT
        for number, name in enumerate(names, 1):
            match paths.meaning(place, name, self._projects.names):
                case paths.Directory() as below:
                    place = below
                case paths.ProjectFile(filename, metadata=False) if number == len(names) and place.project is not None:
                    try:
                        return self._stored(place, place.project, filename)
                    except WheelfsError:  # damage, say: the head reports it
                        return None
                case _:
                    return None
        return None

    def _stored(self, place: paths.Directory, project: ProjectName, filename: str) -> FileNode | None:
        ownership = self._projects.known(project, index=place.view.index)
        entry = self._views.entry(ownership, project, place.view, filename)
        if entry is None or entry.sealed_sha256 is None or self._projects.sealed(entry.ref) is None:
            return None
        size_bytes = self._context.facts.size_of(entry.ref)
        return None if size_bytes is None else FileNode(entry.ref, size_bytes)
