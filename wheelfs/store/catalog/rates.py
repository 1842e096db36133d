"""How hosts have answered lately, so that a process that lives for one file knows it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.store.catalog import compressed

if TYPE_CHECKING:
    import lmdb

    from wheelfs.store.engine.environment import Environment

RATE_DATABASES: Final = ("paces",)

MAX_RATES: Final = 1_000
"""Pages can name any host: of more than this many the one that was seen longest ago is forgotten."""


class HostRate(msgspec.Struct, frozen=True, array_like=True):
    """The pace of a host: seconds to the first byte, bytes a second from there, and when that was written."""

    latency_s: float
    rate: float
    seen_at_us: int


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(HostRate)


class RateTable:
    """Paces by ``scheme://host:port``.  None of it matters: what cannot be read is not there."""

    def __init__(self, environment: Environment) -> None:
        # None in a store of an older build that may not be written.
        self._paces = environment.database_if_any("paces")

    def get(self, transaction: lmdb.Transaction, host: str) -> HostRate | None:
        key = host.encode()
        found = None if self._paces is None or len(key) > compressed.MAX_KEY_BYTES else transaction.get(key, db=self._paces)
        return None if found is None else _decoded(found)

    def put(self, transaction: lmdb.Transaction, host: str, pace: HostRate) -> None:
        key = host.encode()
        if self._paces is None or len(key) > compressed.MAX_KEY_BYTES:
            return
        transaction.put(key, _encoder.encode(pace), db=self._paces)
        if transaction.stat(self._paces)["entries"] > MAX_RATES:
            with transaction.cursor(self._paces) as cursor:
                seen = [(0 if (one := _decoded(value)) is None else one.seen_at_us, bytes(key)) for key, value in cursor]
            transaction.delete(min(seen)[1], db=self._paces)


def _decoded(value: bytes | memoryview) -> HostRate | None:
    try:
        return _decoder.decode(value)
    except DECODE_ERRORS:
        return None
