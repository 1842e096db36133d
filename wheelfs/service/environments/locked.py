"""The files of a lock where all of them are stored: no index is asked for them, so an environment of them needs no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelfs.core.resolve.candidates import NothingFits, choose, link_has_one_of
from wheelfs.model.links import FileLink
from wheelfs.model.names import kind_of, project_and_version
from wheelfs.model.versions import parse_version
from wheelfs.model.wanted import WHEELS_AND_SDISTS
from wheelfs.reports.fetch import FetchedFile
from wheelfs.service.file_refs import link_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.core.views.visibility import ViewFilter
    from wheelfs.model.names import ProjectName
    from wheelfs.model.wanted import Wanted
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store


def stored_files(
    store: Store, locked: Sequence[Wanted], target: Target, *, scopes: IndexScopes, view_filter: ViewFilter
) -> list[FetchedFile] | None:
    """Return the wheels that a lock wants for ``target``, or None unless each is stored and may be taken with no index asked.

    A lock names its files by their hashes, so the same bytes would be taken from any index.  None too for what a share alone
    has named, an index that is not in charge of the name, and what ``view_filter`` hides: indexes have to decide then.
    """
    found: dict[str, FetchedFile] = {}
    for one in locked:
        name = _stored(store, one, target, scopes, view_filter)
        if name is None:
            return None
        told = project_and_version(name.filename, name.project)
        found.setdefault(
            name.filename,
            FetchedFile(
                wanted=str(one),
                result="present",
                project=name.project,
                filename=name.filename,
                version=None if told is None else str(told[1]),
                sha256=name.sha256.hex(),
                size_bytes=name.size_bytes,
                missing_bytes=0,
                origin=name.index,
                places=one.places,
            ),
        )
    return list(found.values())


def added(
    store: Store, wanted: Wanted, target: Target, *, scopes: IndexScopes, view_filter: ViewFilter, builds: bool
) -> Wanted | None:
    """Return what a user has added of what a lock names and no index has; None where that is nothing.

    It is ``wanted`` itself where that file is stored, and with ``builds`` what `built` returns before that.
    """
    best = _best(wanted, target)
    instead = built(store, wanted, target, scopes=scopes, view_filter=view_filter) if builds else None
    if instead is not None or not isinstance(best, FileLink):
        return instead
    names = _shown(store, wanted.project, scopes, view_filter)
    right = [name for name, link in names if name.filename == best.filename and link_has_one_of(link, wanted.hashes)]
    return wanted if any(store.holds(name.sha256) for name in right) else None


def built(store: Store, wanted: Wanted, target: Target, *, scopes: IndexScopes, view_filter: ViewFilter) -> Wanted | None:
    """Return the wheel of its very version that a user has added, in place of an sdist or of what a lock names no file of.

    None where there is none, and where a wheel is the best of the files that the lock names, or none of them can be used.
    """
    best = _best(wanted, target)
    if isinstance(best, NothingFits) or (best is not None and kind_of(best.filename) != "sdist"):
        return None
    told = None if best is None else project_and_version(best.filename, wanted.project)
    version = next((parse_version(one.version) for one in wanted.specifier), None if told is None else told[1])
    links = {
        name.filename: link
        for name, link in _shown(store, wanted.project, scopes, view_filter)
        if name.private and store.holds(name.sha256) and project_and_version(name.filename) == (wanted.project, version)
    }
    of_wheels = replace(wanted, hashes=frozenset(), filenames=frozenset(links), kinds=frozenset(("wheel",)))
    found = choose(of_wheels, links.values(), target)
    if isinstance(found, NothingFits) or found.sha256 is None:
        return None
    hashes, filenames = frozenset((f"sha256:{found.sha256.hex()}",)), frozenset((found.filename,))
    return replace(wanted, hashes=hashes, filenames=filenames, kinds=WHEELS_AND_SDISTS)


def _best(wanted: Wanted, target: Target) -> FileLink | NothingFits | None:
    """Return the best of the files that a lock names, whatever their hashes are; None where no name tells a version."""
    links = [FileLink(name, "") for name in sorted(wanted.filenames) if project_and_version(name, wanted.project) is not None]
    return choose(replace(wanted, hashes=frozenset(), kinds=WHEELS_AND_SDISTS), links, target) if links else None


def _stored(store: Store, wanted: Wanted, target: Target, scopes: IndexScopes, view_filter: ViewFilter) -> StoredName | None:
    """Return the stored wheel that is the best of those that a lock names; None where another one is, or it may not be taken."""
    links = {filename: FileLink(filename, "") for filename in wanted.filenames}
    names: dict[str, StoredName] = {}
    for name, link in _shown(store, wanted.project, scopes, view_filter):
        if name.filename in links and link_has_one_of(link, wanted.hashes):
            links[name.filename] = link
            names[name.filename] = name
    best = choose(wanted, links.values(), target)
    found = None if isinstance(best, NothingFits) else names.get(best.filename)
    return found if found is not None and kind_of(found.filename) == "wheel" and store.holds(found.sha256) else None


def _shown(
    store: Store, project: ProjectName, scopes: IndexScopes, view_filter: ViewFilter
) -> Iterator[tuple[StoredName, FileLink]]:
    """Yield the stored files of a project that may be taken with no index asked."""
    for name in store.catalog.stored_names(project):
        link = link_of(name)
        if name.of_share or not scopes.may_show(name.project, name.index):
            continue
        if view_filter.hides(link, origin=name.index, is_stored=True, is_private=name.private) is None:
            yield name, link
