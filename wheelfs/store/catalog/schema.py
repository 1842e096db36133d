"""The version of the catalog's records, written once when a catalog is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.errors import StoreFormat

if TYPE_CHECKING:
    import lmdb

    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.writer import ReadOnlyWriter, Writer

SCHEMA: Final = b"1"
_KEY: Final = b"schema"


def check_schema(environment: Environment, writer: Writer | ReadOnlyWriter) -> None:
    """Write the version into a new catalog; raise `StoreFormat` for a catalog of another version."""
    meta = environment.database("meta")
    with environment.read() as transaction:
        found = transaction.get(_KEY, db=meta)
        schema = None if found is None else bytes(found)
    if schema is None and not environment.readonly:
        # Another process may be writing the same at this moment.
        schema = writer.submit(lambda transaction: _schema_or_own(transaction, meta)).result()
    if schema not in (None, SCHEMA):
        raise StoreFormat(
            f"open store {environment.path}",
            f"its catalog has schema {schema!r}, this wheelfs reads {SCHEMA!r}",
            "use the wheelfs that made it, or name another directory with --store",
        )


def _schema_or_own(transaction: lmdb.Transaction, meta: lmdb._Database) -> bytes:
    found = transaction.get(_KEY, db=meta)
    if found is None:
        transaction.put(_KEY, SCHEMA, db=meta)
    return SCHEMA if found is None else bytes(found)
