"""The grammar of paths inside a mount: what a name in a directory means, before anybody has looked whether it exists.

Every frontend shows the same tree.  A meaning is one of a closed set; the caller finds out whether there is such a project or
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec.structs import replace

from wheelfs.core.times import parse_asof
from wheelfs.core.views.view import View
from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName, check_filename, parse_project_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Form = Literal["html", "json"]

DirectoryKind = Literal["view", "indexes", "times", "simple", "project", "private", "environments"]
"""The root of a view, ``index/``, ``asof/``, a simple repository, one project in it, ``.wheelfs/``, ``env/``."""

PAGE: Final = "index.html"
JSON_PAGE: Final = "index.v1_json"
"""The JSON form of a page, under the name that static mirrors give it; reachable by name, not listed."""
STATUS: Final = "status.json"
ENVIRONMENTS: Final = "env"
CACHE_TAG: Final = "CACHEDIR.TAG"
"""In the root, where programs that walk a tree look for it by this name; not listed, since it is no wheel."""
_FORMS: Final[dict[str, Form]] = {PAGE: "html", JSON_PAGE: "json"}
METADATA_SUFFIX: Final = ".metadata"


class Directory(msgspec.Struct, frozen=True):
    """A directory; ``path`` is relative to the mount, without slashes at its ends."""

    kind: DirectoryKind
    path: str
    view: View
    project: ProjectName | None = None


class Page(msgspec.Struct, frozen=True):
    """``index.html``: of a project, of all projects (``simple``), or the find-links page of a view (``links``).

    The first two also have a JSON form (PEP 691), ``index.v1_json``.
    """

    kind: Literal["project", "simple", "links"]
    form: Form = "html"


class StatusFile(msgspec.Struct, frozen=True):
    """``.wheelfs/status.json``."""


class CacheTag(msgspec.Struct, frozen=True):
    """``CACHEDIR.TAG``."""


class FlatFile(msgspec.Struct, frozen=True):
    """A wheel in a flat directory."""

    filename: str


class ProjectFile(msgspec.Struct, frozen=True):
    """A file of a project; ``metadata``: not the file ``filename`` itself, but the core metadata beside it (PEP 658)."""

    filename: str
    metadata: bool


class Nothing(msgspec.Struct, frozen=True):
    """No name that this directory could ever have."""


Meaning = Directory | Page | StatusFile | CacheTag | FlatFile | ProjectFile | Nothing

ROOT: Final = Directory("view", "", View())


def meaning(parent: Directory, name: str, indexes: Collection[str]) -> Meaning:
    """Return what ``name`` in ``parent`` means; ``indexes`` are the names of the configured ones."""
    match parent.kind:
        case "view":
            return _in_view(parent, name, indexes)
        case "indexes":
            return _view(replace(parent.view, index=name)) if name in indexes else Nothing()
        case "times":
            asof = parse_asof(name)
            return Nothing() if asof is None else _view(View(asof=asof))
        case "simple":
            return Page("simple", _FORMS[name]) if name in _FORMS else _project(parent, name)
        case "project":
            return Page("project", _FORMS[name]) if name in _FORMS else _project_file(name)
        case "private":
            return StatusFile() if name == STATUS else Nothing()
        case "environments":
            return Nothing()  # trees of another kind, which this grammar knows nothing of


def subdirectories(
    parent: Directory, indexes: Collection[str], *, has_environments: bool = False
) -> Iterator[tuple[str, Directory]]:
    """Yield the sub-directories that a listing of a view's directory, of ``index/`` or of ``asof/`` (none), shows."""
    # No end of times could be listed, and programs that walk a tree have enough of it without them.
    names = {"view": ("simple", "index", "stored", "here", "asof"), "times": ()}.get(parent.kind, indexes)
    if has_environments and parent == ROOT:
        names = (*names, ENVIRONMENTS)
    for name in names:
        found = meaning(parent, name, indexes)
        if isinstance(found, Directory):
            yield name, found


def _in_view(parent: Directory, name: str, indexes: Collection[str]) -> Meaning:
    view = parent.view
    if name == "simple":
        return Directory("simple", _join(parent.path, name), view)
    if view.is_whole and name == "index" and indexes:
        return Directory("indexes", _join(parent.path, name), view)
    if not parent.path and name == "asof":
        return Directory("times", name, view)
    if not parent.path and name == ENVIRONMENTS:
        return Directory("environments", name, view)
    if not parent.path and name == ".wheelfs":
        return Directory("private", name, view)
    if not parent.path and name == CACHE_TAG:
        return CacheTag()
    narrower = view.narrower(name)
    if narrower is not None:
        return _view(narrower)
    if view.is_flat and name == PAGE:
        return Page("links")
    return FlatFile(name) if view.is_flat and name.endswith(".whl") and _is_safe(name) else Nothing()


def _view(view: View) -> Directory:
    return Directory("view", view.path, view)


def _project(parent: Directory, name: str) -> Meaning:
    # One directory a project: clients normalize (PEP 503), and a directory cannot have two names.
    try:
        project = parse_project_name(name)
    except InvalidInput:
        return Nothing()
    return Directory("project", _join(parent.path, project), parent.view, project) if project == name else Nothing()


def _project_file(name: str) -> Meaning:
    if not _is_safe(name):
        return Nothing()
    filename = name.removesuffix(METADATA_SUFFIX)
    return ProjectFile(filename, metadata=filename != name)


def _is_safe(name: str) -> bool:
    try:
        check_filename(name)
    except InvalidInput:
        return False
    return True


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
