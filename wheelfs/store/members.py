"""Which members of stored wheels are here: by what a ZIP's directory says of them, to their chunks.

An entry is a hint for delta fetching, never the truth: it holds beginnings of chunk digests, which are looked up in the index
when it is used.  So chunks may move and go as if it were not there, and an entry that leads nowhere means that nothing is known.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.delta import Likeness
from wheelfs.model.recipe import DIGEST_BYTES, Extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    import lmdb

    from wheelfs.core.zip_layout import Member
    from wheelfs.model.recipe import ChunkList
    from wheelfs.store.env import Environment
    from wheelfs.store.writer import Writer

_KEY: Final = struct.Struct(">LLHL")
"""CRC-32, size, method, compressed size: in this order members of one content lie side by side, however they were packed."""
_CONTENT_BYTES: Final = 10
_PREFIX_BYTES: Final = 8
"""Enough of a digest: one that belongs to another chunk would be one more wrong assumption, which the sha256 tells."""
_PLACE: Final = struct.Struct(">QLL")
_FULL32: Final = 0xFFFFFFFF
_BATCH: Final = 2_000
"""Entries written in one transaction: as many pages at most."""
_SWEPT: Final = 10_000
"""Entries looked at in one transaction: some ten milliseconds."""


class Stored(NamedTuple):
    """What is known of a member; for `Likeness.SAME` the extents of its data, in order."""

    likeness: Likeness
    extents: tuple[Extent, ...] = ()


_UNKNOWN: Final = Stored(Likeness.UNKNOWN)
_OTHER_ENCODER: Final = Stored(Likeness.OTHER_ENCODER)


class MemberIndex:
    """The ``members`` database of the chunks environment."""

    def __init__(self, environment: Environment, writing: Callable[[], Writer]) -> None:
        """``writing`` gives the environment's writer; it raises when the store is read-only."""
        self._environment = environment
        self._writing = writing
        self._members = environment.database("members")
        self._index = environment.database("index")

    def note(self, members: Sequence[Member], chunks: ChunkList) -> list[Future[None]]:
        """Remember the members of a verified file, whose data ``chunks`` are; later ones replace earlier ones."""
        rows = list(_rows(members, chunks))
        return [self._note(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]

    def _note(self, rows: Sequence[tuple[bytes, bytes]]) -> Future[None]:
        def work(transaction: lmdb.Transaction) -> None:
            for key, value in rows:
                if transaction.get(key, db=self._members) != value:  # most are there: their pages stay clean
                    transaction.put(key, value, db=self._members)

        return self._writing().submit(work, weight_bytes=1024 * len(rows))

    def find(self, members: Sequence[Member]) -> list[Stored]:
        """Return what is known of each member; some microseconds each, so call it in a worker thread for a whole wheel."""
        with self._cursors() as (cursor, index):
            return [_find(member, cursor, index) for member in members]

    def sweep(self) -> int:
        """Delete the entries that lead nowhere, and return how many: what a collection leaves behind."""
        swept = 0
        after = b""
        while True:
            gone: list[bytes] = []
            looked_at = 0
            with self._cursors() as (cursor, index):
                more = cursor.set_range(after) if after else cursor.first()
                while more and looked_at < _SWEPT:
                    if any(_place(index, prefix) is None for prefix in _prefixes(bytes(cursor.value()))):
                        gone.append(bytes(cursor.key()))
                    looked_at += 1
                    more = cursor.next()
                after = bytes(cursor.key()) if more else b""
            for start in range(0, len(gone), _BATCH):
                self._delete(gone[start : start + _BATCH]).result()
            swept += len(gone)
            if not after:
                return swept

    @contextmanager
    def _cursors(self) -> Iterator[tuple[lmdb.Cursor, lmdb.Cursor]]:
        """Lend a cursor of the members and one of the index, in one read transaction."""
        with (
            self._environment.read() as transaction,
            transaction.cursor(self._members) as cursor,
            transaction.cursor(self._index) as index,
        ):
            yield cursor, index

    def _delete(self, keys: Sequence[bytes]) -> Future[None]:
        def work(transaction: lmdb.Transaction) -> None:
            for key in keys:
                transaction.delete(key, db=self._members)

        return self._writing().submit(work)


def _key(member: Member) -> bytes | None:
    if max(member.size, member.compressed_size) >= _FULL32:
        return None
    return _KEY.pack(member.crc, member.size, member.method, member.compressed_size)


def _rows(members: Sequence[Member], chunks: ChunkList) -> Iterator[tuple[bytes, bytes]]:
    number = 0
    for member in members:
        first, rest = number, member.compressed_size
        while rest > 0:
            rest -= chunks.lengths[number]
            number += 1
        key = _key(member)
        if key is not None:
            starts = range(first * DIGEST_BYTES, number * DIGEST_BYTES, DIGEST_BYTES)
            yield key, b"".join(chunks.digests[start : start + _PREFIX_BYTES] for start in starts)


def _find(member: Member, cursor: lmdb.Cursor, index: lmdb.Cursor) -> Stored:
    key = _key(member)
    if key is None or not member.compressed_size:
        return _UNKNOWN
    if cursor.set_key(key):
        places = [_place(index, prefix) for prefix in _prefixes(bytes(cursor.value()))]
        extents = tuple(place for place in places if place is not None)
        if len(extents) == len(places) and sum(extent.length for extent in extents) == member.compressed_size:
            return Stored(Likeness.SAME, extents)
        return _UNKNOWN
    content = key[:_CONTENT_BYTES]
    return _OTHER_ENCODER if cursor.set_range(content) and bytes(cursor.key()[:_CONTENT_BYTES]) == content else _UNKNOWN


def _prefixes(value: bytes) -> list[bytes]:
    return [value[start : start + _PREFIX_BYTES] for start in range(0, len(value), _PREFIX_BYTES)]


def _place(index: lmdb.Cursor, prefix: bytes) -> Extent | None:
    """Return where the chunk lies whose digest begins so; None when it is not in the index."""
    if not index.set_range(prefix) or bytes(index.key()[:_PREFIX_BYTES]) != prefix:
        return None
    return Extent._make(_PLACE.unpack(index.value()))
