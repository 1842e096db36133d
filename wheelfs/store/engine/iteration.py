"""Going through a database of any size by short transactions, a batch at a time.

A read transaction keeps every page that is freed meanwhile, so none may last as long as a walk over a million entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lmdb

    from wheelfs.store.engine.environment import Environment

T = TypeVar("T")
Place = TypeVar("Place")


def rows(
    transaction: lmdb.Transaction,
    database: lmdb._Database,
    decode: Callable[[bytes, bytes | memoryview], T],
    *,
    after: bytes | None = None,
    prefix: bytes = b"",
    limit: int | None = None,
) -> list[T]:
    """Return up to ``limit`` decoded entries whose keys begin with ``prefix`` and follow ``after``, in order of key.

    ``decode`` is given the key and a value that is valid only as long as ``transaction``.
    """
    found: list[T] = []
    start = prefix if after is None else max(prefix, after)
    with transaction.cursor(database) as cursor:
        more = cursor.set_range(start) if start else cursor.first()
        if more and after is not None and cursor.key() == after:
            more = cursor.next()
        while more and (limit is None or len(found) < limit) and (key := bytes(cursor.key())).startswith(prefix):
            found.append(decode(key, cursor.value()))
            more = cursor.next()
    return found


def key_of(key: bytes, _value: bytes | memoryview) -> bytes:
    """Return the key: a ``decode`` for `rows`."""
    return key


def batches(
    environment: Environment,
    read: Callable[[lmdb.Transaction, Place | None, int], list[T]],
    place_of: Callable[[T], Place],
    *,
    after: Place | None = None,
    size: int,
) -> Iterator[list[T]]:
    """Yield what ``read(transaction, after, size)`` returns, each batch from a transaction of its own, until it returns nothing.

    ``place_of`` gives the place of an entry, to continue from.  What is written between two batches is seen by the later one.
    """
    while True:
        with environment.read() as transaction:
            batch = read(transaction, after, size)
        if not batch:
            return
        yield batch
        after = place_of(batch[-1])
