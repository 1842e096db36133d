"""Collecting gives room back, and takes nothing that anybody needs: not a reader, not an ingest, not another process."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import NotKnown, StoreDamaged, StoreLocked
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.coordination.leases import held
from wheelfs.store.gc import collect as collecting
from wheelfs.store.gc.collect import Collected, collect, undisturbed
from wheelfs.store.limits import CollectTuning, Tuning
from wheelfs.store.store import Store
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.store.chunks.ingest import Ingested


def a_wheel(version: str, members: dict[str, int]) -> bytes:
    """A wheel whose members are named by seed, and as long as given: equal seeds are equal bytes."""
    return build_wheel("demo", version, files={f"demo/{seed}.bin": incompressible(size, seed) for seed, size in members.items()})


def named(version: str, size_bytes: int) -> StoredName:
    return StoredName(
        project="demo", filename=wheel_filename("demo", version), index="main", size_bytes=size_bytes, added_at_us=1
    )


class Shelf:
    """A store and the wheels that were put into it."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store = store
        self.path = directory / "input"

    def ingest(self, data: bytes) -> Ingested:
        self.path.write_bytes(data)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return self.store.ingest(descriptor, len(data), expected_sha256=None)
        finally:
            os.close(descriptor)

    def add(self, version: str, members: dict[str, int]) -> bytes:
        data = a_wheel(version, members)
        self.store.seal(self.ingest(data), [named(version, len(data))])
        return data

    def remove(self, version: str) -> None:
        filename = wheel_filename("demo", version)
        (key,) = [name.key for name in self.store.catalog.stored_names("demo") if name.filename == filename]
        assert self.store.catalog.remove_name(key).result()

    def read(self, data: bytes) -> bytes:
        return self.store.open_sealed(hashlib.sha256(data).digest()).read(0, len(data))

    @property
    def stored_bytes(self) -> int:
        return sum(length for _, length in self.store.chunks.blocks())

    @property
    def blocks(self) -> list[int]:
        return [block for block, _ in self.store.chunks.blocks()]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with Store.open(tmp_path / "store") as store:
        yield Shelf(store, tmp_path)


def test_what_nothing_names_goes_and_the_rest_stays_readable(shelf: Shelf) -> None:
    kept = shelf.add("1.0", {"common": 300_000, "one": 300_000})
    shelf.add("2.0", {"common": 300_000, "two": 900_000})
    shelf.remove("2.0")
    found = collect(shelf.store)
    assert found.freed_bytes >= 900_000
    assert shelf.read(kept) == kept
    assert collect(shelf.store) == Collected(), "a second collection finds nothing more"


def test_an_emptied_store_keeps_no_block_and_no_entry(shelf: Shelf) -> None:
    shelf.add("1.0", {"one": 700_000})
    shelf.remove("1.0")
    collect(shelf.store)
    assert shelf.blocks == []
    assert list(shelf.store.chunks.entry_batches()) == []
    assert list(shelf.store.catalog.retired_batches()) == []


def test_room_that_was_given_back_is_used_again(shelf: Shelf) -> None:
    for number in range(12):
        shelf.add(str(number), {f"seed {number}": 2_000_000})
        shelf.remove(str(number))
        collect(shelf.store)
    assert shelf.store.usage().chunks_bytes < 8_000_000, "24 MB went through it"


def test_a_dry_run_tells_and_deletes_nothing(shelf: Shelf) -> None:
    shelf.add("1.0", {"one": 700_000})
    shelf.remove("1.0")
    before = shelf.blocks
    told = collect(shelf.store, dry_run=True)
    assert (shelf.blocks, told.blocks) == (before, len(before))
    assert collect(shelf.store) == told


def test_a_block_that_is_hardly_used_is_rewritten(shelf: Shelf) -> None:
    # Small members of one wheel share blocks; the next version keeps one of them.
    shelf.add("1.0", {str(number): 20_000 for number in range(12)})
    kept = shelf.add("2.0", {"3": 20_000, "7": 20_000})
    other = shelf.add("3.0", {"7": 20_000})
    shelf.remove("1.0")
    before = shelf.blocks
    found = collect(shelf.store)
    assert found.blocks
    assert found.rewritten == 1
    assert found.freed_bytes > 190_000
    assert before[0] not in shelf.blocks
    assert shelf.read(kept) == kept
    assert shelf.read(other) == other
    assert collect(shelf.store) == Collected()


def test_no_more_is_rewritten_than_the_room_that_is_left_allows(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf.store, "disk_space", lambda: (1 << 30, 0))
    monkeypatch.setattr(shelf.store, "file_bytes", lambda: 0)
    shelf.store.reserve.give_up()
    shelf.add("1.0", {str(number): 20_000 for number in range(12)})
    shelf.add("2.0", {"3": 20_000})
    shelf.remove("1.0")
    assert collect(shelf.store).rewritten == 0, "there is no room for what is in use of a block"
    monkeypatch.setattr(shelf.store, "disk_space", lambda: (1 << 30, 1 << 30))
    assert collect(shelf.store).rewritten == 1


def test_chunks_found_again_after_a_rewrite_are_not_stored_twice(shelf: Shelf) -> None:
    shelf.add("1.0", {str(number): 20_000 for number in range(12)})
    shelf.add("2.0", {"3": 20_000})
    shelf.remove("1.0")
    collect(shelf.store)
    before = shelf.stored_bytes
    again = shelf.add("4.0", {"3": 20_000})
    assert shelf.read(again) == again
    assert shelf.stored_bytes - before < 5_000, "only its skeleton and METADATA are new"


def test_a_wheel_that_is_open_stays_readable_until_closed(shelf: Shelf) -> None:
    data = shelf.add("1.0", {"one": 700_000})
    sha256 = hashlib.sha256(data).digest()
    shelf.store.hold(sha256)
    sealed = shelf.store.open_sealed(sha256)
    shelf.remove("1.0")
    assert collect(shelf.store) == Collected()
    assert sealed.read(0, len(data)) == data
    with pytest.raises(NotKnown):
        shelf.store.open_sealed(sha256)
    shelf.store.release(sha256)
    assert collect(shelf.store).blocks
    with pytest.raises(StoreDamaged, match="missing"):
        sealed.read(0, len(data))


def test_a_reader_by_the_old_recipe_is_undisturbed_by_a_rewrite(shelf: Shelf) -> None:
    shelf.add("1.0", {str(number): 20_000 for number in range(12)})
    data = shelf.add("2.0", {"3": 20_000})
    sha256 = hashlib.sha256(data).digest()
    shelf.remove("1.0")
    with shelf.store.reading(sha256) as before:
        collect(shelf.store)
        assert before.read(0, len(data)) == data
        assert shelf.store.open_sealed(sha256) is not before
        assert shelf.read(data) == data
    assert collect(shelf.store).blocks, "what the reader held goes once the reader has"
    assert shelf.read(data) == data


HOLDER = """
import sys
from pathlib import Path
from wheelfs.store.store import Store
with Store.open(Path(sys.argv[1])) as store:
    sha256 = bytes.fromhex(sys.argv[2])
    store.hold(sha256)
    sealed = store.open_sealed(sha256)
    print("open", flush=True)
    sys.stdin.readline()
    import hashlib
    print(hashlib.sha256(sealed.read(0, sealed.size)).hexdigest(), flush=True)
    sys.stdin.readline()
"""


def test_a_reader_in_another_process_is_respected_until_it_is_killed(shelf: Shelf) -> None:
    data = shelf.add("1.0", {"one": 700_000})
    sha256 = hashlib.sha256(data).digest()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(shelf.store.path), sha256.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin
        assert reader.stdout
        assert reader.stdout.readline() == "open\n"
        shelf.remove("1.0")
        assert collect(shelf.store) == Collected()
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == sha256.hex()
        reader.kill()
    assert collect(shelf.store).blocks
    assert not list(shelf.store.run_directory.glob(f"{reader.pid}-*")), "the dead process's leases are gone"


def test_chunks_of_a_file_that_is_just_being_stored_stay(shelf: Shelf) -> None:
    data = a_wheel("1.0", {"one": 700_000})
    ingested = shelf.ingest(data)
    assert collect(shelf.store) == Collected(), "no writer has sealed them yet"
    shelf.store.seal(ingested, [named("1.0", len(data))])
    assert shelf.read(data) == data


def test_dead_chunks_that_an_ingest_has_just_found_again_stay(shelf: Shelf) -> None:
    """The hard one: they look dead, and what relies on them is sealed in the middle of the collection."""
    shelf.add("1.0", {"one": 700_000})
    shelf.remove("1.0")
    data = a_wheel("2.0", {"one": 700_000})
    ingested = shelf.ingest(data)
    results: list[Collected] = []
    collector = threading.Thread(target=lambda: results.append(collect(shelf.store)))
    collector.start()
    # It has made up its mind and taken the index's entries out; now it waits for the ingest.
    eventually(lambda: shelf.store.chunks.locate(next(iter(ingested.recipe.data)).digest) is None)
    shelf.store.seal(ingested, [named("2.0", len(data))])
    collector.join(30)
    assert not results[0].waiting
    assert shelf.read(data) == data


def test_an_ingest_that_does_not_end_only_puts_the_collection_off(shelf: Shelf) -> None:
    shelf.add("1.0", {"one": 700_000})
    shelf.remove("1.0")
    ingested = shelf.ingest(a_wheel("2.0", {"one": 700_000}))
    assert collect(shelf.store, grace_s=0.0).waiting
    assert shelf.store.chunks.read(next(iter(ingested.recipe.data.extents)))
    del ingested  # given up: its lease goes with it
    assert not held(shelf.store.run_directory).ingests
    assert collect(shelf.store).blocks
    assert shelf.blocks == []


def test_one_collection_at_a_time(shelf: Shelf) -> None:
    with undisturbed(shelf.store, "test"), pytest.raises(StoreLocked):
        collect(shelf.store, lock_s=0.0)


def test_a_collection_cut_short_between_its_steps_leaves_a_sound_store(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("1.0", {str(number): 20_000 for number in range(12)})
    kept = shelf.add("2.0", {"3": 20_000})
    shelf.remove("1.0")
    for step in ("_relocate", "_ended", "_delete"):

        def cut(*arguments: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(collecting, step, cut)
            # What was doomed before is, until it is deleted, always found again.
            collect(shelf.store)
        assert shelf.read(kept) == kept
        shelf.add("1.0", {str(number): 20_000 for number in range(12)})
        shelf.remove("1.0")
    collect(shelf.store)
    assert shelf.read(kept) == kept
    assert collect(shelf.store) == Collected()


STRESS = """
import hashlib, os, random, sys, tempfile
from pathlib import Path
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import NotKnown
from wheelfs.store.gc.collect import collect
from wheelfs.store.store import Store
from wheelfs.store.catalog.records import StoredName

rng = random.Random(int(sys.argv[2]))
with Store.open(Path(sys.argv[1])) as store:
    for turn in range(int(sys.argv[4])):
        if sys.argv[3] == "collect":
            collect(store)
            continue
        version = str(rng.randrange(6))
        data = build_wheel("demo", version, files={f"demo/{n}": incompressible(30_000, str(n)) for n in
                                                    random.Random(version).sample(range(12), 5)})
        sha256 = hashlib.sha256(data).digest()
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            name = StoredName(project="demo", filename=wheel_filename("demo", version), index="main", size_bytes=len(data),
                              added_at_us=1)
            store.add_content(file.fileno(), len(data), expected_sha256=sha256, names=[name])
        try:
            with store.reading(sha256) as sealed:
                if rng.random() < 0.7:
                    for name in store.catalog.names_of(sha256):
                        store.catalog.remove_name(name.key).result()
                for at in range(0, len(data), 50_000):
                    assert sealed.read(at, 50_000) == data[at:at + 50_000], "wrong bytes"
        except NotKnown:
            pass  # removed by the other process
"""


def test_processes_that_add_read_remove_and_collect_at_once_never_read_a_wrong_byte(shelf: Shelf, tmp_path: Path) -> None:
    roles = [("add", "60"), ("add", "60"), ("collect", "40")]
    with ExitStack() as stack:
        processes = []
        for number, (role, turns) in enumerate(roles):
            said = stack.enter_context((tmp_path / f"{number}.err").open("wb"))
            command = [sys.executable, "-c", STRESS, str(shelf.store.path), str(number), role, turns]
            processes.append(subprocess.Popen(command, stderr=said))
        for number, process in enumerate(processes):
            assert process.wait(100) == 0, (tmp_path / f"{number}.err").read_text()
    for name in shelf.store.catalog.stored_names("demo"):
        sealed = shelf.store.open_sealed(name.sha256)
        assert hashlib.sha256(sealed.read(0, sealed.size)).digest() == name.sha256


def test_kills_at_any_instant_leave_a_store_in_which_nothing_is_damaged(shelf: Shelf, tmp_path: Path) -> None:
    moments = random.Random(11)
    kept = shelf.add("kept", {str(number): 30_000 for number in range(0, 12, 4)})
    for turn in range(6):
        with ExitStack() as stack:
            processes = []
            for number, role in enumerate(["add", "add", "collect"]):
                command = [sys.executable, "-c", STRESS, str(shelf.store.path), str(10 * turn + number), role, "100000"]
                processes.append(stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE)))
            before = shelf.store.catalog.last_transaction()
            # Both have begun, and are killed somewhere in their work: after so many transactions, not after a time.
            after = before + moments.randrange(30, 120)
            eventually(lambda: shelf.store.catalog.last_transaction() > after)  # noqa: B023
            for process in processes:
                assert process.poll() is None, process.communicate()[1].decode()
                process.kill()
        found = list(verify(shelf.store))
        assert [checked for checked in found if checked.reason is not None] == []
        assert shelf.read(kept) == kept
    collect(shelf.store)
    assert [checked for checked in verify(shelf.store) if checked.reason is not None] == []


def test_what_was_removed_is_collected_unasked_when_it_is_much(shelf: Shelf) -> None:
    shelf.store.tuning = Tuning(collect=CollectTuning(garbage_bytes=500_000))
    for number in range(6):
        shelf.add(f"{number}.0", {f"seed {number}": 300_000})
    before = shelf.blocks
    shelf.remove("0.0")
    shelf.store.collect_if_due()
    assert shelf.blocks == before, "not much yet"
    shelf.remove("1.0")
    with undisturbed(shelf.store, "test"):
        shelf.store.collect_if_due()
    assert shelf.blocks == before, "another process has the turn"
    shelf.store.collect_if_due()
    assert shelf.stored_bytes < 4 * 310_000
    assert shelf.store.catalog.counts().removed_bytes == 0
    before = shelf.blocks
    shelf.store.collect_if_due()
    assert shelf.blocks == before
