"""Which members of stored wheels are here: by what a ZIP's directory says of them, to their chunks.

An entry is a hint for delta fetching, never the truth: it holds beginnings of chunk digests, which are looked up in the index
when it is used.  So chunks may move and go as if it were not there, and an entry that leads nowhere means that nothing is known.
A member too small to have chunks is in its entry as a whole, after the digest of a chunk of its wheel, with which it is removed.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.fetch.delta import Known, Likeness
from wheelfs.core.wheel.cutting import GZ_HEAD_BYTES, SMALL_BYTES
from wheelfs.model.recipe import DIGEST_BYTES, Extent
from wheelfs.store.engine.iteration import batches, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    import lmdb

    from wheelfs.core.wheel.cutting import CutMember
    from wheelfs.core.wheel.zip_layout import Member
    from wheelfs.model.recipe import ChunkList
    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

_KEY: Final = struct.Struct(">LLHL")
"""CRC-32, size, method, compressed size: in this order members of one content lie side by side, however they were packed."""
_CONTENT_BYTES: Final = 10
_PREFIX_BYTES: Final = 8
"""Enough of a digest: one that belongs to another chunk would be one more wrong assumption, which the sha256 tells."""
_PLACE: Final = struct.Struct(">QLL")
_FULL32: Final = 0xFFFFFFFF
_BATCH: Final = 2_000
"""Entries written in one transaction: as many pages at most."""
_SWEPT: Final = 100_000
"""Entries looked at together, some 30 MB: in the index's order, so that each of its pages is read once for all of them."""
_LOOKED_UP: Final = 1_000
"""How many of them in one transaction.  Each may bring 16 pages into this process' memory (the kernel's fault-around)."""


class Stored(NamedTuple):
    """What is known of a member; for `Likeness.SAME` its data, but for what is absent: in ``extents``, in order, or ``small``."""

    known: Known
    extents: tuple[Extent, ...] = ()
    small: bytes = b""


_UNKNOWN: Final = Stored(Known(Likeness.UNKNOWN))
_OTHER_ENCODER: Final = Stored(Known(Likeness.OTHER_ENCODER))


class MemberIndex:
    """The ``members`` database of the chunks environment."""

    def __init__(self, environment: Environment, writer: Writer | ReadOnlyWriter) -> None:
        self._environment = environment
        self._writer = writer
        self._members = environment.database("members")
        self._index = environment.database("index")

    def note(self, members: Sequence[CutMember], chunks: ChunkList, skeleton: bytes, packed: ChunkList) -> list[Future[None]]:
        """Remember the members of a verified file, cut into ``chunks`` and ``skeleton``; later ones replace earlier ones.

        ``packed`` are the chunks of the skeleton's frame.
        """
        entries = _entries(members, chunks.digests, skeleton, packed.digests[:_PREFIX_BYTES])
        return [self._note(entries[start : start + _BATCH]) for start in range(0, len(entries), _BATCH)]

    def _note(self, entries: Sequence[tuple[bytes, bytes]]) -> Future[None]:
        def work(transaction: lmdb.Transaction) -> None:
            wanted = dict(entries)
            with transaction.cursor(db=self._members) as cursor:
                # Most are there: their pages stay clean.
                cursor.putmulti(sorted(wanted.items() - set(cursor.getmulti(wanted))))

        return self._writer.submit(work, weight_bytes=1024 * len(entries))

    def find(self, members: Sequence[Member]) -> list[Stored]:
        """Return what is known of each member; some microseconds each, so call it in a worker thread for a whole wheel."""
        with self._cursors() as (cursor, index):
            return [_find(member, cursor, index) for member in members]

    def sweep(self) -> Iterator[int]:
        """Delete the entries that lead nowhere, some at a time, and yield how many: what a collection leaves over."""
        for entries in batches(self._environment, self._read, lambda entry: entry[0], size=_SWEPT):
            prefixes = sorted((prefix, key) for key, value in entries for prefix in _prefixes(key, value))
            gone: set[bytes] = set()
            for start in range(0, len(prefixes), _LOOKED_UP):
                gone.update(self._leading_nowhere(prefixes[start : start + _LOOKED_UP]))
                yield 0
            in_order = sorted(gone)
            for start in range(0, len(in_order), _BATCH):
                self._delete(in_order[start : start + _BATCH]).result()
            yield len(in_order)

    def _read(self, transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        return rows(transaction, self._members, lambda key, value: (key, bytes(value)), after=after, limit=limit)

    def _leading_nowhere(self, prefixes: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        with self._environment.read() as transaction, transaction.cursor(self._index) as index:
            return [key for prefix, key in prefixes if not _is_here(index, prefix)]

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

        return self._writer.submit(work, frees=True)


def _key(member: Member) -> bytes | None:
    if member.size >= _FULL32 or member.compressed_size >= _FULL32:
        return None
    return _KEY.pack(member.crc, member.size, member.method, member.compressed_size)


def _entries(members: Sequence[CutMember], digests: bytes, skeleton: bytes, anchor: bytes) -> list[tuple[bytes, bytes]]:
    entries: list[tuple[bytes, bytes]] = []
    at = 0
    for cut in members:
        member, count = cut.member, cut.chunks
        start, at = at, at + count * DIGEST_BYTES
        key = _key(member)
        if key is None:
            continue
        if count == 1:
            entries.append((key, digests[start : start + _PREFIX_BYTES]))
        elif count:
            entries.append((key, b"".join(digests[one : one + _PREFIX_BYTES] for one in range(start, at, DIGEST_BYTES))))
        else:
            entries.append((key, anchor + skeleton[cut.skeleton_start : cut.skeleton_start + member.compressed_size]))
    return entries


def _find(member: Member, cursor: lmdb.Cursor, index: lmdb.Cursor) -> Stored:
    key = _key(member)
    if key is None or not member.compressed_size:
        return _UNKNOWN
    if cursor.set_key(key):
        value = bytes(cursor.value())
        places = [_place(index, prefix) for prefix in _prefixes(key, value)]
        extents = tuple(place for place in places if place is not None)
        if len(extents) < len(places):
            return _UNKNOWN
        if _is_small(key, value):
            return Stored(Known(Likeness.SAME), small=value[_PREFIX_BYTES:])
        absent_bytes = member.compressed_size - sum(extent.length for extent in extents)
        return Stored(Known(Likeness.SAME, absent_bytes), extents) if absent_bytes in (0, GZ_HEAD_BYTES) else _UNKNOWN
    content = key[:_CONTENT_BYTES]
    return _OTHER_ENCODER if cursor.set_range(content) and bytes(cursor.key()[:_CONTENT_BYTES]) == content else _UNKNOWN


def _is_small(key: bytes, value: bytes) -> bool:
    """Tell whether an entry holds the member itself; builds that cut small ones into chunks too have left other entries."""
    size_bytes: int = _KEY.unpack(key)[3]
    return size_bytes < SMALL_BYTES and len(value) == _PREFIX_BYTES + size_bytes


def _prefixes(key: bytes, value: bytes) -> list[bytes]:
    """Return the beginnings of the digests of the chunks that have to be here."""
    end = _PREFIX_BYTES if _is_small(key, value) else len(value)
    return [value[start : start + _PREFIX_BYTES] for start in range(0, end, _PREFIX_BYTES)]


def _is_here(index: lmdb.Cursor, prefix: bytes) -> bool:
    return index.set_range(prefix) and index.key()[:_PREFIX_BYTES] == prefix


def _place(index: lmdb.Cursor, prefix: bytes) -> Extent | None:
    """Return where the chunk lies whose digest begins so; None when it is not in the index."""
    if not _is_here(index, prefix):
        return None
    return Extent._make(_PLACE.unpack(index.value()))
