"""The catalog: which files exist, from where, with which metadata.  Small and precious: every commit is on disk.

Reads are short transactions, made inline.  Writes go to the process' one writer thread and return futures, which resolve when
the change is durable; each visible one is in the journal of changes in the same transaction.
"""

from __future__ import annotations

import heapq
import logging
import time
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import StoreDamaged
from wheelfs.model.content import ContentKey
from wheelfs.model.names import ProjectName
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.facts import FACT_DATABASES, FactTable
from wheelfs.store.catalog.journal import KEPT, ChangeJournal
from wheelfs.store.catalog.names import NAME_DATABASES, NameTable
from wheelfs.store.catalog.once_listed import note_listed
from wheelfs.store.catalog.pages import PAGE_DATABASES, PageTable, unpacked
from wheelfs.store.catalog.rates import RATE_DATABASES, HostRate, RateTable
from wheelfs.store.catalog.records import Changes, ContentFacts, Counts, PageHead, PageRecord, StoredContent, StoredName
from wheelfs.store.catalog.schema import check_schema
from wheelfs.store.catalog.tracked import TRACKED_DATABASES, TrackedTable
from wheelfs.store.engine.iteration import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import lmdb

    from wheelfs.model.links import ProjectPage, Validators
    from wheelfs.model.tracked import Tracked
    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

log = logging.getLogger(__name__)

_OWN_DATABASES: Final = ("metadata", "changes", "meta")
CATALOG_DATABASES: Final = (
    *NAME_DATABASES,
    *PAGE_DATABASES,
    *TRACKED_DATABASES,
    *RATE_DATABASES,
    *FACT_DATABASES,
    *_OWN_DATABASES,
)

BATCH: Final = 512
"""Names or projects read in one transaction: some milliseconds."""
CONTENTS_BATCH: Final = 256
"""The same for contents and recipes; callers read a recipe, of up to some megabytes, for each."""


class Catalog:
    """All methods may be called from any thread; damage is `StoreDamaged`, writing to a read-only one is `StoreReadOnly`."""

    def __init__(self, environment: Environment, writer: Writer | ReadOnlyWriter, *, changes_kept: int = KEPT) -> None:
        """``environment`` was opened with `CATALOG_DATABASES`.

        Raises `StoreFormat` when the catalog has another schema.
        """
        self._environment = environment
        self._writer = writer
        self._journal = ChangeJournal(environment.database("changes"), kept=changes_kept)
        self._names = NameTable(environment, self._journal)
        self._pages = PageTable(environment, self._journal)
        self._tracked = TrackedTable(environment, self._journal)
        self._paces = RateTable(environment)
        self._facts = FactTable(environment)
        self._metadata = environment.database("metadata")
        self._shared = environment.database_if_any("shared")
        check_schema(environment, writer)

    # --- files ---------------------------------------------------------------------------------------------------------

    def content(self, sha256: bytes) -> StoredContent | None:
        """Return what is sealed under a digest."""
        with self._environment.read() as transaction:
            return self._names.content(transaction, sha256)

    def recipe(self, sha256: bytes) -> bytes | None:
        """Return the encoded recipe of sealed content."""
        with self._environment.read() as transaction:
            return self._names.recipe(transaction, sha256)

    def stored_names(self, project: str, filename: str | None = None, *, replaced: bool = False) -> list[StoredName]:
        """Return the names of a project, or of one file; with ``replaced`` also those that mean another content by now."""
        with self._environment.read() as transaction:
            return self._names.of_project(transaction, project, filename, replaced=replaced)

    def names_of(self, sha256: bytes) -> list[StoredName]:
        """Return all names of a content."""
        with self._environment.read() as transaction:
            return self._names.of_content(transaction, sha256)

    def names(self, after: bytes | None = None, *, batch: int = BATCH, replaced: bool = False) -> Iterator[StoredName]:
        """Yield the names that follow ``after`` (a `StoredName.key`), in order of project and filename, a batch a transaction.

        Those that mean another content by now are among them only with ``replaced``.
        """
        read = batches(self._environment, self._names.iterate, lambda name: name.key, after=after, size=batch)
        return (name for name in chain.from_iterable(read) if replaced or name.replaced is None)

    def contents(self) -> Iterator[tuple[bytes, StoredContent]]:
        """Yield the sealed contents with their sha256, in order of sha256, a batch a transaction."""
        read = batches(self._environment, self._names.contents, lambda found: found[0], size=CONTENTS_BATCH)
        return chain.from_iterable(read)

    def used_at_us(self, sha256: bytes) -> int:
        """Return when a content was last used, as far as that was noted; 0 when it was not."""
        with self._environment.read() as transaction:
            return self._names.used_at_us(transaction, sha256)

    def note_used(self, used_at_us: Mapping[bytes, int]) -> Future[None]:
        """Note when contents were last used."""
        return self._writer.submit(lambda transaction: self._names.note_used(transaction, used_at_us))

    def counts(self) -> Counts:
        """Return totals, kept up to date by every write."""
        with self._environment.read() as transaction:
            return self._names.counts(transaction)

    def seal(
        self,
        sha256: bytes,
        content: StoredContent,
        recipe: bytes,
        names: Sequence[StoredName],
        *,
        blocks_below: int = 0,
        metadata: bytes = b"",
        check: Callable[[Sequence[StoredName]], None] | None = None,
    ) -> Future[None]:
        """Make a verified file visible under ``names``, in one transaction; its chunks must be durable before.

        ``blocks_below`` is a number above those of all blocks that the recipe names; ``metadata`` is kept unless it is empty.
        ``check`` is given the names of the projects concerned as they are in that transaction; what it raises ends it.
        """
        packed = compressed.pack(metadata) if metadata else b""

        def work(transaction: lmdb.Transaction) -> None:
            if check is not None:
                projects = sorted({name.project for name in names})
                check([name for project in projects for name in self._names.of_project(transaction, project)])
            self._names.rely_on_blocks(transaction, blocks_below)
            self._names.seal(transaction, sha256, content, recipe, names)
            if packed:
                compressed.put(transaction, self._metadata, sha256, packed)
            facts = self._facts.get(transaction, ContentKey(sha256))
            if facts is not None and facts.poisoned is not None:
                self._facts.put(transaction, ContentKey(sha256), msgspec.structs.replace(facts, poisoned=None))

        return self._writer.submit(work)

    def blocks_below(self) -> int:
        """Return a number above those of all blocks that sealed files were made of."""
        with self._environment.read() as transaction:
            return self._names.blocks_below(transaction)

    def add_name(self, name: StoredName) -> Future[bool]:
        """Show sealed content under one more name; False when that content is not here."""
        return self._writer.submit(lambda transaction: self._names.add(transaction, name))

    def replace_name(self, key: bytes, index: str, reason: str) -> Future[bool]:
        """Note why a name (`StoredName.key`) no longer means this content on an index; tell whether it was shown until now."""

        def replace(transaction: lmdb.Transaction) -> bool:
            is_replaced = self._names.replace_by(transaction, key, index, reason)
            if is_replaced:
                project, filename = key[:-33].decode().split("\0")
                self._pages.see_again(transaction, index, project, [filename], now_us=time.time_ns() // 1_000)
            return is_replaced

        return self._writer.submit(replace)

    def note_known(
        self, key: bytes, *, hashes: Mapping[str, str] | None = None, validator: Validators | None = None
    ) -> Future[bool]:
        """Keep further hashes that a name's content has, or the validators of an answer of it; tell whether the name is there."""
        return self._writer.submit(lambda transaction: self._names.note_known(transaction, key, hashes or {}, validator))

    def remove_name(self, key: bytes) -> Future[bool]:
        """Remove a name (`StoredName.key`), and its content with its last one; tell whether it was there."""
        return self._writer.submit(lambda transaction: self._names.remove(transaction, key), frees=True)

    def replace_recipe(self, sha256: bytes, old: bytes, new: bytes) -> Future[bool]:
        """Record that a content's chunks lie elsewhere now (they are durable there); False when ``old`` is not its recipe."""
        return self._writer.submit(lambda transaction: self._names.replace_recipe(transaction, sha256, old, new))

    def retired_batches(self) -> Iterator[list[bytes]]:
        """Yield, in batches, the keys (a sha256, then 8 bytes) of retired recipes: gone from the catalog, but maybe in use."""
        return batches(self._environment, self._names.retired, lambda key: key, size=CONTENTS_BATCH)

    def retired_recipe(self, key: bytes) -> bytes | None:
        """Return a retired recipe."""
        with self._environment.read() as transaction:
            return self._names.retired_recipe(transaction, key)

    def drop_retired(self, keys: Sequence[bytes], *, collected_bytes: int = 0) -> Future[None]:
        """Forget retired recipes, and subtract ``collected_bytes`` from `Counts.removed_bytes`."""

        def work(transaction: lmdb.Transaction) -> None:
            self._names.count_removed(transaction, -collected_bytes)
            for key in keys:
                self._names.drop_retired(transaction, key)

        return self._writer.submit(work, frees=True)

    def set_pinned(self, key: bytes, pinned: bool) -> Future[bool]:
        """Pin or unpin a name; tell whether it is there."""
        return self._writer.submit(lambda transaction: self._names.set_pinned(transaction, key, pinned))

    def poison(self, key: ContentKey, reason: str) -> Future[None]:
        """Quarantine a content, sealed or not, for ``reason``."""
        checked_at_us = time.time_ns() // 1_000

        def work(transaction: lmdb.Transaction) -> None:
            # Its size and tag were those of the wrong bytes.
            self._facts.put(transaction, key, ContentFacts(poisoned=reason, checked_at_us=checked_at_us))
            self._names.poison(transaction, key, reason)

        return self._writer.submit(work)

    def quarantine(self, sha256: bytes, reason: str) -> Future[bool]:
        """Stop serving sealed content; unlike after `poison`, its origin may be asked for it again at once."""
        return self._writer.submit(lambda transaction: self._names.poison(transaction, sha256, reason))

    # --- projects ------------------------------------------------------------------------------------------------------

    def page_head(self, index: str, project: str) -> PageHead | None:
        """Return what an index answered about a project without its page; None when it has not answered yet."""
        with self._environment.read() as transaction:
            return self._pages.head(transaction, index, project)

    def page(self, index: str, project: str) -> ProjectPage | None:
        """Return the page that an index gave of a project; None when it gave none.

        A damaged one (`StoreDamaged`) stays so until `forget_page`: it must not pass for an index's "no such project".
        """
        with self._environment.read() as transaction:
            head = self._pages.head(transaction, index, project)
            packed = self._pages.packed_page(transaction, index, project)
        return None if packed is None else unpacked(packed, project, head=head)

    def note_unreadable(self, index: str, project: str, key: ContentKey) -> Future[bool]:
        """Note, as long as an index's page stays the same, that METADATA of a wheel on it cannot be read."""
        return self._writer.submit(lambda transaction: self._pages.note_unreadable(transaction, index, project, key))

    def forget_page(self, index: str, project: str) -> Future[None]:
        """Forget what an index answered about a project."""
        return self._writer.submit(lambda transaction: self._pages.forget(transaction, index, project))

    def projects(self, after: str | None = None) -> Iterator[ProjectName]:
        """Yield the projects that follow ``after`` and have a stored file or a page, in order, a batch a transaction."""
        return chain.from_iterable(batches(self._environment, self._projects, str, after=after, size=BATCH))

    def _projects(self, transaction: lmdb.Transaction, after: str | None, limit: int) -> list[ProjectName]:
        sources = [self._names.projects(transaction, after)]
        sources += [self._pages.projects(transaction, index, after) for index in list(self._pages.indexes(transaction))]
        distinct = (ProjectName(project) for project, _ in groupby(heapq.merge(*sources)))
        found = list(islice(distinct, limit))
        del distinct
        for source in sources:
            source.close()  # their cursors must go before the transaction
        return found

    def put_page(self, index: str, project: str, record: PageRecord) -> Future[bool]:
        """Keep an index's answer; the future tells whether it differs from the one before."""

        def put(transaction: lmdb.Transaction) -> bool:
            before = self._pages.packed_page(transaction, index, project)
            dated = self._pages.dated(transaction, index, project, record)
            changed = self._pages.put(transaction, index, project, dated)
            if changed and before is not None:
                note_listed(transaction, self._names, self._shared, index, project, before)
            if changed and dated.page is not None:
                replaced = self._names.describe(transaction, index, project, dated.page, before)
                self._pages.see_again(transaction, index, project, replaced, now_us=record.fetched_at_us)
            return changed

        return self._writer.submit(put)

    def touch_page(self, index: str, project: str, *, fetched_at_us: int, max_age_s: float | None = None) -> Future[bool]:
        """Note that an index's answer is still the same, and how long it is good now (None: it does not say otherwise)."""
        return self._writer.submit(lambda transaction: self._pages.touch(transaction, index, project, fetched_at_us, max_age_s))

    def put_absent(self, index: str, project: str, *, index_url: str, fetched_at_us: int) -> Future[bool]:
        """Keep the answer that an index has no such project."""
        return self.put_page(index, project, PageRecord(index_url=index_url, fetched_at_us=fetched_at_us, absent=True))

    # --- tracked projects ----------------------------------------------------------------------------------------------

    def tracked(self, project: str) -> Tracked | None:
        """Return what is tracked of a project."""
        with self._environment.read() as transaction:
            return self._tracked.get(transaction, project)

    def all_tracked(self, after: str | None = None) -> Iterator[Tracked]:
        """Yield what is tracked of the projects that follow ``after``, in order, a batch a transaction."""
        read = batches(self._environment, self._tracked.iterate, lambda tracked: tracked.project, after=after, size=BATCH)
        return chain.from_iterable(read)

    def tracked_projects(self) -> int:
        """Return how many projects are tracked."""
        with self._environment.read() as transaction:
            return self._tracked.count(transaction)

    def track(self, tracked: Tracked) -> Future[bool]:
        """Track a project, in place of what was tracked of it; the future tells whether that differs."""
        return self._writer.submit(lambda transaction: self._tracked.put(transaction, tracked))

    def untrack(self, project: str) -> Future[bool]:
        """Stop tracking a project; the future tells whether it was tracked."""

        def work(transaction: lmdb.Transaction) -> bool:
            if not self._tracked.delete(transaction, project):
                return False
            self._pages.report_files(transaction, project)
            return True

        return self._writer.submit(work)

    def report_project(self, project: str) -> Future[None]:
        """Report that more is known of a tracked project's files than before."""
        return self._writer.submit(lambda transaction: self._tracked.report(transaction, project))

    # --- hosts ---------------------------------------------------------------------------------------------------------

    def host_rate(self, host: str) -> HostRate | None:
        """Return how a host has answered when that was last noted."""
        with self._environment.read() as transaction:
            return self._paces.get(transaction, host)

    def put_host_rate(self, host: str, pace: HostRate) -> Future[None]:
        """Note how a host answers."""
        return self._writer.submit(lambda transaction: self._paces.put(transaction, host, pace))

    # --- what was found out about files --------------------------------------------------------------------------------

    def facts(self, key: ContentKey) -> ContentFacts | None:
        """Return what was found out about a file."""
        with self._environment.read() as transaction:
            return self._facts.get(transaction, key)

    def sizes(self, keys: Sequence[ContentKey]) -> list[int | None]:
        """Return what is known of the sizes of many files: as they are stored, or as they were found out."""
        with self._environment.read() as transaction:
            return [self._size_in(transaction, key) for key in keys]

    def metadata(self, key: ContentKey) -> bytes | None:
        """Return the METADATA of a wheel, stored or not; None, too, when what is kept is damaged: it can be had again."""
        with self._environment.read() as transaction:
            packed = compressed.get(transaction, self._metadata, key)
        try:
            return None if packed is None else compressed.unpack(packed)
        except StoreDamaged as error:
            log.error("the metadata of %s: %s", key.hex(), error)
            return None

    def put_facts(self, key: ContentKey, facts: ContentFacts) -> Future[None]:
        """Keep what was found out about a file, in place of what was known."""
        return self._writer.submit(lambda transaction: self._facts.put(transaction, key, facts))

    def put_metadata(self, key: ContentKey, metadata: bytes) -> Future[None]:
        """Keep the METADATA of a wheel."""
        packed = compressed.pack(metadata)
        return self._writer.submit(lambda transaction: compressed.put(transaction, self._metadata, key, packed))

    # --- changes -------------------------------------------------------------------------------------------------------

    def last_transaction(self) -> int:
        """Return a number that grows with every write by any process; very cheap: to see whether anything changed."""
        return self._environment.last_transaction()

    def last_seq(self) -> int:
        """Return the number of the newest change."""
        with self._environment.read() as transaction:
            return self._journal.last_seq(transaction)

    def changes_since(self, seq: int, limit: int | None = None) -> Changes:
        """Return the changes after ``seq`` (0: all that are kept), or the first of them, and the newest one's number."""
        with self._environment.read() as transaction:
            return self._journal.since(transaction, seq, limit)

    # --- inside --------------------------------------------------------------------------------------------------------

    def _size_in(self, transaction: lmdb.Transaction, key: ContentKey) -> int | None:
        facts = self._facts.get(transaction, key)
        if facts is not None and facts.size_bytes is not None:
            return facts.size_bytes
        stored = self._names.content(transaction, key)
        return None if stored is None else stored.size_bytes
