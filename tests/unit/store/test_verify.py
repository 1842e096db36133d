"""Rot is found, whatever it hit, and what it hit is not served any more; what is sound is never accused."""

from __future__ import annotations

import hashlib
import os
import threading
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.fakes.rot import flip
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import StoreDamaged
from wheelfs.model.environment import LAYOUT, Environment, EnvironmentLabel, Interpreter
from wheelfs.store.catalog.mounted_environments import encoded
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.chunks.chunk_store import ChunkStore
from wheelfs.store.coordination.locks import lock_within
from wheelfs.store.gc import collect as collecting
from wheelfs.store.gc.collect import collect
from wheelfs.store.gc.eviction import make_room
from wheelfs.store.limits import Limits
from wheelfs.store.store import Store
from wheelfs.store.verify import Checked, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = build_wheel("one", "1.0", files={"one/data.bin": incompressible(700_000, "one"), "one/x.bin": incompressible(9_000, "x")})
TWO = build_wheel("two", "1.0", files={"two/data.bin": incompressible(300_000, "two"), "two/x.bin": incompressible(9_000, "x")})
ONE_NAME, TWO_NAME = wheel_filename("one", "1.0"), wheel_filename("two", "1.0")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def add(store: Store, tmp_path: Path, project: str, data: bytes) -> None:
    path = tmp_path / "input"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    name = StoredName(project=project, filename=wheel_filename(project, "1.0"), index="main", size_bytes=len(data), added_at_us=1)
    store.add_content(descriptor, len(data), expected_sha256=None, names=[name])
    os.close(descriptor)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        add(opened, tmp_path, "one", ONE)
        add(opened, tmp_path, "two", TWO)
        yield opened


def rot(store: Store, database: str, key: bytes, *, at: int = 100) -> None:
    """Flip a byte unnoticed by the store."""
    environment = store.environments[1 if database in ("blocks", "block-info", "index") else 0]
    handle = environment.database(database)
    with environment.raw.begin(write=True) as transaction:
        value = bytearray(transaction.get(key, db=handle) or b"")
        value[at] ^= 1
        transaction.put(key, bytes(value), db=handle)


def block_of(store: Store, data: bytes) -> int:
    """The block of the wheel's largest member."""
    return min(
        place.block
        for digest, place in chain.from_iterable(store.chunks.entry_batches())
        if place.length > 200_000 and store.chunks.read(place) in data
    )


def damaged(found: list[Checked]) -> dict[str, str | None]:
    return {checked.filenames[0]: checked.reason for checked in found if checked.reason is not None}


@pytest.mark.parametrize("quick", [False, True])
def test_a_sound_store_is_found_sound(store: Store, quick: bool) -> None:
    found = list(verify(store, quick=quick))
    assert {checked.filenames for checked in found} == {(ONE_NAME,), (TWO_NAME,)}
    assert damaged(found) == {}


@pytest.mark.parametrize("quick", [False, True])
def test_a_flipped_bit_in_a_block_is_found_and_only_its_wheel_quarantined(store: Store, quick: bool) -> None:
    rot(store, "blocks", block_of(store, ONE).to_bytes(8, "big"))
    assert set(damaged(list(verify(store, quick=quick)))) == {ONE_NAME}
    with pytest.raises(StoreDamaged, match="quarantined"):
        store.open_sealed(sha(ONE))
    assert store.open_sealed(sha(TWO)).read(0, len(TWO)) == TWO
    assert set(damaged(list(verify(store, quick=quick)))) == {ONE_NAME}, "it is told again until it is mended"


def test_sealing_it_anew_mends_it_although_its_chunks_seem_to_be_here(store: Store, tmp_path: Path) -> None:
    rot(store, "blocks", block_of(store, ONE).to_bytes(8, "big"))
    assert damaged(list(verify(store)))
    add(store, tmp_path, "one", ONE)
    assert store.open_sealed(sha(ONE)).read(0, len(ONE)) == ONE
    assert damaged(list(verify(store))) == {}
    collect(store)
    assert damaged(list(verify(store))) == {}


def test_an_entry_of_the_index_that_leads_elsewhere_is_forgotten_and_no_wheel_accused(store: Store, tmp_path: Path) -> None:
    entries = chain.from_iterable(store.chunks.entry_batches())
    (digest, _) = next(entry for entry in entries if entry[1].length == 262_128)
    # Block 1 is another one of the same length.
    rot(store, "index", digest, at=7)
    assert damaged(list(verify(store))) == {}
    assert store.chunks.locate(digest) is None


def test_a_damaged_recipe_is_found(store: Store) -> None:
    rot(store, "recipes", sha(ONE) + b"\0\0")
    assert "recipe" in (damaged(list(verify(store)))[ONE_NAME] or "")
    with pytest.raises(StoreDamaged):
        store.open_sealed(sha(ONE))


def test_a_recipe_that_gives_another_file_is_found_by_the_sha256_alone(store: Store) -> None:
    handle = store.environments[0].database("recipes")
    with store.environments[0].raw.begin(write=True) as transaction:
        transaction.put(sha(ONE) + b"\0\0", transaction.get(sha(TWO) + b"\0\0", db=handle) or b"", db=handle)
        contents = store.environments[0].database("contents")
        transaction.put(sha(ONE), transaction.get(sha(TWO), db=contents) or b"", db=contents)
    assert damaged(list(verify(store, quick=True))) == {}
    assert damaged(list(verify(store))) == {ONE_NAME: "its sha256 is wrong"}


def test_a_missing_block_is_found(store: Store) -> None:
    store.chunks.delete_blocks([block_of(store, TWO)]).result()
    assert set(damaged(list(verify(store)))) == {TWO_NAME}


def test_a_name_without_content_is_told(store: Store) -> None:
    environment = store.environments[0]
    with environment.raw.begin(write=True) as transaction:
        transaction.delete(sha(ONE), db=environment.database("contents"))
    assert "content" in (damaged(list(verify(store)))[ONE_NAME] or "")


def test_only_what_is_named_is_checked(store: Store) -> None:
    rot(store, "blocks", block_of(store, ONE).to_bytes(8, "big"))
    assert damaged(list(verify(store, wanted=lambda name: name.project == "two"))) == {}
    assert set(damaged(list(verify(store, wanted=lambda name: name.filename.startswith("one-"))))) == {ONE_NAME}


def test_a_broken_tree_is_told_before_anybody_walks_it(tmp_path: Path, store: Store) -> None:
    data_file = store.path / "catalog" / "data.mdb"
    with data_file.open("r+b") as file:
        # A leaf page's number, at the start of the page: no page may carry another's.
        for page in range(2, data_file.stat().st_size // 4096):
            file.seek(page * 4096)
            if int.from_bytes(file.read(8), "little") == page:
                file.seek(page * 4096)
                file.write((page + 1).to_bytes(8, "little"))
    found = list(verify(store))
    assert [checked.filenames for checked in found] == [("catalog/data.mdb",)]
    assert "structure" in (found[0].reason or "")


def test_a_store_in_use_is_sound_too(store: Store, tmp_path: Path) -> None:
    """The structure is checked while others write: a snapshot that a read transaction keeps is as good as a file at rest."""
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            data = build_wheel("busy", str(number), files={"busy/x": incompressible(100_000, str(number))})
            path = tmp_path / "busy"
            path.write_bytes(data)
            descriptor = os.open(path, os.O_RDONLY)
            name = StoredName(
                project="busy", filename=wheel_filename("busy", str(number)), index="main", size_bytes=1, added_at_us=1
            )
            store.add_content(descriptor, len(data), expected_sha256=None, names=[name])
            os.close(descriptor)
            store.catalog.remove_name(store.catalog.stored_names("busy")[0].key).result()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _ in range(3):
            assert damaged(list(verify(store))) == {}
    finally:
        ended.set()
        writing.join()


ALL_BLOCKS = 65.0
"""A block's use is counted in 64ths, each of which counts as 4 KiB: whatever is in use of a small one, it is rewritten."""


def test_damaged_environments_are_told_with_the_way_out(store: Store) -> None:
    digest, encoding = encoded(Environment(LAYOUT, Interpreter("/python3", "3.11.7", "cpython-311", b"abcd"), (), (), (), ()))
    store.mounted.put(EnvironmentLabel("it", digest, 1, ()), encoding).result()
    assert [one for one in verify(store) if one.reason] == []
    for database in ("environment-trees", "environments"):
        flip(store, database, 1)
        [damaged] = [one for one in verify(store, quick=True) if one.reason]
        assert (damaged.sha256, damaged.filenames) == (b"", ("env/it",))
        assert "wheelfs env rm it" in (damaged.reason or "")


@pytest.mark.parametrize("step", ["structure", "chunks", "names", "files"])
def test_room_is_made_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """It may last for hours, and a store at its quota would refuse every new wheel for as long."""
    monkeypatch.setattr(collecting, "lock_within", lambda descriptor, _: lock_within(descriptor, 0))
    quota = Limits(quota_bytes=int(store.used_bytes() * 0.9))
    gone: list[str] = []

    def note(begun: str) -> None:
        if begun == step:
            gone.extend(make_room(store, quota))

    found = list(verify(store, note=note))
    assert gone
    assert damaged(found) == {}
    assert {checked.filenames[0] for checked in found} == {ONE_NAME, TWO_NAME} - set(gone)


def test_what_collections_take_meanwhile_is_no_damage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each step's first looks at blocks and entries all is written once more in other blocks, and the old ones go."""
    left = 0
    rewritten: list[int] = []

    def collected_before(name: str) -> None:
        look = getattr(ChunkStore, name)

        def looked(chunks: ChunkStore, what: object) -> object:
            nonlocal left
            if left:
                after, left = left - 1, 0  # a collection looks, too
                rewritten.append(collect(store, sparse=ALL_BLOCKS, lock_s=0, grace_s=0).rewritten)
                left = after
            return look(chunks, what)

        monkeypatch.setattr(ChunkStore, name, looked)

    def note(step: str) -> None:
        nonlocal left
        left = 3

    collected_before("read")
    collected_before("locate")
    found = list(verify(store, note=note))
    assert len(rewritten) == 6, "while blocks and the index are looked at, and while wheels are"
    assert all(rewritten)
    assert damaged(found) == {}
    assert {checked.filenames for checked in found} == {(ONE_NAME,), (TWO_NAME,)}


def test_what_a_collection_moves_meanwhile_is_read_where_it_is_then(store: Store) -> None:
    def note(step: str) -> None:
        if step == "files":
            assert collect(store, sparse=ALL_BLOCKS, lock_s=0).rewritten
            rot(store, "blocks", block_of(store, ONE).to_bytes(8, "big"))

    assert set(damaged(list(verify(store, quick=True, note=note)))) == {ONE_NAME}
