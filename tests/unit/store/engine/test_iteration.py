"""Walks over a database: in order, complete, and each batch in a transaction of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.iteration import batches, key_of, rows
from wheelfs.store.engine.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import lmdb

    from wheelfs.store.engine.environment import Environment

KEYS = [b"a", b"b", b"b1", b"b2", b"bb", b"c"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    directory = StoreDirectory.open(tmp_path / "store", create=True)
    opened = directory.open_environment("catalog", ("things",))
    writer = Writer(opened)
    for key in KEYS:
        put(writer, opened, key)
    yield opened
    writer.close()
    directory.close()


def put(writer: Writer, environment: Environment, key: bytes) -> None:
    writer.submit(lambda transaction: transaction.put(key, b"", db=environment.database("things"))).result()


@pytest.mark.parametrize(
    ("after", "prefix", "limit", "expected"),
    [
        (None, b"", None, KEYS),
        (None, b"", 2, KEYS[:2]),
        (b"b", b"", None, KEYS[2:]),
        (b"ab", b"", None, KEYS[1:]),
        (None, b"b", None, KEYS[1:5]),
        (b"b1", b"b", None, KEYS[3:5]),
        (b"a", b"b", 1, KEYS[1:2]),
        (b"c", b"b", None, []),
        (b"c", b"", None, []),
        (None, b"d", None, []),
    ],
)
def test_rows_follow_a_key_and_share_a_prefix(
    environment: Environment, after: bytes | None, prefix: bytes, limit: int | None, expected: list[bytes]
) -> None:
    things = environment.database("things")
    with environment.read() as transaction:
        assert rows(transaction, things, key_of, after=after, prefix=prefix, limit=limit) == expected


@pytest.mark.parametrize("size", [1, 2, 6, 100])
def test_batches_give_everything_once(environment: Environment, size: int) -> None:
    def read(transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[bytes]:
        return rows(transaction, environment.database("things"), key_of, after=after, limit=limit)

    found = list(batches(environment, read, lambda key: key, size=size))
    assert [key for batch in found for key in batch] == KEYS
    assert all(len(batch) <= size for batch in found)


def test_what_is_written_between_two_batches_is_seen(environment: Environment) -> None:
    def read(transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[bytes]:
        return rows(transaction, environment.database("things"), key_of, after=after, limit=limit)

    walk = batches(environment, read, lambda key: key, size=4)
    assert next(walk) == KEYS[:4]
    writer = Writer(environment)
    put(writer, environment, b"ba")
    writer.close()
    assert next(walk) == [b"ba", b"bb", b"c"]
