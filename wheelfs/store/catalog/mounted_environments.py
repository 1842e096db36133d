"""Mounted environments: labels, the trees that they name, and bytecode of their modules."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from wheelfs.core.environments.profile import profiled_members
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.environment import Environment, EnvironmentLabel, modules, own_modules
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.profiles import PROFILE_DATABASE, Profiles
from wheelfs.store.engine.iteration import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import lmdb

    from wheelfs.store.engine.environment import Environment as StoreEnvironment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

ENVIRONMENT_DATABASES: Final = ("environments", "environment-trees", "bytecode", PROFILE_DATABASE)

_encoder: Final = msgspec.msgpack.Encoder()
_label_decoder: Final = msgspec.msgpack.Decoder(EnvironmentLabel)
_tree_decoder: Final = msgspec.msgpack.Decoder(Environment)


def encoded(tree: Environment) -> tuple[bytes, bytes]:
    """Return an environment's digest and its encoding."""
    encoding = _encoder.encode(tree)
    return hashlib.sha256(encoding).digest(), encoding


def bytecode_key(source_sha256: bytes, magic: bytes) -> bytes:
    """Return the key of the code that an interpreter of that magic number made of a source."""
    return source_sha256 + magic


class MountedEnvironments:
    """Labels by name, trees by digest, and ``.pyc`` files by `bytecode_key`, each a zstd frame with a checksum.

    Trees and bytecode are kept as long as a label needs them, and `profiles` of some trees longer.  Methods may be called from
    any thread; writing returns futures.
    """

    def __init__(self, environment: StoreEnvironment, writer: Writer | ReadOnlyWriter) -> None:
        """``environment`` is the catalog's."""
        self._environment = environment
        self._writer = writer
        # None in a store of an older build that may not be written: it has none.
        self._labels = environment.database_if_any("environments")
        self._trees = environment.database_if_any("environment-trees")
        self._bytecode = environment.database_if_any("bytecode")
        self.profiles = Profiles(environment, writer, self._has_tree)

    def label(self, name: str) -> EnvironmentLabel | None:
        """Return the label of that name."""
        with self._environment.read() as transaction:
            return self._label(transaction, name)

    def labels(self) -> list[EnvironmentLabel]:
        """Return all labels, in order of name."""
        with self._environment.read() as transaction:
            return self._all_labels(transaction)

    def contents(self) -> set[bytes]:
        """Return the sha256 of all wheels that environments need: they are kept like pinned ones."""
        return {sha256 for label in self.labels() for sha256 in label.contents}

    def tree(self, digest: bytes) -> Environment | None:
        """Return what an environment is made of."""
        with self._environment.read() as transaction:
            return self._tree(transaction, digest)

    def has_tree(self, digest: bytes) -> bool:
        """Return whether `tree` has one; decodes nothing."""
        with self._environment.read() as transaction:
            return self._has_tree(transaction, digest)

    def bytecode(self, key: bytes) -> bytes | None:
        """Return a ``.pyc`` file."""
        if self._bytecode is None:
            return None
        with self._environment.read() as transaction:
            frame = compressed.get(transaction, self._bytecode, key)
        return None if frame is None else compressed.unpack(frame)

    def bytecode_sizes(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Return the sizes in bytes of those ``.pyc`` files that are there, by key."""
        found: dict[bytes, int] = {}
        if self._bytecode is None:
            return found
        with self._environment.read() as transaction:
            for key in keys:
                first = compressed.first_part(transaction, self._bytecode, key)
                if first is not None:
                    found[key] = _unpacked_size(first)
        return found

    def bytecode_count(self) -> int:
        """Return a number that differs after bytecode has come; cheap."""
        if self._bytecode is None:
            return 0
        with self._environment.read() as transaction:
            return int(transaction.stat(self._bytecode)["entries"])

    def put(self, label: EnvironmentLabel, encoding: bytes) -> Future[EnvironmentLabel | None]:
        """Write a label and its tree, `encoded`; the future has the label that had the name before.

        What was opened of the tree before is likely to be opened of this one.
        """
        packed = None if self.has_tree(label.digest) else compressed.pack(encoding)

        def work(transaction: lmdb.Transaction) -> EnvironmentLabel | None:
            before = self._label(transaction, label.name)
            if not self._has_tree(transaction, label.digest):  # it may be gone since
                compressed.put(transaction, _open(self._trees), label.digest, packed or compressed.pack(encoding))
            transaction.put(label.name.encode(), _encoder.encode(label), db=_open(self._labels))
            if before is not None and before.digest != label.digest:
                tree = _tree_decoder.decode(encoding)
                opened = profiled_members(tree, self.profiles.read(transaction, before.digest), ())
                self.profiles.add(transaction, label.digest, {member.path for member in opened})
            self._drop_unneeded(transaction, before)
            return before

        return self._writer.submit(work)

    def put_bytecode(self, files: Mapping[bytes, bytes]) -> Future[None]:
        """Write ``.pyc`` files by key."""
        frames = {key: compressed.pack(content) for key, content in files.items()}

        def work(transaction: lmdb.Transaction) -> None:
            for key, frame in frames.items():
                compressed.put(transaction, _open(self._bytecode), key, frame)

        return self._writer.submit(work)

    def remove(self, name: str) -> Future[bool]:
        """Remove a label, and what only it needed; the future tells whether it was there."""

        def work(transaction: lmdb.Transaction) -> bool:
            before = self._label(transaction, name)
            if before is None:
                return False
            transaction.delete(name.encode(), db=_open(self._labels))
            self._drop_unneeded(transaction, before)
            return True

        return self._writer.submit(work)

    def _label(self, transaction: lmdb.Transaction, name: str) -> EnvironmentLabel | None:
        key = name.encode()
        known = self._labels is not None and len(key) <= compressed.MAX_KEY_BYTES
        found = transaction.get(key, db=self._labels) if known else None
        return None if found is None else _decoded_label(key, found)

    def _all_labels(self, transaction: lmdb.Transaction) -> list[EnvironmentLabel]:
        return [] if self._labels is None else rows(transaction, self._labels, _decoded_label)

    def _tree(self, transaction: lmdb.Transaction, digest: bytes) -> Environment | None:
        packed = None if self._trees is None else compressed.get(transaction, self._trees, digest)
        if packed is None:
            return None
        try:
            return _tree_decoder.decode(compressed.unpack(packed))
        except DECODE_ERRORS as error:
            raise compressed.damaged(f"the environment {digest.hex()} cannot be read ({error})") from error

    def _has_tree(self, transaction: lmdb.Transaction, digest: bytes) -> bool:
        return self._trees is not None and compressed.first_part(transaction, self._trees, digest) is not None

    def _drop_unneeded(self, transaction: lmdb.Transaction, before: EnvironmentLabel | None) -> None:
        """Remove the tree of a label that is no more, unless another label has it, and the bytecode that no tree needs."""
        digests = {label.digest for label in self._all_labels(transaction)}
        if before is None or before.digest in digests:
            return
        gone = self._tree(transaction, before.digest)
        compressed.delete(transaction, _open(self._trees), before.digest)
        self.profiles.leave(transaction, before.digest, digests)
        trees = (self._tree(transaction, digest) for digest in digests)
        needed = {key for tree in trees if tree is not None for key in bytecode_keys(tree)}
        for key in set() if gone is None else set(bytecode_keys(gone)) - needed:
            compressed.delete(transaction, _open(self._bytecode), key)


def bytecode_keys(tree: Environment) -> Iterator[bytes]:
    """Yield the keys of the bytecode that an environment may have."""
    magic = tree.interpreter.magic
    own = (bytecode_key(sha256, magic) for _, sha256, _ in own_modules(tree))
    return chain((bytecode_key(member.sha256, magic) for member in modules(tree)), own)


def _open(database: lmdb._Database | None) -> lmdb._Database:
    assert database is not None, "a store that may be written has all databases"
    return database


def _unpacked_size(frame: bytes | memoryview) -> int:
    try:
        return zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise compressed.damaged(f"bytecode cannot be read ({error})") from error


def _decoded_label(key: bytes, value: bytes | memoryview) -> EnvironmentLabel:
    try:
        return _label_decoder.decode(value)
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"the environment {key!r} cannot be read ({error})") from error
