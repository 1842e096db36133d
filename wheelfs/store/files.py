"""The files of an open store: catalog, chunks, spool and leases in one directory.  They decide nothing."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple, Self

from wheelfs.errors import StoreDamaged
from wheelfs.store.catalog.catalog import CATALOG_DATABASES, Catalog
from wheelfs.store.catalog.mounted_environments import ENVIRONMENT_DATABASES, MountedEnvironments
from wheelfs.store.catalog.shared_names import SHARED_DATABASES, SharedNames
from wheelfs.store.chunks.chunk_store import CHUNK_DATABASES, ChunkStore
from wheelfs.store.coordination.leases import Leases
from wheelfs.store.engine.environment import store_error
from wheelfs.store.engine.reserve import Reserve
from wheelfs.store.engine.structure import START_ANEW
from wheelfs.store.engine.writer import open_writer
from wheelfs.store.limits import TUNING
from wheelfs.store.spool.inflated import InflatedFiles
from wheelfs.store.spool.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from wheelfs.store.directory import StoreDirectory
    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer
    from wheelfs.store.limits import Tuning


class Usage(NamedTuple):
    """Room taken, in bytes: both environments' files and the spool on disk; and ``raw_bytes``, the stored files' sizes summed."""

    catalog_bytes: int
    chunks_bytes: int
    spool_bytes: int
    raw_bytes: int


class StoreFiles:
    """What a store consists of.  Methods may be called from any thread."""

    def __init__(self, directory: StoreDirectory, tuning: Tuning = TUNING, *, quota_bytes: int | None = None) -> None:
        """Open what is in ``directory`` and take it over.

        Raises what `StoreDirectory.open_environment` does, and `StoreDamaged` when the chunks do not belong to the catalog.
        """
        self.directory = directory
        self.tuning = tuning
        self._writers: list[Writer | ReadOnlyWriter] = []
        self.reserve = Reserve(directory.path / "reserve")
        self.leases = Leases(None if directory.readonly else directory.run, self.reserve)
        try:
            catalog = directory.open_environment(
                "catalog", (*CATALOG_DATABASES, *SHARED_DATABASES, *ENVIRONMENT_DATABASES), writer_lock_s=tuning.writer_lock_s
            )
            chunks = directory.open_environment("chunks", CHUNK_DATABASES, writer_lock_s=tuning.writer_lock_s)
            self.environments = catalog, chunks
            writer = self._writer(catalog)
            self.catalog = Catalog(catalog, writer)
            self.shared = SharedNames(catalog, writer)
            self.mounted = MountedEnvironments(catalog, writer)
            self.chunks = ChunkStore(chunks, self._writer(chunks), tuning.read)
            self._refuse_older_chunks()
        except BaseException:
            self.close()
            raise
        self.spool = Spool(directory.spool, is_stored=self.holds)
        self.inflated = InflatedFiles(directory.spool, quota_bytes)

    @property
    def path(self) -> Path:
        """The store's directory."""
        return self.directory.path

    @property
    def identity(self) -> str:
        """A word that no other store has, nor a later one at the same path."""
        inode = (self.directory.path / "format").stat().st_ino
        return hashlib.blake2b(f"{self.directory.format.created} {inode}".encode(), digest_size=8).hexdigest()

    @property
    def run_directory(self) -> Path:
        """Where the control sockets of the processes on this store are."""
        return self.directory.run

    def holds(self, sha256: bytes) -> bool:
        """Tell whether content is stored and may be served."""
        content = self.catalog.content(sha256)
        return content is not None and content.poisoned is None

    def holds_all(self, contents: Iterable[bytes]) -> bool:
        """Tell whether all of these are stored and may be served."""
        return all(self.holds(sha256) for sha256 in contents)

    def mounted_states(self) -> dict[str, bool]:
        """Return the names of all environments, and whether all their wheels are stored."""
        return {label.name: self.holds_all(label.contents) for label in self.mounted.labels()}

    # --- sizes ---------------------------------------------------------------------------------------------------------

    def usage(self) -> Usage:
        """Return how much room the store takes; looks at every partial file, but at no stored one."""
        catalog, chunks = map(_file_bytes, self.environments)
        return Usage(catalog, chunks, self.spool.usage_bytes() + self.inflated.kept_bytes, self.catalog.counts().raw_bytes)

    def used_bytes(self) -> int:
        """Return how much of both environments' files is in use; freed pages inside them are not counted."""
        return sum(environment.used_bytes() for environment in self.environments)

    def file_bytes(self) -> int:
        """Return what the files of both environments take on disk, freed pages included."""
        return sum(map(_file_bytes, self.environments))

    def catalog_bytes(self) -> int:
        """Return what the file of the catalog takes on disk."""
        return _file_bytes(self.environments[0])

    def disk_space(self) -> tuple[int, int]:
        """Return the size of the store's file system and what is free on it for unprivileged users, in bytes."""
        try:
            status = os.statvfs(self.path)
        except OSError as error:
            raise store_error(f"look at store {self.path}", error) from error
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize

    # --- upkeep --------------------------------------------------------------------------------------------------------

    def release_mapping(self) -> None:
        """Give the pages that were read back to the kernel's cache, out of this process' resident memory."""
        for environment in self.environments:
            environment.release_mapping()

    def check_readers(self) -> int:
        """Free the reader slots of dead processes, and return how many; to be called about every minute."""
        return sum(environment.check_readers() for environment in self.environments)

    def close(self) -> None:
        """Commit what is queued, then close.  Every reader must have ended.  Safe to call twice."""
        while self._writers:
            self._writers.pop().close()
        self.leases.close()
        self.directory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _refuse_older_chunks(self) -> None:
        """Raise `StoreDamaged` when the chunks are older than the catalog.

        New blocks would get numbers that recipes already name, and those recipes would read the new blocks' bytes.
        """
        # The catalog first: a concurrent sealer writes blocks before it references them.
        if self.catalog.blocks_below() > self.chunks.next_block():
            happened = "its chunks are older than its catalog; was one replaced, or restored from a copy, without the other?"
            raise StoreDamaged(f"open store {self.path}", happened, START_ANEW)

    def _writer(self, environment: Environment) -> Writer | ReadOnlyWriter:
        writer = open_writer(environment, self.reserve)
        self._writers.append(writer)
        return writer


def _file_bytes(environment: Environment) -> int:
    """Return what the environment's file takes on disk."""
    return (environment.path / "data.mdb").stat().st_blocks * 512
