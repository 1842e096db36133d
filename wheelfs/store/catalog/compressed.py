"""Values of any length in an LMDB database, as parts that waste no page; written, replaced and read in one transaction.

Part ``n`` is kept under the key followed by ``n`` as two bytes, big-endian.  No key may be another's beginning followed by two
bytes: callers use keys of fixed length, or end them with a zero byte that is nowhere else in a key's last component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from wheelfs.errors import InvalidInput, StoreDamaged

if TYPE_CHECKING:
    import lmdb

PART_BYTES: Final = 262_128
"""64 pages less their header; values much above 256 KiB need long runs of free pages, which slow LMDB's free list down."""
MAX_PARTS: Final = 4096
"""1 GiB: far above any page or recipe, far below what two bytes can count."""

MAX_KEY_BYTES: Final = 511
"""LMDB's bound."""


def put(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes, value: bytes) -> None:
    """Write ``value`` under ``key`` in place of what was there; raises `InvalidInput` when it or the key is too long."""
    parts = max(1, -(-len(value) // PART_BYTES))
    if parts > MAX_PARTS:
        raise InvalidInput("write to the catalog", f"a value has {len(value)} bytes, more than {MAX_PARTS * PART_BYTES}")
    check_key(key, room=2)
    view = memoryview(value)
    for number in range(parts):
        transaction.put(_part_key(key, number), view[number * PART_BYTES : (number + 1) * PART_BYTES], db=database)
    _delete_from(transaction, database, key, parts)


def get(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes) -> bytes | None:
    """Return the value under ``key``, or None."""
    if len(key) + 2 > MAX_KEY_BYTES:
        return None
    parts: list[bytes | memoryview] = []
    while len(parts) < MAX_PARTS:
        part = transaction.get(_part_key(key, len(parts)), db=database)
        if part is None:
            break
        parts.append(part)
        if len(part) < PART_BYTES:
            break
    return b"".join(parts) if parts else None


def first_part(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes) -> bytes | memoryview | None:
    """Return how the value under ``key`` begins, or None; valid as long as ``transaction``."""
    return transaction.get(_part_key(key, 0), db=database)


def delete(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes) -> bool:
    """Remove the value under ``key``; tell whether there was one."""
    return _delete_from(transaction, database, key, 0)


def _delete_from(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes, number: int) -> bool:
    first = number
    while number < MAX_PARTS and transaction.delete(_part_key(key, number), db=database):
        number += 1
    return number > first


def _part_key(key: bytes, number: int) -> bytes:
    return key + number.to_bytes(2, "big")


def check_key(key: bytes, *, room: int = 0) -> None:
    """Raise `InvalidInput` when a key (with ``room`` bytes to follow) is longer than the catalog can hold."""
    if len(key) + room > MAX_KEY_BYTES:
        raise InvalidInput(
            "write to the catalog",
            f"a name is too long: {key[:60]!r}...",
            f"names together have at most {MAX_KEY_BYTES - 40} bytes",
        )


def pack(data: bytes) -> bytes:
    """Return ``data`` as one zstd frame that states its size and ends with a checksum: LMDB's pages have none."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)


def unpack(frame: bytes) -> bytes:
    """Return what `pack` was given; raises `StoreDamaged`."""
    try:
        return zstandard.ZstdDecompressor().decompress(frame)
    except (zstandard.ZstdError, MemoryError) as error:
        raise damaged(f"a value cannot be unpacked ({error})") from error


def damaged(happened: str) -> StoreDamaged:
    """Return the error for catalog bytes that are not what was written."""
    return StoreDamaged("read the catalog", happened, "run: wheelfs verify")
