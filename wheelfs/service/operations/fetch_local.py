"""``wheelfs fetch`` of files that are named by their paths: they are checked and added, as ``wheelfs add`` does it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from wheelfs.core import hashes
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.errors import ContentMismatch, InvalidInput, StoreError, Unresolvable, WheelfsError
from wheelfs.model.names import WheelName, kind_of
from wheelfs.reports.fetch import FetchedFile
from wheelfs.service.operations.add import add_one
from wheelfs.service.operations.add_checks import Source, described, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.progress import Progress
    from wheelfs.service.operations.add_checks import Described
    from wheelfs.service.operations.requirements import LocalFile
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Adds files; ``wanted`` are all requirements of indexes, which the file of a project has to fit, too."""

    store: Store
    wanted: Sequence[Wanted]
    target: Target
    scopes: IndexScopes
    pin: bool
    dry_run: bool
    progress: Progress

    def bring(self, local: LocalFile) -> FetchedFile:
        """Add a file that was asked for by its path, and say what became of it.  Raises `StoreError`."""
        told = FetchedFile(
            wanted=local.asked.text,
            filename=local.path.name,
            project=local.project,
            result="failed",
            origin=LOCAL,
            places=(local.asked.place,) if local.asked.place else (),
        )
        try:
            return self._brought(local, told)
        except StoreError:
            raise
        except WheelfsError as error:
            return replace(told, reason=str(error), error_class=type(error).__name__)

    def _brought(self, local: LocalFile, told: FetchedFile) -> FetchedFile:
        source = Source(local.path, local.path.name, str(local.path))
        sha256, about = self._checked(source, local)
        stored = self._stored(local, sha256)
        if not self.dry_run:
            added = add_one(self.store, source, index=None, scopes=self.scopes, progress=self.progress)
            if added.result == "refused":
                return replace(told, reason=added.reason, error_class=added.error_class)
            if self.pin:
                for name in self._stored(local, sha256):
                    self.store.catalog.set_pinned(name.key, True).result()
        return replace(
            told,
            result="present" if stored else "would-fetch" if self.dry_run else "fetched",
            version=str(about.version),
            sha256=sha256.hex(),
            size_bytes=about.size_bytes,
            missing_bytes=0,
            pinned=self.pin and not self.dry_run,
        )

    def _stored(self, local: LocalFile, sha256: bytes) -> list[StoredName]:
        names = self.store.catalog.stored_names(local.project)
        return [name for name in names if name.filename == local.path.name and name.sha256 == sha256]

    def _checked(self, source: Source, local: LocalFile) -> tuple[bytes, Described]:
        """Return the sha256 of a file and what it says of itself, once it is found to be what is asked for."""
        algorithms = {"sha256", *hashes.algorithms_of(local.asked.hashes)}
        with opened(source) as (descriptor, size_bytes):
            about = described(source, descriptor, size_bytes)
            pieces = hashes.pieces(lambda offset, size: os.pread(descriptor, size, offset), size_bytes, piece_bytes=_READ_BYTES)
            digests = hashes.digests_of(pieces, algorithms)
        wrong = hashes.unasked(local.asked.hashes, digests)
        if wrong is not None:
            raise ContentMismatch(f"fetch {source.filename}", wrong)
        if kind_of(source.filename) == "wheel" and WheelName(source.filename).tags.isdisjoint(self.target.ranks):
            raise InvalidInput(source.attempted, "it is not for this Python and platform")
        for one in self.wanted:
            if one.project == local.project and not one.specifier.contains(about.version, prereleases=True):
                places = f" ({' and '.join(one.places)})" if one.places else ""
                raise Unresolvable(source.attempted, f"{one} is asked for, too{places}, and it is version {about.version}")
        return bytes.fromhex(digests["sha256"]), about
