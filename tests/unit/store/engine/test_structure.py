"""A store of which something is missing is refused with a reason, before anybody follows what leads nowhere."""

from __future__ import annotations

import mmap
import os
import shutil
from pathlib import Path

import lmdb
import pytest

from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import StoreDamaged
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.engine.environment import open_environment
from wheelfs.store.engine.structure import is_unborn
from wheelfs.store.store import Store

MAP_BYTES = 64 << 20


def add(store: Store, place: Path, version: str) -> None:
    data = build_wheel("demo", version, files={"demo/x": incompressible(400_000, version)})
    place.write_bytes(data)
    with place.open("rb") as file:
        name = StoredName(
            project="demo", filename=wheel_filename("demo", version), index="main", size_bytes=len(data), added_at_us=1
        )
        store.add_content(file.fileno(), len(data), expected_sha256=None, names=[name])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one wheel, closed."""
    with Store.open(tmp_path / "store") as store:
        add(store, tmp_path / "input", "1.0")
    return tmp_path / "store"


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("environment", ["catalog", "chunks"])
@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_data_file_that_was_cut_off_is_refused(path: Path, environment: str, left: float, readonly: bool) -> None:
    data = path / environment / "data.mdb"
    os.truncate(data, int(data.stat().st_size * left))
    with pytest.raises(StoreDamaged, match="cut off"):
        Store.open(path, readonly=readonly)


@pytest.mark.parametrize("left_bytes", [None, 0, 4096])
def test_chunks_without_their_catalog_are_refused(path: Path, left_bytes: int | None) -> None:
    data = path / "catalog" / "data.mdb"
    if left_bytes is None:
        shutil.rmtree(path / "catalog")
    else:
        os.truncate(data, left_bytes)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="catalog is missing"):
            Store.open(path)


@pytest.mark.parametrize("left_bytes", [None, 0, 4096])
def test_a_catalog_without_its_chunks_is_refused(path: Path, left_bytes: int | None) -> None:
    if left_bytes is None:
        shutil.rmtree(path / "chunks")
    else:
        os.truncate(path / "chunks" / "data.mdb", left_bytes)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="older than its catalog"):
            Store.open(path)


def test_chunks_of_an_older_copy_are_refused_and_the_right_ones_taken(path: Path, tmp_path: Path) -> None:
    shutil.copytree(path / "chunks", tmp_path / "copy")
    with Store.open(path) as store:
        add(store, tmp_path / "input", "2.0")
    (path / "chunks").rename(tmp_path / "chunks")
    (tmp_path / "copy").rename(path / "chunks")
    with pytest.raises(StoreDamaged, match="older than its catalog"):
        Store.open(path)
    shutil.rmtree(path / "chunks")
    (tmp_path / "chunks").rename(path / "chunks")
    Store.open(path).close()


def test_pages_behind_the_end_that_nothing_leads_to_are_no_damage(tmp_path: Path) -> None:
    """LMDB does not write pages that a transaction takes and gives back, so a sound file may end before them."""
    environment = open_environment(tmp_path / "x", map_size_bytes=MAP_BYTES, databases=["d"], durability="full")
    handle = environment.database("d")
    with environment.raw.begin(write=True) as transaction:
        transaction.put(b"stays", b"x" * 50_000, db=handle)
        transaction.put(b"goes", b"y" * 900_000, db=handle)
    for number in range(4):
        with environment.raw.begin(write=True) as transaction:
            transaction.delete(b"goes", db=handle)
            transaction.put(b"small", bytes([number]), db=handle)
    environment.close()
    os.truncate(tmp_path / "x" / "data.mdb", 900_000)
    again = open_environment(tmp_path / "x", map_size_bytes=MAP_BYTES, databases=["d"], durability="full")
    with again.read() as transaction:
        assert transaction.get(b"stays", db=again.database("d")) == b"x" * 50_000
    again.close()


def test_an_environment_whose_creation_was_cut_short_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "data.mdb").write_bytes(bytes(4096))
    environment = open_environment(tmp_path / "x", map_size_bytes=MAP_BYTES, databases=["d"], durability="full")
    handle = environment.database("d")
    with environment.raw.begin(write=True) as transaction:
        transaction.put(b"key", b"value", db=handle)
    with environment.read() as transaction:
        assert transaction.get(b"key", db=handle) == b"value"
    environment.close()


@pytest.mark.parametrize("blank", [(0,), (1,), (0, 1)])
def test_a_data_file_whose_first_pages_never_came_to_the_disk_is_begun_again(tmp_path: Path, blank: tuple[int, ...]) -> None:
    lmdb.open(str(tmp_path / "new")).close()
    data = tmp_path / "new" / "data.mdb"
    content = bytearray(data.read_bytes()[: 2 * mmap.PAGESIZE])
    for page in blank:
        content[page * mmap.PAGESIZE : (page + 1) * mmap.PAGESIZE] = bytes(mmap.PAGESIZE)
    data.write_bytes(content)
    assert is_unborn(data)
    with Store.open(tmp_path / "store"):
        pass
    (tmp_path / "store" / "catalog" / "data.mdb").write_bytes(content)
    (tmp_path / "store" / "chunks" / "data.mdb").write_bytes(content)
    with Store.open(tmp_path / "store") as store:
        add(store, tmp_path / "input", "1.0")
    assert not is_unborn(tmp_path / "store" / "catalog" / "data.mdb")


@pytest.mark.parametrize("page", [0, 1])
def test_a_data_file_in_which_something_was_committed_is_never_begun_again(path: Path, page: int) -> None:
    data = path / "catalog" / "data.mdb"
    content = bytearray(data.read_bytes())
    content[page * mmap.PAGESIZE : (page + 1) * mmap.PAGESIZE] = bytes(mmap.PAGESIZE)
    data.write_bytes(content)
    with pytest.raises(StoreDamaged):
        Store.open(path)
    assert data.read_bytes() == content


def test_the_names_of_a_new_store_are_on_the_disk_before_anything_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    store = tmp_path / "new" / "store"
    with Store.open(store):
        assert {tmp_path, tmp_path / "new", store, store / "catalog", store / "chunks"} <= set(synced)
        assert synced.index(store / "catalog") < synced.index(store / "chunks")
        assert store in synced[synced.index(store / "chunks") :], "the name of the last directory that was made in it"
    synced.clear()
    with Store.open(store):
        assert not synced, "what is born is not synced again"
