"""Chunks come back as they went in, once each, and damage is noticed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import blake3
import pytest

from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import InternalError, StoreDamaged
from wheelfs.model.recipe import Extent
from wheelfs.store.engine.page_release import mapped_bytes

if TYPE_CHECKING:
    from wheelfs.store.chunks.chunk_store import ChunkStore

_RANDOM = random.Random(5)


def _piece(size: int) -> tuple[bytes, bytes]:
    data = _RANDOM.randbytes(size)
    return blake3.blake3(data).digest(), data


def _blocks(store: ChunkStore) -> int:
    with store.environment.read() as transaction:
        return int(transaction.stat(store.environment.database("blocks"))["entries"])


def test_chunks_come_back_as_they_went_in(chunk_store: ChunkStore) -> None:
    pieces = [_piece(size) for size in (1, 4000, BLOCK_BYTES, 100_000, 200_000, BLOCK_BYTES - 1, 7)]
    extents = chunk_store.append(pieces).result(10)
    assert [chunk_store.read(extent) for extent in extents] == [data for _, data in pieces]
    assert [chunk_store.locate(digest) for digest, _ in pieces] == extents
    assert chunk_store.locate(bytes(32)) is None


def test_small_chunks_share_blocks_in_their_order(chunk_store: ChunkStore) -> None:
    extents = chunk_store.append([_piece(1000) for _ in range(262)]).result(10)
    assert extents == [Extent(0, 1000 * number, 1000) for number in range(262)]
    assert _blocks(chunk_store) == 1


def test_a_full_chunk_between_small_ones_does_not_part_them(chunk_store: ChunkStore) -> None:
    extents = chunk_store.append([_piece(10), _piece(BLOCK_BYTES), _piece(10)]).result(10)
    assert extents == [Extent(0, 0, 10), Extent(1, 0, BLOCK_BYTES), Extent(0, 10, 10)]


def test_a_chunk_is_kept_once_within_a_call_and_between_calls(chunk_store: ChunkStore) -> None:
    one, two = _piece(100), _piece(200)
    first = chunk_store.append([one, two, one]).result(10)
    assert first[0] == first[2]
    last = chunk_store.environment.last_transaction()
    assert chunk_store.append([two, one]).result(10) == [first[1], first[0]]
    assert chunk_store.environment.last_transaction() == last
    assert _blocks(chunk_store) == 1


def test_a_block_number_is_never_used_twice(chunk_store: ChunkStore) -> None:
    digest, data = _piece(50)
    [before] = chunk_store.append([(digest, data)]).result(10)
    assert chunk_store._writer is not None

    def remove(transaction: object) -> None:
        database = chunk_store.environment.database
        key = before.block.to_bytes(8, "big")
        assert transaction.delete(key, db=database("blocks"))  # type: ignore[attr-defined]
        assert transaction.delete(digest, db=database("index"))  # type: ignore[attr-defined]

    chunk_store._writer.submit(remove).result(10)
    [after] = chunk_store.append([(digest, data)]).result(10)
    assert after.block > before.block
    with pytest.raises(StoreDamaged, match=f"block {before.block}: it is missing"):
        chunk_store.read(before)


@pytest.mark.parametrize("size", [0, BLOCK_BYTES + 1])
def test_a_chunk_of_an_impossible_size_is_a_bug(chunk_store: ChunkStore, size: int) -> None:
    with pytest.raises(InternalError):
        chunk_store.append([_piece(size)])


def test_a_changed_block_is_noticed_on_its_first_use(chunk_store: ChunkStore) -> None:
    [extent] = chunk_store.append([_piece(5000)]).result(10)
    assert chunk_store._writer is not None
    blocks = chunk_store.environment.database("blocks")
    chunk_store._writer.submit(lambda transaction: transaction.put(bytes(8), bytes(5000), db=blocks)).result(10)
    with pytest.raises(StoreDamaged, match="block 0"):
        chunk_store.read(extent)
    assert not chunk_store.is_checked(0)


def test_a_block_is_checked_once_in_a_process(chunk_store: ChunkStore) -> None:
    [extent] = chunk_store.append([_piece(5000)]).result(10)
    assert not chunk_store.is_checked(extent.block)
    chunk_store.read(extent)
    assert chunk_store.is_checked(extent.block)
    assert not chunk_store.is_checked(extent.block + 10_000)


def test_an_extent_beyond_its_block_is_damage(chunk_store: ChunkStore) -> None:
    [extent] = chunk_store.append([_piece(50)]).result(10)
    with pytest.raises(StoreDamaged, match="shorter"):
        chunk_store.read(extent._replace(length=51))


def test_releasing_the_mapping_shrinks_the_process_and_loses_nothing(chunk_store: ChunkStore) -> None:
    pieces = [_piece(BLOCK_BYTES) for _ in range(80)]
    extents = chunk_store.append(pieces).result(30)
    assert [chunk_store.read(extent) for extent in extents] == [data for _, data in pieces]
    before = mapped_bytes()
    chunk_store.environment.release_mapping()
    assert before - mapped_bytes() > 15_000_000
    assert chunk_store.read(extents[40]) == pieces[40][1]
