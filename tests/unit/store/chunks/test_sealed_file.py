"""Any range of a sealed file is what the file has there."""

from __future__ import annotations

import io
import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import StoreDamaged
from wheelfs.store.chunks import chunk_store as chunk_store_module
from wheelfs.store.chunks.ingest import ingest
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.limits import ReadTuning

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.model.recipe import Recipe
    from wheelfs.store.chunks.chunk_store import ChunkStore


def _wheel() -> bytes:
    seed = random.Random(3)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(60):
            archive.writestr(f"{number}", seed.randbytes(seed.choice([0, 1, 50, 3000])))
        archive.writestr("again", seed.randbytes(600_000))
        archive.writestr("last.gz", seed.randbytes(100))
    return buffer.getvalue()


def _stored(store: ChunkStore, path: Path, data: bytes) -> Recipe:
    path.write_bytes(data)
    with path.open("rb") as file:
        return ingest(store, file.fileno(), len(data), expected_sha256=None, name="file").recipe


def test_every_range_is_what_the_file_has_there(chunk_store: ChunkStore, tmp_path: Path) -> None:
    data = _wheel()
    sealed = SealedFile(_stored(chunk_store, tmp_path / "f", data), chunk_store)
    assert sealed.size == len(data)
    seed = random.Random(1)
    ranges = [(seed.randrange(len(data)), seed.choice([1, 2, 100, 5000, 300_000])) for _ in range(1500)]
    ranges += [(position, 1) for position in range(1200)] + [(len(data) - position, 400) for position in range(700)]
    for offset, size in ranges:
        assert sealed.read(offset, size) == data[offset : offset + size]


def test_an_outline_has_all_but_the_chunks(chunk_store: ChunkStore, tmp_path: Path) -> None:
    data = _wheel()
    recipe = _stored(chunk_store, tmp_path / "f", data)
    outlined = bytearray(data)
    position = 0
    for gap, length in zip(recipe.gaps, recipe.data.lengths, strict=True):
        outlined[position + gap : position + gap + length] = bytes(length)
        position += gap + length
    sealed = SealedFile(recipe, chunk_store)
    seed = random.Random(2)
    for _ in range(500):
        offset, size = seed.randrange(-5, len(data) + 9), seed.choice([1, 100, 300_000])
        assert sealed.outline(offset, size) == (outlined[offset : offset + size] if offset >= 0 else b"")


@pytest.mark.parametrize(("offset", "size"), [(10**9, 10), (0, 0), (-5, 10), (5, -1)])
def test_nothing_is_read_outside_the_file(chunk_store: ChunkStore, tmp_path: Path, offset: int, size: int) -> None:
    sealed = SealedFile(_stored(chunk_store, tmp_path / "f", _wheel()), chunk_store)
    assert sealed.read(offset, size) == b""
    assert sealed.is_warm(offset, size)


def test_a_range_on_the_disk_is_warm_once_it_has_been_read(
    chunk_store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_store_module, "is_resident", lambda view: False)
    data = _wheel()
    sealed = SealedFile(_stored(chunk_store, tmp_path / "f", data), chunk_store)
    assert not sealed.is_warm(0, 1000)
    sealed.read(0, 1000)
    assert sealed.is_warm(0, 1000)
    assert not sealed.is_warm(0, len(data))
    sealed.read(0, len(data))
    assert sealed.is_warm(0, len(data))


def test_a_range_in_memory_is_warm_before_unless_much_of_it_has_to_be_checked(chunk_store: ChunkStore, tmp_path: Path) -> None:
    data = _wheel()
    sealed = SealedFile(_stored(chunk_store, tmp_path / "f", data), chunk_store)
    assert sealed.is_warm(0, len(data))  # it was written a moment ago
    chunk_store.tuning = ReadTuning(checked_blocks=2)
    assert not sealed.is_warm(0, len(data))
    assert sealed.is_warm(0, 1000)
    chunk_store.tuning = ReadTuning(checked_blocks=2, quick_skeleton_bytes=10)
    assert not sealed.is_warm(0, 1000)


def test_a_range_whose_block_is_missing_is_not_warm(chunk_store: ChunkStore, tmp_path: Path) -> None:
    recipe = _stored(chunk_store, tmp_path / "f", _wheel())
    chunk_store.delete_blocks([recipe.data.extents.blocks[0]]).result(10)
    assert not SealedFile(recipe, chunk_store).is_warm(0, 1000)


def test_a_damaged_block_is_never_served(chunk_store: ChunkStore, tmp_path: Path) -> None:
    recipe = _stored(chunk_store, tmp_path / "f", _wheel())
    assert chunk_store._writer is not None
    blocks = chunk_store.environment.database("blocks")

    def flip(transaction: object) -> None:
        key = recipe.data.extents.blocks[0].to_bytes(8, "big")
        data = bytearray(transaction.get(key, db=blocks))  # type: ignore[attr-defined]
        data[-1] ^= 1
        transaction.put(key, bytes(data), db=blocks)  # type: ignore[attr-defined]

    chunk_store._writer.submit(flip).result(10)
    with pytest.raises(StoreDamaged, match="not what was written"):
        SealedFile(recipe, chunk_store).read(0, 100)


def test_a_skeleton_of_another_size_is_damage(chunk_store: ChunkStore, tmp_path: Path) -> None:
    first = _stored(chunk_store, tmp_path / "f", _wheel())
    other = _stored(chunk_store, tmp_path / "g", _wheel()[:-22] + b"junk" + _wheel()[-22:])
    first.skeleton = other.skeleton
    with pytest.raises(StoreDamaged, match="skeleton"):
        SealedFile(first, chunk_store).read(0, 100)
