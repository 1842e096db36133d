"""Mounted environments: labels, the trees that they name, and bytecode of their modules."""

from __future__ import annotations

import hashlib
import logging
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from wheelfs.core.environments.profile import profiled_members
from wheelfs.errors import StoreDamaged
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.environment import Environment, EnvironmentLabel, modules, own_modules
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.profiles import PROFILE_DATABASE, Profiles
from wheelfs.store.engine.iteration import key_of, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import lmdb

    from wheelfs.store.engine.environment import Environment as StoreEnvironment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

log = logging.getLogger(__name__)

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
    any thread; writing returns futures.  What is damaged of one environment hinders no other one, and is replaced when
    that is made again.
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
        self._reported: set[str] = set()

    def label(self, name: str) -> EnvironmentLabel | None:
        """Return the label of that name; raises `StoreDamaged`."""
        with self._environment.read() as transaction:
            return self._label(transaction, name)

    def has_label(self, name: str) -> bool:
        """Return whether there is a label of that name, even a damaged one."""
        with self._environment.read() as transaction:
            return self._encoded_label(transaction, name) is not None

    def labels(self) -> list[EnvironmentLabel]:
        """Return all labels that can be read, in order of name; others are logged once."""
        with self._environment.read() as transaction:
            found = self._all_labels(transaction)
        for error in (one for one in found if isinstance(one, StoreDamaged)):
            if str(error) not in self._reported:
                self._reported.add(str(error))
                log.warning("%s", error)
        return [one for one in found if isinstance(one, EnvironmentLabel)]

    def contents(self) -> dict[bytes, str]:
        """Return the sha256 of all wheels that environments need, with the name of one: they are kept like pinned ones.

        Raises `StoreDamaged` where a label cannot be read: what it needs is not known.
        """
        with self._environment.read() as transaction:
            labels = self._all_labels(transaction)
        for damage in (one for one in labels if isinstance(one, StoreDamaged)):
            raise damage
        return {sha256: label.name for label in labels if isinstance(label, EnvironmentLabel) for sha256 in label.contents}

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each environment that is damaged, and what is wrong with it."""
        with self._environment.read() as transaction:
            names = [] if self._labels is None else [key.decode() for key in rows(transaction, self._labels, key_of)]
        for name in names:
            try:
                with self._environment.read() as transaction:
                    label = self._label(transaction, name)
                    tree = None if label is None else self._tree(transaction, label.digest)
            except StoreDamaged as error:
                yield name, error.happened
            else:
                if label is not None and (tree is None or {one.sha256 for one in tree.wheels} != {*label.contents}):
                    yield name, f"the environment {name} is not what was written"

    def tree(self, digest: bytes) -> Environment | None:
        """Return what an environment is made of; raises `StoreDamaged`."""
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
        """Return the sizes in bytes of those ``.pyc`` files that are there, by key; what is damaged is compiled once more."""
        found: dict[bytes, int] = {}
        if self._bytecode is None:
            return found
        with self._environment.read() as transaction:
            for key in keys:
                first = compressed.first_part(transaction, self._bytecode, key)
                if first is not None and (size_bytes := _unpacked_size(first)) is not None:
                    found[key] = size_bytes
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
        packed = compressed.pack(encoding)

        def work(transaction: lmdb.Transaction) -> EnvironmentLabel | None:
            before = self._readable_label(transaction, label.name)
            if compressed.get(transaction, _open(self._trees), label.digest) != packed:
                compressed.put(transaction, _open(self._trees), label.digest, packed)
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
            before = self._readable_label(transaction, name)
            was_there = transaction.delete(name.encode(), db=_open(self._labels))
            self._drop_unneeded(transaction, before)
            return was_there

        return self._writer.submit(work)

    def _encoded_label(self, transaction: lmdb.Transaction, name: str) -> bytes | memoryview | None:
        key = name.encode()
        known = self._labels is not None and len(key) <= compressed.MAX_KEY_BYTES
        return transaction.get(key, db=self._labels) if known else None

    def _label(self, transaction: lmdb.Transaction, name: str) -> EnvironmentLabel | None:
        found = self._encoded_label(transaction, name)
        label = None if found is None else _decoded_label(name.encode(), found)
        if isinstance(label, StoreDamaged):
            raise label
        return label

    def _readable_label(self, transaction: lmdb.Transaction, name: str) -> EnvironmentLabel | None:
        try:
            return self._label(transaction, name)
        except StoreDamaged:
            return None

    def _all_labels(self, transaction: lmdb.Transaction) -> list[EnvironmentLabel | StoreDamaged]:
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
        """Remove the tree of a label that is no more, unless another label has it, and the bytecode that no tree needs.

        Nothing goes that something damaged may need.
        """
        labels = self._all_labels(transaction)
        digests = {label.digest for label in labels if isinstance(label, EnvironmentLabel)}
        if before is None or before.digest in digests or any(isinstance(label, StoreDamaged) for label in labels):
            return
        try:
            gone = self._tree(transaction, before.digest)
            trees = [self._tree(transaction, digest) for digest in digests]
        except StoreDamaged:
            gone, trees = None, []
        compressed.delete(transaction, _open(self._trees), before.digest)
        self.profiles.leave(transaction, before.digest, digests)
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


def _unpacked_size(frame: bytes | memoryview) -> int | None:
    try:
        size_bytes = zstandard.frame_content_size(frame)
    except zstandard.ZstdError:
        return None
    return size_bytes if size_bytes >= 0 else None


def mend_of(name: str) -> str:
    """Return what can be done about an environment that is damaged."""
    return f"make it again (wheelfs env create {name} ...) or remove it (wheelfs env rm {name})"


def _decoded_label(key: bytes, value: bytes | memoryview) -> EnvironmentLabel | StoreDamaged:
    attempted, name = "read the catalog", key.decode("utf-8", "replace")
    advice = mend_of(name)
    try:
        label = _label_decoder.decode(value)
    except DECODE_ERRORS as error:
        return StoreDamaged(attempted, f"the environment {name} cannot be read ({error})", advice)
    return label if label.name == name else StoreDamaged(attempted, f"the environment {name} calls itself another", advice)
