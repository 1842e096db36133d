"""The names of files that shares have, as their change feeds reported them: listed here before any of it is fetched."""

from __future__ import annotations

import hashlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

# At run time too: msgspec evaluates the annotations of its structs.
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.shared import SharedFile  # noqa: TC001
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.journal import ChangeJournal
from wheelfs.store.catalog.pages import first_components
from wheelfs.store.catalog.records import Change, name_key
from wheelfs.store.engine.iteration import batches, key_of, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    import lmdb

    from wheelfs.model.links import FileLink
    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import FeedPage
    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

SHARED_DATABASES: Final = ("shared", "share-points")

_PUSHED: Final = "\0pushed\0"
"""Before a share's name, which has no zero bytes: a key beside that of what it has reported."""

_LOST: Final = b"\0lost\0"
"""Before a digest of the key of a name that the share lists and does not have: kept apart, to be asked for again."""

_BATCH: Final = 512
"""Names or projects read in one transaction: some milliseconds."""
_SWEPT_AT_ONCE: Final = 2_000
MAX_LISTED_BY: Final = 16
"""Indexes that are remembered of one file; the oldest is forgotten first."""


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    round: int
    file: SharedFile
    listed_by: tuple[str, ...] = ()


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How much of a share's feed was read.  ``round`` counts full resyncs; ``in_resync``: one is under way.

    ``is_unswept``: what the last round did not name is still to be forgotten, also by a process that comes later.
    """

    cursor: str
    round: int = 0
    in_resync: bool = False
    is_unswept: bool = False


class _LostEntry(msgspec.Struct, frozen=True, array_like=True):
    share: str
    entry: _Entry


class SharedName(NamedTuple):
    """A file that a share has, and the share's name; ``key`` is its place.

    ``listed_by`` are indexes that listed this content under this name while it was known here, and do so no more.
    """

    key: bytes
    share: str
    file: SharedFile
    listed_by: tuple[str, ...] = ()


_encoder: Final = msgspec.msgpack.Encoder()
_entry_decoder: Final = msgspec.msgpack.Decoder(_Entry)
_lost_decoder: Final = msgspec.msgpack.Decoder(_LostEntry)
_cursor_decoder: Final = msgspec.msgpack.Decoder(_Cursor)


class SharedNames:
    """By project, filename, sha256 and share.  None of it is precious: shares report it again."""

    def __init__(self, environment: Environment, writer: Writer | ReadOnlyWriter) -> None:
        """``environment`` is the catalog's."""
        self._environment = environment
        self._writer = writer
        self._journal = ChangeJournal(environment.database("changes"))
        # None in a store of an older build that may not be written: nothing is shared there.
        self._shared = environment.database_if_any("shared")
        self._cursors = environment.database_if_any("share-points")

    def cursor(self, share: str) -> str | None:
        """Return up to where a share's feed was read, None when nothing was."""
        with self._environment.read() as transaction:
            known = self._cursor(transaction, share)
        return None if known is None else known.cursor

    def cursors(self) -> list[str]:
        """Return up to where the feeds of all shares were read."""
        if self._cursors is None:
            return []
        with self._environment.read() as transaction:
            keys = [key for key in rows(transaction, self._cursors, key_of) if not key.startswith(b"\0")]
            found = [self._cursor(transaction, key.decode()) for key in keys]
        return [known.cursor for known in found if known is not None]

    def pushed(self, share: str) -> str | None:
        """Return up to where this store's content was pushed to a share, as given to `keep_pushed`."""
        with self._environment.read() as transaction:
            known = self._cursor(transaction, _PUSHED + share)
        return None if known is None else known.cursor

    def keep_pushed(self, share: str, text: str) -> Future[None]:
        """Note up to where this store's content was pushed to a share."""

        def work(transaction: lmdb.Transaction) -> None:
            self._put_cursor(transaction, _PUSHED + share, _Cursor(text))

        return self._writer.submit(work)

    def of_project(self, project: str) -> list[SharedName]:
        """Return what shares have of a project, in order of filename."""
        prefix = project.encode() + b"\0"
        if self._shared is None or len(prefix) > compressed.MAX_KEY_BYTES:
            return []
        with self._environment.read() as transaction:
            return rows(transaction, self._shared, _named, prefix=prefix)

    def names(self, after: bytes | None = None, *, batch: int = _BATCH) -> Iterator[SharedName]:
        """Yield the names whose keys follow ``after``, in order, a batch a transaction."""
        read = batches(self._environment, self._names, lambda name: name.key, after=after, size=batch)
        return chain.from_iterable(read)

    def _names(self, transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[SharedName]:
        return [] if self._shared is None else rows(transaction, self._shared, _named, after=after, limit=limit)

    def has(self, share: str, file: FileKey) -> bool:
        """Tell whether a share has reported this name and content."""
        key = _key(share, *file)
        if self._shared is None or len(key) > compressed.MAX_KEY_BYTES:
            return False
        with self._environment.read() as transaction:
            return transaction.get(key, db=self._shared) is not None

    def count(self) -> int:
        """Return how many names shares have reported; very cheap."""
        if self._shared is None:
            return 0
        with self._environment.read() as transaction:
            return int(transaction.stat(self._shared)["entries"])

    def projects(self, after: str | None = None) -> Iterator[str]:
        """Yield the projects that follow ``after``, in order, a batch a transaction."""
        return chain.from_iterable(batches(self._environment, self._projects, str, after=after, size=_BATCH))

    def _projects(self, transaction: lmdb.Transaction, after: str | None, limit: int) -> list[str]:
        if self._shared is None:
            return []
        names = first_components(transaction, self._shared, after)
        found = list(islice(names, limit))
        names.close()  # its cursor must go before the transaction
        return found

    def take(self, share: str, page: FeedPage, *, asked: str | None) -> Future[bool]:
        """Write down what a share reported since the cursor ``asked``; the future tells whether that was done.

        False: another process has written to the same feed's state meanwhile, so these entries are discarded.
        """

        def work(transaction: lmdb.Transaction) -> bool:
            assert self._shared is not None
            recorded = self._cursor(transaction, share)
            # Otherwise entries written by one process would be swept by the other's new round.
            if (None if recorded is None else recorded.cursor) != asked:
                return False
            before = recorded or _Cursor("")
            begins = page.is_resync and (page.starts_resync or not before.in_resync)
            number = before.round + begins
            assert self._cursors is not None
            has_lost = bool(rows(transaction, self._cursors, key_of, prefix=_LOST, limit=1))  # hardly ever
            for file in page.files:
                key = _key(share, file.project, file.filename, file.sha256)
                if len(key) > compressed.MAX_KEY_BYTES:
                    continue  # no index could list it either
                if has_lost:
                    transaction.delete(_lost_key(key), db=self._cursors)
                found = transaction.get(key, db=self._shared)
                known = None if found is None else _decoded(found)
                entry = _Entry(number, file, () if known is None else known.listed_by)
                if entry != known:
                    transaction.put(key, _encoder.encode(entry), db=self._shared)
                    if known is None or known.file != file:
                        self._report(transaction, file)
            for project, filename, sha256 in page.gone:
                if len(key := _key(share, project, filename, sha256)) <= compressed.MAX_KEY_BYTES:
                    transaction.delete(_lost_key(key), db=self._cursors)
                    self._drop(transaction, key)
            is_unswept = (before.is_unswept or page.is_resync) and not page.is_partial
            self._put_cursor(transaction, share, _Cursor(page.cursor, number, page.is_resync and page.more, is_unswept))
            return True

        return self._writer.submit(work)

    def forget(self, share: str, file: FileKey) -> Future[None]:
        """No longer list one name of a share, until it reports it again or is found to have it (`restore`)."""

        def work(transaction: lmdb.Transaction) -> None:
            key = _key(share, *file)
            if (known := transaction.get(key, db=self._shared)) is not None:
                transaction.put(_lost_key(key), _encoder.encode(_LostEntry(share, _decoded(known))), db=self._cursors)
                self._drop(transaction, key)

        return self._writer.submit(work)

    def forgotten(self, share: str, limit: int) -> list[SharedFile]:
        """Return up to ``limit`` of the names that `forget` took away from a share."""
        if self._cursors is None:
            return []
        with self._environment.read() as transaction:
            found = rows(transaction, self._cursors, lambda _, value: _lost(value), prefix=_LOST)
        return [lost.entry.file for lost in found if lost is not None and lost.share == share][:limit]

    def restore(self, share: str, file: SharedFile) -> Future[None]:
        """List a forgotten name of a share again."""

        def work(transaction: lmdb.Transaction) -> None:
            key = _key(share, file.project, file.filename, file.sha256)
            # False: it was reported again, or is gone, meanwhile.
            if transaction.delete(_lost_key(key), db=self._cursors):
                cursor = self._cursor(transaction, share) or _Cursor("")
                transaction.put(key, _encoder.encode(_Entry(cursor.round, file)), db=self._shared)
                self._report(transaction, file)

        return self._writer.submit(work)

    def is_to_be_swept(self, share: str) -> bool:
        """Tell whether a full resync is complete, and what it did not name is still here."""
        with self._environment.read() as transaction:
            known = self._cursor(transaction, share)
        return known is not None and known.is_unswept and not known.in_resync

    def sweep(self, share: str, after: bytes | None) -> Future[bytes | None]:
        """Forget, in one batch after ``after``, what the last full resync did not name; the future has the next ``after``."""

        def work(transaction: lmdb.Transaction) -> bytes | None:
            assert self._shared is not None
            assert self._cursors is not None
            cursor = self._cursor(transaction, share)
            if cursor is None or cursor.in_resync or not cursor.is_unswept:
                return None
            ending = b"\0" + share.encode()

            def judged(key: bytes, value: bytes | memoryview) -> tuple[bytes, bool]:
                return key, key.endswith(ending) and _decoded(value).round < cursor.round

            found = rows(transaction, self._shared, judged, after=after, limit=_SWEPT_AT_ONCE)
            for key, is_stale in found:
                if is_stale:
                    self._drop(transaction, key)
            if len(found) == _SWEPT_AT_ONCE:
                return found[-1][0]
            for key, lost in rows(transaction, self._cursors, lambda key, value: (key, _lost(value)), prefix=_LOST):
                if lost is None or (lost.share == share and lost.entry.round != cursor.round):
                    transaction.delete(key, db=self._cursors)
            self._put_cursor(transaction, share, _Cursor(cursor.cursor, cursor.round))
            return None

        return self._writer.submit(work)

    def _drop(self, transaction: lmdb.Transaction, key: bytes) -> None:
        known = transaction.get(key, db=self._shared)
        if known is not None:
            file = _decoded(known).file
            transaction.delete(key, db=self._shared)
            self._report(transaction, file)

    def _report(self, transaction: lmdb.Transaction, file: SharedFile) -> None:
        # Without the sha256: nothing changed in what is stored here, which a write-through would otherwise push again.
        self._journal.append(transaction, Change("file", file.project, file.filename, index=file.index))

    def _cursor(self, transaction: lmdb.Transaction, share: str) -> _Cursor | None:
        found = None if self._cursors is None else transaction.get(share.encode(), db=self._cursors)
        try:
            return None if found is None else _cursor_decoder.decode(found)
        except DECODE_ERRORS:
            return None  # the share reports everything again

    def _put_cursor(self, transaction: lmdb.Transaction, share: str, cursor: _Cursor) -> None:
        transaction.put(share.encode(), _encoder.encode(cursor), db=self._cursors)


def note_listed(
    transaction: lmdb.Transaction, shared: lmdb._Database | None, index: str, project: str, links: Sequence[FileLink]
) -> None:
    """Note that an index has listed these files: those that shares have stay its own when it lists them no more."""
    prefix = project.encode() + b"\0"
    if shared is None or len(prefix) > compressed.MAX_KEY_BYTES:
        return
    entries = rows(transaction, shared, lambda key, value: (key, _decoded(value)), prefix=prefix)
    listed = {(link.filename, link.sha256) for link in links} if entries else set()
    for key, entry in entries:
        if (entry.file.filename, entry.file.sha256) in listed and index not in entry.listed_by:
            kept = (*entry.listed_by, index)[-MAX_LISTED_BY:]
            transaction.put(key, _encoder.encode(msgspec.structs.replace(entry, listed_by=kept)), db=shared)


def _key(share: str, project: str, filename: str, sha256: bytes) -> bytes:
    return name_key(project, filename, sha256) + b"\0" + share.encode()


def _lost_key(key: bytes) -> bytes:
    return _LOST + hashlib.blake2b(key, digest_size=16).digest()


def _named(key: bytes, value: bytes | memoryview) -> SharedName:
    entry = _decoded(value)
    return SharedName(key, key.rpartition(b"\0")[2].decode(), entry.file, entry.listed_by)


def _lost(value: bytes | memoryview) -> _LostEntry | None:
    try:
        return _lost_decoder.decode(value)
    except DECODE_ERRORS:
        return None  # the share reports its name again when it has it


def _decoded(value: bytes | memoryview) -> _Entry:
    try:
        return _entry_decoder.decode(value)
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"what a share has cannot be read ({error})") from error
