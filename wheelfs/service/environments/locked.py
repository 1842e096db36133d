"""The files of a lock where all of them are stored: no index is asked for them, so an environment of them needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.resolve.candidates import NothingFits, choose, link_has_one_of
from wheelfs.model.links import FileLink
from wheelfs.model.names import kind_of, project_and_version
from wheelfs.reports.fetch import FetchedFile
from wheelfs.service.file_refs import link_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.core.views.visibility import ViewFilter
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
        told = project_and_version(name.filename)
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


def _stored(store: Store, wanted: Wanted, target: Target, scopes: IndexScopes, view_filter: ViewFilter) -> StoredName | None:
    """Return the stored wheel that is the best of those that a lock names; None where another one is, or it may not be taken."""
    links = {filename: FileLink(filename, "") for filename in wanted.filenames}
    names: dict[str, StoredName] = {}
    for name in store.catalog.stored_names(wanted.project):
        link = link_of(name)
        if name.filename in links and link_has_one_of(link, wanted.hashes) and _may_be_taken(name, link, scopes, view_filter):
            links[name.filename] = link
            names[name.filename] = name
    best = choose(wanted, links.values(), target)
    found = None if isinstance(best, NothingFits) else names.get(best.filename)
    return found if found is not None and kind_of(found.filename) == "wheel" and store.holds(found.sha256) else None


def _may_be_taken(name: StoredName, link: FileLink, scopes: IndexScopes, view_filter: ViewFilter) -> bool:
    if name.of_share or not scopes.may_show(name.project, name.index):
        return False
    return view_filter.hides(link, origin=name.index, is_stored=True, is_private=name.private) is None
