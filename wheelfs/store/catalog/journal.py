"""The journal of visible changes: how a process learns what another one did, without comparing the whole catalog."""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.store.catalog.compressed import damaged
from wheelfs.store.catalog.records import Change, Changes

if TYPE_CHECKING:
    import lmdb

KEPT: Final = 100_000
"""About 10 MB.  A reader that lags further learns that (`Changes.complete`) and must treat everything as changed."""

_SEQ: Final = struct.Struct(">Q")
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Change)


class ChangeJournal:
    """Numbered changes, from 1 on without gaps.  The next number follows from the last entry, which is never trimmed."""

    def __init__(self, database: lmdb._Database, *, kept: int = KEPT) -> None:
        """Keep the last ``kept`` changes (at least one)."""
        self._database = database
        self._kept = kept

    def append(self, transaction: lmdb.Transaction, change: Change) -> None:
        """Add a change, to be committed with what it describes, and drop at most two old ones: no commit pays for all."""
        seq = self.last_seq(transaction) + 1
        transaction.put(_SEQ.pack(seq), _encoder.encode(change), db=self._database, append=True)
        with transaction.cursor(self._database) as cursor:
            for _ in range(2):
                if cursor.first() and _SEQ.unpack(cursor.key())[0] <= seq - self._kept:
                    cursor.delete()

    def last_seq(self, transaction: lmdb.Transaction) -> int:
        """Return the number of the newest change; 0 before the first."""
        with transaction.cursor(self._database) as cursor:
            return int(_SEQ.unpack(cursor.key())[0]) if cursor.last() else 0

    def since(self, transaction: lmdb.Transaction, seq: int, limit: int | None = None) -> Changes:
        """Return the changes after ``seq``, the first ``limit`` of them; see `Changes`.

        A number from the future (another store) is not complete either.
        """
        found: list[Change] = []
        last = self.last_seq(transaction)
        with transaction.cursor(self._database) as cursor:
            oldest = int(_SEQ.unpack(cursor.key())[0]) if cursor.first() else 1
            if 0 <= seq < last and cursor.set_range(_SEQ.pack(seq + 1)):
                try:
                    found.extend(map(_decoder.decode, islice(cursor.iternext(keys=False, values=True), limit)))
                except DECODE_ERRORS as error:
                    raise damaged(f"a change cannot be read ({error})") from error
        return Changes(found, last, oldest - 1 <= seq <= last)
