"""The projects whose files the flat directories list before any of them is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.tracked import Tracked
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.records import Change
from wheelfs.store.engine.iteration import rows

if TYPE_CHECKING:
    import lmdb

    from wheelfs.store.catalog.journal import ChangeJournal
    from wheelfs.store.engine.environment import Environment

TRACKED_DATABASES: Final = ("tracked",)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Tracked)


class TrackedTable:
    """What is tracked, by project.

    A change is reported as one of the project's pages: that is what builds that know of no tracking make sense of, too.
    """

    def __init__(self, environment: Environment, journal: ChangeJournal) -> None:
        # None in a store of an older build that may not be written: nothing is tracked there.
        self._tracked = environment.database_if_any("tracked")
        self._journal = journal

    def get(self, transaction: lmdb.Transaction, project: str) -> Tracked | None:
        key = project.encode()
        found = None if self._tracked is None or len(key) > compressed.MAX_KEY_BYTES else transaction.get(key, db=self._tracked)
        return None if found is None else _decoded(key, found)

    def iterate(self, transaction: lmdb.Transaction, after: str | None, limit: int) -> list[Tracked]:
        """Return up to ``limit`` that follow the project ``after``, in order of project."""
        if self._tracked is None:
            return []
        return rows(transaction, self._tracked, _decoded, after=None if after is None else after.encode(), limit=limit)

    def count(self, transaction: lmdb.Transaction) -> int:
        return 0 if self._tracked is None else int(transaction.stat(self._tracked)["entries"])

    def put(self, transaction: lmdb.Transaction, tracked: Tracked) -> bool:
        """Write in place of what was there; tell whether that was something else."""
        before = self.get(transaction, tracked.project)
        if before is not None:
            tracked = msgspec.structs.replace(tracked, added_at_us=before.added_at_us)
        if before == tracked:
            return False
        compressed.check_key(tracked.project.encode())
        transaction.put(tracked.project.encode(), _encoder.encode(tracked), db=self._tracked)
        self.report(transaction, tracked.project)
        return True

    def delete(self, transaction: lmdb.Transaction, project: str) -> bool:
        """Remove; tell whether it was there."""
        if not transaction.delete(project.encode(), db=self._tracked):
            return False
        self.report(transaction, project)
        return True

    def report(self, transaction: lmdb.Transaction, project: str) -> None:
        """Say that flat directories may show more or less of a project."""
        self._journal.append(transaction, Change("page", project))


def _decoded(project: bytes, value: bytes | memoryview) -> Tracked:
    try:
        return _decoder.decode(value)
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"what is tracked of {project.decode()} cannot be read ({error})") from error
