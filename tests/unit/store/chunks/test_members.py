"""Members of stored wheels are found by what a directory says of them, as long as their chunks are here."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.fakes.wheels import build_wheel, incompressible
from wheelfs.core.fetch.delta import Likeness
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.cutting import BLOCK_BYTES, GZ_HEAD_BYTES
from wheelfs.errors import ContentMismatch
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.chunks.ingest import ingest
from wheelfs.store.gc.collect import collect
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.core.wheel.zip_layout import Member
    from wheelfs.store.chunks.chunk_store import ChunkStore

WHEEL = build_wheel(
    "demo",
    "1.0",
    files={
        "demo/small.py": b"small = 1\n",
        "demo/large.bin": incompressible(3 * BLOCK_BYTES + 5),
        "demo/packed.json.gz": incompressible(5000, "gz"),
        "demo/empty.py": b"",
    },
    compression="stored",
)


def members_of(content: bytes) -> tuple[Member, ...]:
    location = zip_layout.find_directory(content, len(content))
    assert isinstance(location, zip_layout.DirectoryLocation)
    return zip_layout.parse_directory(content[location.offset : location.offset + location.size_bytes], location)


def store_bytes(chunks: ChunkStore, path: Path, content: bytes, expected: bytes | None = None) -> None:
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        ingest(chunks, descriptor, len(content), expected_sha256=expected, name="demo")
    finally:
        os.close(descriptor)


def test_every_member_with_data_is_found_and_its_bytes_are_its_own(chunk_store: ChunkStore, tmp_path: Path) -> None:
    store_bytes(chunk_store, tmp_path / "w", WHEEL)
    members = members_of(WHEEL)
    assert len(members) == 7
    for member, stored in zip(members, chunk_store.members.find(members), strict=True):
        start = zip_layout.data_offset(member, WHEEL[member.header_offset : member.header_offset + 30])
        data = WHEEL[start : start + member.compressed_size]
        assert stored.known.likeness is (Likeness.SAME if data else Likeness.UNKNOWN)
        known = stored.small + b"".join(chunk_store.read(extent) for extent in stored.extents)
        assert known == data[stored.known.absent_bytes :]
        assert stored.known.absent_bytes == (GZ_HEAD_BYTES if member.name.endswith(".gz") else 0)


def test_the_same_content_packed_otherwise_is_told_from_unknown_content(chunk_store: ChunkStore, tmp_path: Path) -> None:
    store_bytes(chunk_store, tmp_path / "w", WHEEL)
    member = members_of(WHEEL)[0]
    asked = [replace(member, compressed_size=member.compressed_size + 1), replace(member, crc=member.crc ^ 1), member]
    likenesses = [stored.known.likeness for stored in chunk_store.members.find(asked)]
    assert likenesses == [Likeness.OTHER_ENCODER, Likeness.UNKNOWN, Likeness.SAME]


def test_a_member_of_which_a_chunk_is_gone_is_unknown_and_swept_away(chunk_store: ChunkStore, tmp_path: Path) -> None:
    store_bytes(chunk_store, tmp_path / "w", WHEEL)
    members = members_of(WHEEL)
    large = chunk_store.members.find(members)[1].extents
    gone = [entry for entry in chain.from_iterable(chunk_store.entry_batches()) if entry[1] == large[2]]
    chunk_store.forget(gone).result()
    assert chunk_store.members.find(members)[1].known.likeness is Likeness.UNKNOWN
    assert sum(chunk_store.members.sweep()) == 1
    assert sum(chunk_store.members.sweep()) == 0
    assert [stored.known.likeness for stored in chunk_store.members.find(members)].count(Likeness.SAME) == 5


def test_members_of_a_file_that_is_not_what_was_promised_are_not_noted(chunk_store: ChunkStore, tmp_path: Path) -> None:
    with pytest.raises(ContentMismatch):
        store_bytes(chunk_store, tmp_path / "w", WHEEL, expected=bytes(32))
    assert all(stored.known.likeness is Likeness.UNKNOWN for stored in chunk_store.members.find(members_of(WHEEL)))


def test_members_of_4_gib_are_unknown(chunk_store: ChunkStore) -> None:
    member = replace(members_of(WHEEL)[0], size=1 << 32, compressed_size=1 << 32)
    assert chunk_store.members.find([member])[0].known.likeness is Likeness.UNKNOWN


def test_a_collection_takes_the_members_of_removed_wheels_along(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(WHEEL)
    name = StoredName(project="demo", filename="demo-1.0-py3-none-any.whl", index="local", size_bytes=len(WHEEL), added_at_us=1)
    with Store.open(tmp_path / "store") as store:
        with (tmp_path / "w").open("rb") as file:
            store.add_content(file.fileno(), len(WHEEL), expected_sha256=None, names=[name])
        (stored,) = store.catalog.stored_names("demo")
        assert sum(store.chunks.members.sweep()) == 0
        store.catalog.remove_name(stored.key).result()
        collect(store)
        assert all(one.known.likeness is Likeness.UNKNOWN for one in store.chunks.members.find(members_of(WHEEL)))
        assert sum(store.chunks.members.sweep()) == 0, "nothing was left to sweep"
