"""Indexes' answers about projects: a small head that is looked at all the time, and apart from it the page."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.projects.first_seen import seen_again, seen_at, seen_by
from wheelfs.errors import StoreDamaged
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.links import ProjectPage
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.records import Change, PageHead, PageRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator

    import lmdb

    from wheelfs.store.catalog.journal import ChangeJournal
    from wheelfs.store.engine.environment import Environment

PAGE_DATABASES: Final = ("page-heads", "pages")

MAX_REPORTED: Final = 5_000
"""Names of one page that are said to have changed; names that are left out are forgotten when their time is over."""

MAX_UNREADABLE: Final = 1_000
"""Wheels of one page whose METADATA cannot be read, 32 bytes each: the head is read at every look-up."""

_encoder: Final = msgspec.msgpack.Encoder()
_head_decoder: Final = msgspec.msgpack.Decoder(PageHead)
_page_decoder: Final = msgspec.msgpack.Decoder(ProjectPage)


class PageTable:
    """Heads and pages by (index, project).  A page is there exactly when its head is and is not ``absent``."""

    def __init__(self, environment: Environment, journal: ChangeJournal) -> None:
        self._heads = environment.database("page-heads")
        self._pages = environment.database("pages")
        self._journal = journal

    def head(self, transaction: lmdb.Transaction, index: str, project: str) -> PageHead | None:
        """Return the head, or None when the index has not answered yet."""
        key = _key(index, project)
        found = transaction.get(key, db=self._heads) if len(key) <= compressed.MAX_KEY_BYTES else None
        if found is None:
            return None
        try:
            return _head_decoder.decode(found)
        except DECODE_ERRORS as error:
            raise compressed.damaged(f"the head of {project} of {index} cannot be read ({error})") from error

    def packed_page(self, transaction: lmdb.Transaction, index: str, project: str) -> bytes | None:
        """Return the stored bytes for `unpacked`, so that unpacking can be done when the transaction has ended."""
        return compressed.get(transaction, self._pages, _key(index, project))

    def dated(self, transaction: lmdb.Transaction, index: str, project: str, record: PageRecord) -> PageRecord:
        """Return an answer with the times at which its files were first seen, where its index gives no upload times."""
        if record.page is None:
            return record
        before = None
        with suppress(StoreDamaged):  # all of it is then seen for the first time
            before = self._page(transaction, index, project)
        return msgspec.structs.replace(record, page=seen_at(record.page, record.fetched_at_us, before=before))

    def see_again(
        self, transaction: lmdb.Transaction, index: str, project: str, filenames: Collection[str], *, now_us: int
    ) -> None:
        """Note that files were found to be others than before: as such they are seen for the first time."""
        head = self.head(transaction, index, project)
        page = None
        with suppress(StoreDamaged):  # the next reader of the page has it fetched again
            page = self._page(transaction, index, project) if filenames else None
        if head is not None and page is not None:
            record = PageRecord(
                index_url=head.index_url,
                fetched_at_us=head.fetched_at_us,
                validators=head.validators,
                max_age_s=head.max_age_s,
                page=seen_again(page, filenames, now_us),
            )
            self.put(transaction, index, project, record)

    def _page(self, transaction: lmdb.Transaction, index: str, project: str) -> ProjectPage | None:
        packed = self.packed_page(transaction, index, project)
        return None if packed is None else unpacked(packed, project, head=self.head(transaction, index, project))

    def put(self, transaction: lmdb.Transaction, index: str, project: str, record: PageRecord) -> bool:
        """Write an answer; tell whether it differs from the one before.  The page is rewritten only then."""
        key = _key(index, project)
        compressed.check_key(key, room=2)
        before = self.head(transaction, index, project)
        encoded = b"" if record.page is None else _encoder.encode(record.page)
        digest = hashlib.blake2b(encoded, digest_size=16).digest()
        absent = record.page is None
        changed = before is None or before.absent != absent or before.digest != digest
        changed_at_us = record.fetched_at_us if before is None else before.changed_at_us
        if changed:
            # Always later than before, also when the clock was set back: readers compare it to know what they have decoded.
            changed_at_us = record.fetched_at_us if before is None else max(record.fetched_at_us, before.changed_at_us + 1)
            packed = compressed.get(transaction, self._pages, key)
            if absent:
                compressed.delete(transaction, self._pages, key)
            else:
                compressed.put(transaction, self._pages, key, compressed.pack(encoded))
            self._journal.append(transaction, Change("page", project, index=index))
            if packed is not None:
                self._report(transaction, index, project, changed_names(unpacked(packed, project), record.page))
        unreadable = () if before is None or changed else before.unreadable
        head = PageHead(
            record.index_url,
            record.fetched_at_us,
            changed_at_us,
            absent,
            record.validators,
            record.max_age_s,
            digest,
            unreadable,
        )
        self._put_head(transaction, key, head)
        return changed

    def touch(self, transaction: lmdb.Transaction, index: str, project: str, fetched_at_us: int, max_age_s: float | None) -> bool:
        """Note that the answer was found unchanged; tell whether there was one.

        What it says of its age replaces what was said before, and silence leaves that (RFC 9111, 3.2 and 4.3.4).
        """
        head = self.head(transaction, index, project)
        if head is None:
            return False
        age_s = head.max_age_s if max_age_s is None else max_age_s
        now = msgspec.structs.replace(head, fetched_at_us=fetched_at_us, max_age_s=age_s)
        self._put_head(transaction, _key(index, project), now)
        return True

    def note_unreadable(self, transaction: lmdb.Transaction, index: str, project: str, content_key: bytes) -> bool:
        """Note that the METADATA of a wheel of this page cannot be read; tell whether that is new, and there is such a page."""
        head = self.head(transaction, index, project)
        if head is None or head.absent or content_key in head.unreadable:
            return False
        unreadable = (*head.unreadable, content_key)[-MAX_UNREADABLE:]
        # What is shown of the page is another thing now, to all processes.
        now = msgspec.structs.replace(head, unreadable=unreadable, changed_at_us=head.changed_at_us + 1)
        self._put_head(transaction, _key(index, project), now)
        self._journal.append(transaction, Change("page", project, index=index))
        return True

    def forget(self, transaction: lmdb.Transaction, index: str, project: str) -> None:
        """Delete an answer."""
        key = _key(index, project)
        transaction.delete(key, db=self._heads)
        compressed.delete(transaction, self._pages, key)
        self._journal.append(transaction, Change("page", project, index=index))

    def report_files(self, transaction: lmdb.Transaction, project: str) -> None:
        """Say that every file of a project's pages may mean something else now, or nothing."""
        for index in list(self.indexes(transaction)):
            packed = self.packed_page(transaction, index, project)
            if packed is not None:
                self._report(transaction, index, project, changed_names(unpacked(packed, project), None))

    def _report(self, transaction: lmdb.Transaction, index: str, project: str, filenames: Iterable[str]) -> None:
        for filename in islice(filenames, MAX_REPORTED):
            self._journal.append(transaction, Change("page", project, filename, index=index))

    def indexes(self, transaction: lmdb.Transaction) -> Generator[str, None, None]:
        """Iterate over the names of the indexes that have pages, with one seek each."""
        return first_components(transaction, self._pages, None)

    def projects(self, transaction: lmdb.Transaction, index: str, after: str | None) -> Generator[str, None, None]:
        """Yield the projects of an index that follow ``after``, with one seek each."""
        prefix = index.encode() + b"\0"
        place = prefix if after is None else prefix + after.encode() + b"\1"
        with transaction.cursor(self._pages) as cursor:
            while len(place) <= compressed.MAX_KEY_BYTES and cursor.set_range(place):
                key = bytes(cursor.key())
                if not key.startswith(prefix):
                    return
                project = key[len(prefix) : key.index(b"\0", len(prefix))]
                yield project.decode()
                place = prefix + project + b"\1"

    def _put_head(self, transaction: lmdb.Transaction, key: bytes, head: PageHead) -> None:
        transaction.put(key, _encoder.encode(head), db=self._heads)


def changed_names(before: ProjectPage, after: ProjectPage | None) -> Iterator[str]:
    """Yield the files that are gone, or have another digest: what is cached under such a name is no longer valid."""
    now = {} if after is None else {link.filename: link.sha256 for link in after.files}
    for link in before.files:
        if link.filename not in now or now[link.filename] != link.sha256:
            yield link.filename


def unpacked(packed: bytes, project: str, *, head: PageHead | None = None) -> ProjectPage:
    """Decode a page and check it against its head's digest, if there is one; raises `StoreDamaged`.

    With a head, files of a page of an older build are first seen when it changed last.
    """
    encoded = compressed.unpack(packed)
    if head is not None and head.digest and hashlib.blake2b(encoded, digest_size=16).digest() != head.digest:
        raise compressed.damaged(f"the page of {project} is not what was written")
    try:
        page = _page_decoder.decode(encoded)
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"the page of {project} cannot be read ({error})") from error
    return page if head is None else seen_by(page, head.changed_at_us)


def first_components(transaction: lmdb.Transaction, database: lmdb._Database, after: str | None) -> Generator[str, None, None]:
    """Yield the distinct first components (up to the first zero byte) of a database's keys after ``after``, one seek each."""
    place = b"" if after is None else after.encode() + b"\1"
    with transaction.cursor(database) as cursor:
        while len(place) <= compressed.MAX_KEY_BYTES and (cursor.set_range(place) if place else cursor.first()):
            component = bytes(cursor.key()).split(b"\0", 1)[0]
            yield component.decode()
            place = component + b"\1"


def _key(index: str, project: str) -> bytes:
    return b"%b\0%b\0" % (index.encode(), project.encode())
