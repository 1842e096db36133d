"""Solid blocks that are damaged, and audited: found, told from another zlib, and made again once and not for each chunk."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.wheels import build_wheel
from tests.unit.store.gc.shelf import Shelf, edited, made_solid, text
from wheelfs.core.solid.repeating import SolidBlock
from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import StoreDamaged, StoreError
from wheelfs.model.recipe import Recipe
from wheelfs.store.chunks import solid_blocks
from wheelfs.store.chunks.lookup import read_verified
from wheelfs.store.chunks.relocate import places
from wheelfs.store.chunks.solid_blocks import SolidBlocks
from wheelfs.store.gc.collect import collect
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb


def test_a_damaged_stream_is_told_from_another_zlib(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    made_solid(shelf)
    shelf.again()
    monkeypatch.setattr(solid_blocks, "_data_of", lambda stream, repeats: {one.start: b"x" * (1 << 20) for one in repeats})
    with pytest.raises(StoreDamaged):
        shelf.read(wheels[0])
    monkeypatch.setattr(solid_blocks, "is_the_original", lambda: False)
    shelf.again()
    with pytest.raises(StoreError, match="in the place of zlib") as caught:
        shelf.read(wheels[0])
    assert not isinstance(caught.value, StoreDamaged), "nothing is quarantined for it"


def another_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solid_blocks, "_data_of", lambda stream, repeats: {one.start: b"x" * (1 << 20) for one in repeats})
    monkeypatch.setattr(solid_blocks, "is_the_original", lambda: False)


def test_what_another_zlib_cannot_make_again_is_as_if_it_were_not_here(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_solid(shelf)
    shelf.again()
    another_zlib(monkeypatch)
    chunks = shelf.store.chunks
    encoded = shelf.store.catalog.recipe(hashlib.sha256(wheels[0]).digest())
    assert encoded is not None
    found = [(chunk, place) for chunk, place in places(Recipe.decode(encoded).data) if chunks.is_solid(place.block)]
    assert found
    assert {read_verified(chunks, chunk, place) for chunk, place in found} == {None}


def test_a_wheel_that_is_stored_where_zlib_is_another_can_be_read_there(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_solid(shelf)
    shelf.again()
    another_zlib(monkeypatch)
    wheel = build_wheel("demo", "9.0", files={"demo/large.dat": edited(text("large", 900_000), 0), "demo/own9.py": b"new"})
    shelf.add(9, wheel)
    assert shelf.read(wheel) == wheel
    monkeypatch.undo()
    shelf.again()
    assert [shelf.read(wheel) for wheel in wheels] == wheels, "nothing is lost"


def test_a_flipped_bit_is_found(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    environment = shelf.store.environments[1]
    streams = environment.database("solid-streams")
    with environment.write() as transaction, transaction.cursor(streams) as cursor:
        for key, value in list(cursor):
            broken = bytearray(value)
            broken[len(broken) // 2] ^= 1
            transaction.put(bytes(key), bytes(broken), db=streams)
    shelf.again()
    with pytest.raises(StoreDamaged):
        shelf.read(wheels[0])
    assert shelf.read(wheels[3]) == wheels[3]


@pytest.mark.parametrize("damage", [lambda entry: b"\xc1" + entry[1:], lambda entry: _with_level(entry, 77)])
def test_what_is_damaged_of_how_a_block_is_made_is_found_and_goes(
    shelf: Shelf, wheels: list[bytes], damage: Callable[[bytes], bytes]
) -> None:
    made_solid(shelf)
    environment = shelf.store.environments[1]
    blocks = environment.database("solid-blocks")
    with environment.write() as transaction, transaction.cursor(blocks) as cursor:
        for key, value in list(cursor):
            transaction.put(bytes(key), damage(bytes(value)), db=blocks)
    shelf.again()
    with pytest.raises(StoreDamaged):
        shelf.read(wheels[0])
    assert [checked.reason is None for checked in verify(shelf.store)].count(False) == 3
    for name in shelf.store.catalog.stored_names("demo")[:3]:
        shelf.store.catalog.remove_name(name.key).result()
    collect(shelf.store)
    assert shelf.entries("solid-blocks") == 0
    assert shelf.read(wheels[3]) == wheels[3]


def _with_level(entry: bytes, level: int) -> bytes:
    block = SolidBlock.decode(entry)
    return SolidBlock(block.stream, tuple(msgspec.structs.replace(one, level=level) for one in block.repeats)).encode()


def makes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of each block that is made again."""
    made: list[int] = []
    make = SolidBlocks._make

    def noted(blocks: SolidBlocks, transaction: lmdb.Transaction, number: int, block: SolidBlock) -> bytes:
        made.append(number)
        return make(blocks, transaction, number, block)

    monkeypatch.setattr(SolidBlocks, "_make", noted)
    return made


def test_a_read_only_store_makes_a_block_once_in_whatever_order_it_is_read(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_solid(shelf)
    monkeypatch.setattr(solid_blocks, "_MADE_BYTES", 1)
    shelf.again(readonly=True)
    made = makes(monkeypatch)
    offsets = list(range(0, len(wheels[0]), 4_000))
    random.Random(4).shuffle(offsets)
    with shelf.store.reading(hashlib.sha256(wheels[0]).digest()) as sealed:
        assert all(sealed.read(offset, 4_000) == wheels[0][offset : offset + 4_000] for offset in offsets)
    assert len(made) == len(set(made)) > 1


def test_an_audit_makes_each_block_again_a_few_times(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    made_solid(shelf)
    monkeypatch.setattr(solid_blocks, "_MADE_TO_STAY_BYTES", BLOCK_BYTES)
    shelf.again()
    made = makes(monkeypatch)
    assert [checked.reason for checked in verify(shelf.store, quick=True)] == [None] * 4
    assert len(made) <= 2 * shelf.entries("solid-blocks"), "by itself, and for the entries of the index that lead to it"
