"""Which files of mounted environments were opened, by all who ran from them: what is worth having before it is asked for."""

from __future__ import annotations

import logging
import threading
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import StoreDamaged
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.store.catalog import compressed
from wheelfs.store.engine.iteration import key_of, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Future

    import lmdb

    from wheelfs.store.engine.environment import Environment as StoreEnvironment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

log = logging.getLogger(__name__)

PROFILE_DATABASE: Final = "environment-profiles"
MAX_FILES: Final = 20_000
"""Files of one profile: an import of torch and transformers opens 2,800.  What reads more reads all, and profits from none."""
MAX_LEFT: Final = 16
"""Profiles of trees that no label has any more: a lock that is made again begins with what was opened of it."""
_DIGEST_BYTES: Final = 32

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(tuple[str, ...])


class Profiles:
    """Paths below environments by their trees' digests.  `note` collects in memory; `flush` writes what is new, together.

    Methods may be called from any thread; writing returns futures.
    """

    def __init__(self, environment: StoreEnvironment, writer: Writer | ReadOnlyWriter, is_kept: _IsKept) -> None:
        """``environment`` is the catalog's; ``is_kept(transaction, digest)`` tells whether there is such a tree."""
        self._environment = environment
        self._writer = writer
        self._is_kept = is_kept
        self._database = environment.database_if_any(PROFILE_DATABASE)
        self._noted: dict[bytes, set[str]] = {}
        self._lock = threading.Lock()

    def note(self, digest: bytes, path: str) -> None:
        """A file was opened; costs a look into a table."""
        with self._lock:
            noted = self._noted.setdefault(digest, set())
            if len(noted) < MAX_FILES:
                noted.add(path)

    def of(self, digest: bytes) -> tuple[str, ...]:
        """Return the profile of a tree, in order of path."""
        with self._environment.read() as transaction:
            return self.read(transaction, digest)

    def flush(self) -> None:
        """Write what was noted and is new; blocks until it is durable."""
        with self._lock:
            noted, self._noted = self._noted, {}
        for digest, paths in noted.items():
            if not paths <= set(self.of(digest)):
                self.merge(digest, paths).result()

    def merge(self, digest: bytes, paths: Collection[str]) -> Future[None]:
        """Add files to the profile of a tree, as far as there is room for them."""

        def work(transaction: lmdb.Transaction) -> None:
            if self._is_kept(transaction, digest):
                self.add(transaction, digest, paths)

        return self._writer.submit(work)

    def clear(self, digest: bytes) -> Future[None]:
        """Forget the profile of a tree."""

        def work(transaction: lmdb.Transaction) -> None:
            self.drop(transaction, digest)

        return self._writer.submit(work)

    # --- in a transaction of `wheelfs.store.catalog.mounted_environments` ------------------------------------------

    def read(self, transaction: lmdb.Transaction, digest: bytes) -> tuple[str, ...]:
        """Return a profile: nothing where it is damaged, as a run notes it again."""
        packed = None if self._database is None else compressed.get(transaction, self._database, digest)
        if packed is None:
            return ()
        try:
            return _decoder.decode(compressed.unpack(packed))
        except (*DECODE_ERRORS, StoreDamaged) as error:
            log.warning("the profile of the environment %s cannot be read (%s); it begins again", digest.hex(), error)
            return ()

    def add(self, transaction: lmdb.Transaction, digest: bytes, paths: Collection[str]) -> None:
        """Add files to a profile."""
        before = self.read(transaction, digest)
        known = set(before)
        new = islice((path for path in sorted(paths) if path not in known), MAX_FILES - len(before))
        both = sorted([*before, *new])
        assert self._database is not None, "a store that may be written has all databases"
        if len(both) > len(before):
            compressed.put(transaction, self._database, digest, compressed.pack(_encoder.encode(both)))

    def drop(self, transaction: lmdb.Transaction, digest: bytes) -> None:
        """Forget a profile."""
        if self._database is not None:
            compressed.delete(transaction, self._database, digest)

    def leave(self, transaction: lmdb.Transaction, digest: bytes, needed: Collection[bytes]) -> None:
        """Keep the profile of a tree that is no more, and of others that are not ``needed`` no more than there is room for."""
        if self._database is not None:
            known = dict.fromkeys(key[:_DIGEST_BYTES] for key in rows(transaction, self._database, key_of))
            left = [one for one in known if one != digest and one not in needed]
            for one in left[MAX_LEFT - 1 :]:
                self.drop(transaction, one)


if TYPE_CHECKING:
    _IsKept = Callable[[lmdb.Transaction, bytes], bool]
