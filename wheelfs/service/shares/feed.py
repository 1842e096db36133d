"""Serves peers: a paged change feed of what is sealed, files by sha256, and manifests, which say how files are made.

A cursor is opaque to peers: ``j:STORE:SEQ`` (all changes up to SEQ are known) or ``c:STORE:SEQ:KEY`` (in the middle of a full
resync: the catalog up to KEY is known, and changes after SEQ are still to come).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheelfs.errors import NotKnown
from wheelfs.model.links import description_of
from wheelfs.model.manifest import Manifest
from wheelfs.model.names import ProjectName
from wheelfs.model.shared import FeedPage, SharedFile
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.shares.limits import SHARE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.service.shares.limits import FeedLimits
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

_SINCE: Final = re.compile(r"j:([0-9a-f]{1,64}):([0-9]{1,18})\Z", re.ASCII)
_WITHIN: Final = re.compile(r"c:([0-9a-f]{1,64}):([0-9]{1,18}):((?:[0-9a-f]{2}){1,511})\Z", re.ASCII)


class ShareFeed:
    """Answers peers from the store, and with what is being fetched."""

    def __init__(
        self,
        store: Store,
        on_its_way: Callable[[bytes], tuple[FileRef, int] | None] = lambda _: None,
        *,
        limits: FeedLimits = SHARE_LIMITS.feed,
    ) -> None:
        """Serve what is in ``store``; ``on_its_way`` returns a file that is being fetched, by its sha256, with its size."""
        self._limits = limits
        self._on_its_way = on_its_way
        self._catalog = store.catalog
        self._store = store
        # Numbers of one store mean nothing in another one, which may be at the same address tomorrow.
        self._name = store.identity

    def file(self, sha256: bytes) -> tuple[FileRef, int] | None:
        """Return a file by its sha256 and its size: a stored one, or one that is being fetched from its index; else None."""
        names = self._catalog.names_of(sha256) if self._store.holds(sha256) else []
        if not names:
            return self._on_its_way(sha256)
        ref = FileRef(ProjectName(names[0].project), names[0].index, link_of(names[0]))
        return ref, names[0].size_bytes

    def manifest(self, sha256: bytes) -> bytes | None:
        """Return how a stored file is made, encoded, or None; blocks.  Raises `StoreDamaged`."""
        if not self._store.holds(sha256):
            return None
        try:
            with self._store.reading(sha256) as sealed:
                recipe = sealed.recipe
                frame = b"".join(map(self._store.chunks.read, recipe.skeleton.extents))
        except NotKnown:  # removed a moment ago
            return None
        return Manifest(
            skeleton_bytes=recipe.skeleton_bytes,
            frame=frame,
            gaps=recipe.gaps,
            lengths=recipe.data.lengths,
            digests=recipe.data.digests,
        ).encode()

    def check(self) -> None:
        """Raise `StoreError` where the store cannot be read."""
        self._store.catalog.names_of(bytes(32))

    def events(self, cursor: str | None) -> FeedPage:
        """Return what has changed since ``cursor``; where that is not known, a page of a full resync."""
        since, within = _SINCE.match(cursor or ""), _WITHIN.match(cursor or "")
        if since is not None and since[1] == self._name:
            known = self._since(int(since[2]))
            if known is not None:
                return known
        if within is not None and within[1] == self._name:
            return self._catalogued(int(within[2]), bytes.fromhex(within[3]))
        # The number first: what changes while the catalog is read is repeated afterwards.
        return self._catalogued(self._catalog.last_seq(), None)

    def _since(self, seq: int) -> FeedPage | None:
        changes = self._catalog.changes_since(seq, self._limits.names)
        if not changes.complete:
            return None
        files: dict[tuple[str, str, bytes], SharedFile] = {}
        gone: dict[tuple[str, str, bytes], None] = {}
        size_bytes = 0
        for change in changes.changes:
            seq += 1
            if change.sha256 is None:
                continue
            assert change.filename is not None
            key = change.project, change.filename, change.sha256
            if key in files or key in gone:
                continue  # a name that came and went is reported once, as it is now
            name = next((one for one in self._catalog.names_of(change.sha256) if (one.project, one.filename) == key[:2]), None)
            if name is not None and name.replaced is None and self._store.holds(change.sha256):
                files[key] = shared_file(name)
                size_bytes += _weight_bytes(name)
            else:
                gone[key] = None
            if size_bytes >= self._limits.size_bytes:
                break
        return FeedPage(tuple(files.values()), tuple(gone), f"j:{self._name}:{seq}", more=seq < changes.last_seq)

    def _catalogued(self, seq: int, after: bytes | None) -> FeedPage:
        names = self._catalog.names(after, batch=self._limits.names)
        files: list[SharedFile] = []
        size_bytes = 0
        for number, name in enumerate(names, 1):
            if self._store.holds(name.sha256):
                files.append(shared_file(name))
                size_bytes += _weight_bytes(name)
            if number == self._limits.names or size_bytes >= self._limits.size_bytes:
                return FeedPage(
                    tuple(files),
                    (),
                    f"c:{self._name}:{seq}:{name.key.hex()}",
                    more=True,
                    is_resync=True,
                    starts_resync=after is None,
                )
        return FeedPage(tuple(files), (), f"j:{self._name}:{seq}", is_resync=True, starts_resync=after is None)


def _weight_bytes(name: StoredName) -> int:
    """Return about how long a name is when it is encoded: a page may give any reason for yanking a file."""
    return 200 + len(name.url or "") + len(name.yanked or "") + len(name.requires_python or "")


def shared_file(name: StoredName) -> SharedFile:
    """Return a stored name as other nodes get it."""
    return SharedFile(
        project=name.project,
        filename=name.filename,
        index=name.index,
        sha256=name.sha256,
        size_bytes=name.size_bytes,
        private=name.private,
        url=name.url,
        repacked=name.repacked,
        **description_of(name),
    )
