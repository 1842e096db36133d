"""The files of a share that a user means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wheelfs.model.share_catalog import FileKey, file_key
from wheelfs.service.selection import select
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.stored_files import select_stored

if TYPE_CHECKING:
    from wheelfs.model.shared import SharedFile
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import StoredName

Meant = Sequence[str] | frozenset[FileKey]
"""Words of a user, each of which has to mean a file; or just these files, those that are there."""


def select_to_push(catalog: Catalog, meant: Meant) -> list[StoredName]:
    """Return the stored files that are meant; raises `InvalidInput` and `NotKnown`, and selects nothing then."""
    if not isinstance(meant, frozenset):
        return select_stored(catalog, "push", meant)
    projects = sorted({project for project, _, _ in meant})
    names = (name for project in projects for name in catalog.stored_names(project, replaced=True))
    return [name for name in names if file_key(shared_file(name)) in meant]


def select_shared(files: Sequence[SharedFile], attempted: str, words: Meant, url: str) -> list[SharedFile]:
    """Return those of a share's files that are meant; raises `InvalidInput` and `NotKnown`, and selects nothing then."""
    if isinstance(words, frozenset):
        return [file for file in files if file_key(file) in words]
    by_project: dict[str, list[SharedFile]] = {}
    for file in files:
        by_project.setdefault(file.project, []).append(file)
    return select(
        attempted,
        words,
        lambda name: by_project.get(name.project, []),
        happened=f"no file of the share {url} matches",
        advice="wheelfs pull without names lists all of them",
    )
