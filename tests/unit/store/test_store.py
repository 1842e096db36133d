"""The store as a whole, with real files: what was added is there byte for byte, for everybody, until it is removed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import ContentMismatch, InvalidInput, NotKnown, StoreDamaged, StoreError, StoreReadOnly
from wheelfs.model.content import ContentKey
from wheelfs.store.catalog.records import Counts, StoredName
from wheelfs.store.limits import ReadTuning, Tuning
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = build_wheel("demo", "1.0", files={"demo/__init__.py": b"x = 1\n", "demo/data.bin": incompressible(700_000)})
SHA256 = hashlib.sha256(WHEEL).digest()


def named(project: str = "demo", filename: str = wheel_filename("demo", "1.0")) -> StoredName:
    return StoredName(project=project, filename=filename, index="local", size_bytes=len(WHEEL), added_at_us=1, private=True)


@contextmanager
def as_file(data: bytes, tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "input"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def add(store: Store, tmp_path: Path, data: bytes = WHEEL, name: StoredName | None = None) -> bytes:
    with as_file(data, tmp_path) as descriptor:
        return store.add_content(descriptor, len(data), expected_sha256=None, names=[name or named()])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def test_an_added_wheel_is_read_back_byte_for_byte_after_reopening(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        assert add(store, tmp_path) == SHA256
    with Store.open(tmp_path / "store", create=False) as store:
        (found,) = store.catalog.stored_names("demo")
        assert (found.sha256, found.filename, found.private) == (SHA256, wheel_filename("demo", "1.0"), True)
        content = store.catalog.content(SHA256)
        assert content is not None
        assert (content.size_bytes, content.is_zip) == (len(WHEEL), True)
        sealed = store.open_sealed(SHA256)
        assert b"".join(sealed.read(at, 100_000) for at in range(0, len(WHEEL), 100_000)) == WHEEL


def test_a_file_that_is_no_zip_is_stored_just_as_well(store: Store, tmp_path: Path) -> None:
    data = incompressible(600_000, "sdist")
    sha256 = add(store, tmp_path, data, named(filename="demo-1.0.tar.gz"))
    assert store.open_sealed(sha256).read(0, len(data)) == data
    content = store.catalog.content(sha256)
    assert content is not None
    assert not content.is_zip
    assert store.metadata_of_stored(sha256) is None


def test_a_file_of_another_hash_leaves_no_trace_that_shows(store: Store, tmp_path: Path) -> None:
    with as_file(WHEEL, tmp_path) as descriptor, pytest.raises(ContentMismatch):
        store.add_content(descriptor, len(WHEEL), expected_sha256=bytes(32), names=[named()])
    assert store.catalog.counts() == Counts(0, 0, 0)
    assert store.catalog.last_seq() == 0


def test_what_is_not_stored_or_quarantined_cannot_be_opened(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotKnown):
        store.open_sealed(SHA256)
    with pytest.raises(NotKnown):
        store.metadata_of_stored(SHA256)
    add(store, tmp_path)
    assert store.open_sealed(SHA256) is store.open_sealed(SHA256)
    store.catalog.poison(ContentKey(SHA256), "rotten").result(60)
    with pytest.raises(StoreDamaged, match="rotten"):
        store.open_sealed(SHA256)
    add(store, tmp_path)
    assert store.open_sealed(SHA256).read(0, len(WHEEL)) == WHEEL


def test_a_removed_file_stays_readable_for_who_has_it_open(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path)
    sealed = store.open_sealed(SHA256)
    (found,) = store.catalog.stored_names("demo")
    store.catalog.remove_name(found.key).result(60)
    with pytest.raises(NotKnown):
        store.open_sealed(SHA256)
    assert sealed.read(0, len(WHEEL)) == WHEEL


def test_a_file_removed_while_it_is_opened_is_not_called_damaged(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, tmp_path)
    (name,) = store.catalog.stored_names("demo")
    recipe = store.catalog.recipe

    def removed_in_between(sha256: bytes) -> bytes | None:
        store.catalog.remove_name(name.key).result()
        return recipe(sha256)

    monkeypatch.setattr(store.catalog, "recipe", removed_in_between)
    with pytest.raises(NotKnown):
        store.open_sealed(SHA256)


def test_recipes_are_kept_within_a_bound(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", tuning=Tuning(read=ReadTuning(kept_recipes_bytes=1))) as store:
        add(store, tmp_path)
        other = add(store, tmp_path, b"other", named(filename="demo-1.0.tar.gz"))
        first = store.open_sealed(SHA256)
        assert store.open_sealed(SHA256) is first
        store.open_sealed(other)
        assert store.open_sealed(SHA256) is not first


def test_the_metadata_of_a_stored_wheel_is_read_out_of_it(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path)
    metadata = store.metadata_of_stored(SHA256)
    assert metadata is not None
    assert b"Name: demo\nVersion: 1.0\n" in metadata


def test_a_content_needs_a_name(store: Store, tmp_path: Path) -> None:
    with as_file(WHEEL, tmp_path) as descriptor, pytest.raises(InvalidInput):
        store.add_content(descriptor, len(WHEEL), expected_sha256=None, names=[])


def test_another_process_adds_while_the_store_is_open_here(store: Store, tmp_path: Path) -> None:
    seq, transaction = store.catalog.last_seq(), store.catalog.last_transaction()
    path = tmp_path / wheel_filename("demo", "1.0")
    path.write_bytes(WHEEL)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from wheelfs.store.store import Store; from wheelfs.store.catalog.records import StoredName\n"
        "path = Path(sys.argv[2]); descriptor = os.open(path, os.O_RDONLY); size = path.stat().st_size\n"
        "name = StoredName(project='demo', filename=path.name, index='local', size_bytes=size, added_at_us=1)\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    store.add_content(descriptor, size, expected_sha256=None, names=[name])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(store.path), str(path)], check=True, timeout=60)
    assert store.catalog.last_transaction() > transaction
    news = store.catalog.changes_since(seq)
    assert news.complete
    assert [(change.kind, change.filename, change.sha256) for change in news.changes] == [("file", path.name, SHA256)]
    assert store.open_sealed(SHA256).read(0, len(WHEEL)) == WHEEL


def test_usage_counts_all_parts_of_the_store(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path)
    partial = store.spool.open(ContentKey(bytes(32)), size_bytes=1 << 20)
    partial.write(0, b"x" * 65_536)
    usage = store.usage()
    assert usage.raw_bytes == len(WHEEL)
    assert usage.chunks_bytes >= 700_000
    assert usage.catalog_bytes > 0
    assert 65_536 <= usage.spool_bytes < 1 << 20
    partial.delete()
    assert store.usage().spool_bytes == 0
    total, free = store.disk_space()
    assert total >= free > 0
    assert store.check_readers() == 0


def test_a_read_only_store_reads_and_refuses_to_write(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        add(store, tmp_path)
    with Store.open(tmp_path / "store", readonly=True) as store:
        assert store.open_sealed(SHA256).read(0, len(WHEEL)) == WHEEL
        with pytest.raises(StoreReadOnly):
            add(store, tmp_path)


def test_a_store_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store.open(tmp_path / "missing", create=False)
    assert not (tmp_path / "missing").exists()
