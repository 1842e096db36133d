"""What is known of a project's files besides the pages of its indexes: stored ones, and those that shares report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.projects.ownership import LOCAL, SHARE, NoAnswer, StoredFile
from wheelfs.errors import OriginUnreachable
from wheelfs.service.file_refs import link_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.service.shares.follower import ShareFollower
    from wheelfs.store.catalog.catalog import Catalog


class KnownFiles:
    """Gives `wheelfs.core.projects.ownership` what it decides about."""

    def __init__(self, *, catalog: Catalog, follower: ShareFollower, scopes: IndexScopes) -> None:
        """``scopes`` are those of the configured indexes and shares."""
        self._catalog = catalog
        self._follower = follower
        self._scopes = scopes

    def of(self, project: str, index: str | None) -> list[StoredFile]:
        """Return the files of a project; with ``index`` only those that belong to that one."""
        files = [*self._stored(project), *self._shared(project)]
        return files if index is None else [file for file in files if file.belongs_to(index)]

    def _stored(self, project: str) -> Iterator[StoredFile]:
        for name in self._catalog.stored_names(project):
            if name.of_share:
                origin, may_own = self.origin_of(name.index), self._scopes.may_own_stored(project)
                yield StoredFile(origin, link_of(name), name.private, of_share=True, listed_by=name.also, may_own=may_own)
            else:
                yield StoredFile(name.index, link_of(name), name.private)
                yield from (StoredFile(origin, link_of(name)) for origin in name.also)

    def _shared(self, project: str) -> Iterator[StoredFile]:
        names = self._follower.of(project)
        if not names:
            return
        naming = self._scopes.naming_shares(project)
        found: dict[tuple[str, bytes], StoredFile] = {}
        for name in names:
            key = name.file.filename, name.file.sha256
            before = found.get(key)
            found[key] = StoredFile(
                self.origin_of(name.file.index) if before is None else before.origin,
                link_of(name.file) if before is None else before.link,
                name.file.private,
                of_share=True,
                listed_by=name.listed_by if before is None else (*before.listed_by, *name.listed_by),
                may_own=name.share in naming or (before is not None and before.may_own),
            )
        here = {(name.filename, name.sha256) for name in self._catalog.stored_names(project)}
        yield from (file for key, file in found.items() if key not in here)

    def origin_of(self, index: str) -> str:
        """Return the origin of a file that a share reports as of ``index``: a configured one has not said so itself."""
        return SHARE if index == LOCAL or index in self._scopes.names else index

    def silence_of_shares(self, project: str) -> NoAnswer | None:
        """Return why nothing can be said of a name that is tied to shares alone, while none of them was ever read."""
        shares = self._scopes.tied_shares(project)
        if self._scopes.tied_to(project) != "share" or self._follower.has_read(shares):
            return None
        return NoAnswer(SHARE, OriginUnreachable(f"look up {project} on {', '.join(shares)}", "the share was not read yet"))
