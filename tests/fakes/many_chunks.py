"""A store of very many tiny chunks: what counts for housekeeping at scale, without the room of real wheels."""

from __future__ import annotations

import hashlib
import zlib
from array import array
from typing import TYPE_CHECKING, Final

import blake3

from tests.fakes.wheels import wheel_filename
from wheelfs.core.wheel.cutting import CutMember
from wheelfs.core.wheel.zip_layout import Member
from wheelfs.model.recipe import ChunkList, Extents, Recipe
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.chunks.ingest import Ingested

if TYPE_CHECKING:
    from wheelfs.store.store import Store

PER_FILE: Final = 1_000
SHARED: Final = 100
"""So many of a file's chunks are those of the file before: when that is removed, its block is a ninth in use."""

_CHUNK_BYTES: Final = 16
_TOGETHER: Final = 20
"""Files whose chunks are written in one transaction: the index is in random order, so each alone would rewrite a part of it."""
_NOTHING: Final = ChunkList(array("I"), b"", Extents())


def fill(store: Store, *, chunks: int) -> list[StoredName]:
    """Store at least so many different chunks, as members of made-up files, and return the files' names in order.

    The files have no real sha256: they can be collected, moved and read, but not verified.
    """
    names: list[StoredName] = []
    files = -(-chunks // (PER_FILE - SHARED))
    for start in range(0, files, _TOGETHER):
        names += _some(store, range(start, min(start + _TOGETHER, files)))
    return names


def _some(store: Store, numbers: range) -> list[StoredName]:
    pieces = [_pieces(number) for number in numbers]
    written = [store.chunks.append(some) for some in pieces]
    listed = [
        ChunkList(array("I", [_CHUNK_BYTES]) * PER_FILE, b"".join(digest for digest, _ in some), Extents.merged(extents.result()))
        for some, extents in zip(pieces, written, strict=True)
    ]
    noted = [
        one
        for some, chunks in zip(pieces, listed, strict=True)
        for one in store.chunks.members.note([_member(data) for _, data in some], chunks, b"", _NOTHING)
    ]
    for one in noted:
        one.result()
    names = []
    for number, chunks in zip(numbers, listed, strict=True):
        recipe = Recipe(chunks.size_bytes, array("I", bytes(4 * PER_FILE)), chunks, 0, _NOTHING)
        filename = wheel_filename("tiny", f"0.{number}")
        sha256 = hashlib.sha256(filename.encode()).digest()
        name = StoredName(
            project="tiny", filename=filename, index="local", size_bytes=recipe.size_bytes, added_at_us=1, sha256=sha256
        )
        store.seal(Ingested(sha256, recipe.size_bytes, recipe), [name])
        names.append(name)
    return names


def _pieces(number: int) -> list[tuple[bytes, bytes]]:
    first = number * (PER_FILE - SHARED)
    data = [value.to_bytes(_CHUNK_BYTES, "big") for value in range(first, first + PER_FILE)]
    return [(blake3.blake3(one).digest(), one) for one in data]


def _member(data: bytes) -> CutMember:
    # Large enough by its word to be a chunk, so that an entry leads to the chunk that it really is.
    return CutMember(Member("", zlib.crc32(data), 0, 0, 1 << 20, 1 << 20, 0), 1, 0)
