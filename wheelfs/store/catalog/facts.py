"""What was found out about files that their indexes do not say, by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.records import ContentFacts

if TYPE_CHECKING:
    import lmdb

    from wheelfs.model.content import ContentKey
    from wheelfs.store.engine.environment import Environment

FACT_DATABASES: Final = ("facts",)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ContentFacts)


class FactTable:
    """Facts by content key; damage is `StoreDamaged`."""

    def __init__(self, environment: Environment) -> None:
        self._facts = environment.database("facts")

    def get(self, transaction: lmdb.Transaction, key: ContentKey) -> ContentFacts | None:
        found = transaction.get(key, db=self._facts)
        if found is None:
            return None
        try:
            return _decoder.decode(found)
        except DECODE_ERRORS as error:
            raise compressed.damaged(f"the facts about {key.hex()} cannot be read ({error})") from error

    def put(self, transaction: lmdb.Transaction, key: ContentKey, facts: ContentFacts) -> None:
        transaction.put(key, _encoder.encode(facts), db=self._facts)
