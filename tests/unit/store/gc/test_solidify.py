"""What is not used becomes solid, and comes back bit for bit: to the first reader, to a read-only one, and after failures."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zlib
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.wheels import build_wheel
from tests.unit.store.gc.shelf import ALL_S, Shelf, edited, history, made_solid, text
from wheelfs.errors import StoreError, StoreFormat, StoreLocked
from wheelfs.model.recipe import Recipe
from wheelfs.store.chunks.solid_blocks import SolidBlocks
from wheelfs.store.directory import Format, StoreDirectory, allow_solid
from wheelfs.store.gc import solidify as solidifying
from wheelfs.store.gc.collect import collect
from wheelfs.store.gc.solidify import Solidified, solidify
from wheelfs.store.limits import Limits
from wheelfs.store.store import Store
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


def test_older_wheels_take_less_and_come_back(shelf: Shelf, wheels: list[bytes]) -> None:
    before_bytes = shelf.store.used_bytes()
    done = made_solid(shelf)
    assert done.wheels == 3
    assert done.freed_bytes == before_bytes - shelf.store.used_bytes()
    # The large members were of no use for deduplication, and are all but the same.
    assert shelf.store.used_bytes() < 0.7 * before_bytes
    assert all(map(shelf.solid_blocks, wheels[:3]))
    assert not shelf.solid_blocks(wheels[3]), "the newest is the one that is installed next"
    shelf.again()
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_what_was_read_is_as_before(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    shelf.again()
    assert shelf.read(wheels[1]) == wheels[1]
    shelf.settled()
    assert not shelf.solid_blocks(wheels[1])
    assert shelf.solid_blocks(wheels[0]), "what another one has alone stays"
    for wheel in wheels:
        shelf.read(wheel)
    shelf.settled()
    assert (shelf.entries("solid-blocks"), shelf.entries("solid-streams")) == (0, 0)
    shelf.again()
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_a_second_run_adds_to_the_first(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    newer = history(8)[4:]
    for number, wheel in enumerate(newer, 4):
        shelf.add(number, wheel)
    assert made_solid(shelf).wheels >= 2, "also the one that was the newest"
    assert [shelf.read(wheel) for wheel in (*wheels, *newer)] == [*wheels, *newer]


def test_another_run_makes_nothing_again_and_looks_once_in_vain(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_solid(shelf)
    shelf.again()
    made: list[int] = []
    monkeypatch.setattr(SolidBlocks, "_make", lambda *arguments: made.append(arguments[2]))
    assert made_solid(shelf) == Solidified()
    assert made == [], "the headers of what is solid are enough"
    monkeypatch.undo()
    looked: list[object] = []

    def noted(*arguments: object) -> tuple[list[object], list[float], bool]:
        looked.append(arguments)
        return [], [0.0] * 4, True

    monkeypatch.setattr(solidifying, "found_members", noted)
    assert made_solid(shelf) == Solidified()
    assert looked == []
    assert shelf.read(wheels[0]) == wheels[0]
    shelf.settled()
    assert made_solid(shelf) == Solidified()
    assert len(looked) == 1, "what was read is looked at again"


def test_a_damaged_wheel_is_left_and_hinders_no_other(shelf: Shelf, wheels: list[bytes]) -> None:
    encoded = shelf.store.catalog.recipe(hashlib.sha256(wheels[1]).digest())
    assert encoded is not None
    others = [shelf.store.catalog.recipe(hashlib.sha256(wheel).digest()) or b"" for wheel in (wheels[0], *wheels[2:])]
    own = set(Recipe.decode(encoded).data.extents.blocks).difference(*(Recipe.decode(one).data.extents.blocks for one in others))
    environment = shelf.store.environments[1]
    with environment.write() as transaction:
        for block in own:
            transaction.put(block.to_bytes(8, "big"), b"broken", db=environment.database("blocks"))
    shelf.again()
    assert made_solid(shelf).wheels == 2
    assert [shelf.read(wheel) for wheel in (wheels[0], *wheels[2:])] == [wheels[0], *wheels[2:]]


def test_what_would_be_read_too_slowly_stays_as_it_is(shelf: Shelf, wheels: list[bytes]) -> None:
    assert solidify(shelf.store, unused_s=ALL_S, bytes_s=1e15) == Solidified()
    assert not any(map(shelf.solid_blocks, wheels))


def test_what_is_used_pinned_or_open_stays(shelf: Shelf, wheels: list[bytes]) -> None:
    digests = [hashlib.sha256(wheel).digest() for wheel in wheels]
    shelf.store.catalog.note_used({digests[0]: 1 << 62}).result()
    (pinned,) = shelf.store.catalog.names_of(digests[1])
    shelf.store.catalog.set_pinned(pinned.key, True).result()
    with shelf.store.reading(digests[2]):
        assert solidify(shelf.store, unused_s=60.0, bytes_s=1.0) == Solidified()


def test_what_no_zlib_packed_stays_as_it_is(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    original = zlib.compressobj
    with monkeypatch.context() as patch:
        patch.setattr("zipfile.zlib.compressobj", lambda *_: original(6, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY))
        for number, wheel in enumerate(history(2)):
            shelf.add(number, wheel)
    assert made_solid(shelf) == Solidified()


def test_a_read_only_store_gives_what_is_solid_and_leaves_it(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    shelf.again(readonly=True)
    assert [shelf.read(wheel) for wheel in wheels] == wheels
    assert all(map(shelf.solid_blocks, wheels[:3]))


def test_an_audit_leaves_what_is_solid(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    shelf.again()
    assert [checked.reason for checked in verify(shelf.store)] == [None] * 4
    shelf.settled()
    assert all(map(shelf.solid_blocks, wheels[:3]))


def test_what_is_removed_takes_its_blocks_and_streams_along(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    for name in shelf.store.catalog.stored_names("demo")[:3]:
        shelf.store.catalog.remove_name(name.key).result()
    collect(shelf.store)
    assert (shelf.entries("solid-blocks"), shelf.entries("solid-streams")) == (0, 0)
    assert shelf.read(wheels[3]) == wheels[3]


def test_a_new_wheel_finds_what_is_solid(shelf: Shelf, wheels: list[bytes]) -> None:
    made_solid(shelf)
    same = build_wheel("demo", "9.0", files={"demo/own0.py": text("own", 9_000) + b"0"})
    shelf.add(9, same)
    assert shelf.solid_blocks(same)
    shelf.again()
    assert shelf.read(same) == same


def test_a_reader_that_has_it_open_reads_on(shelf: Shelf, wheels: list[bytes]) -> None:
    with shelf.store.reading(hashlib.sha256(wheels[0]).digest()) as sealed:
        half = sealed.size // 2
        begin = sealed.read(0, half)
        other = hashlib.sha256(wheels[1]).digest()
        made_solid(shelf)
        collect(shelf.store)
        assert begin + sealed.read(half, sealed.size) == wheels[0]
        assert shelf.store.holds(other)


def test_what_is_cut_short_leaves_everything_as_it_was(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(solidifying, "_swapped", cut_short)
        with pytest.raises(KeyboardInterrupt):
            made_solid(shelf)
    shelf.again()
    assert not any(map(shelf.solid_blocks, wheels))
    collect(shelf.store)
    assert (shelf.entries("solid-blocks"), shelf.entries("solid-streams")) == (0, 0)
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_what_does_not_come_back_is_not_swapped(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solidifying, "arranged", lambda members: [])
    assert made_solid(shelf).wheels == 0
    monkeypatch.undo()
    monkeypatch.setattr(solidifying, "hashlib", SimpleNamespace(sha256=hashlib.sha512))
    assert made_solid(shelf).wheels == 0
    monkeypatch.undo()
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_another_zlib_makes_nothing_solid(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solidifying, "is_the_original", lambda: False)
    with pytest.raises(StoreError, match="in the place of zlib"):
        made_solid(shelf)


# --- in the background -------------------------------------------------------------------------------------------------------


def test_a_daemon_does_it_once_a_day_where_it_is_asked_to(
    tmp_path: Path, wheels: list[bytes], shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[float] = []

    def noted(store: Store, *, unused_s: float, most_bytes: int) -> Solidified:
        runs.append(unused_s)
        return Solidified()

    monkeypatch.setattr("wheelfs.store.store.solidify", noted)
    shelf.store.solidify_if_due()
    assert runs == [], "it was not asked for"
    shelf.store.close()
    with Store.open(shelf.path, limits=Limits(solid_unused_s=3_600)) as store:
        store.solidify_if_due()
        store.solidify_if_due()
        assert runs == [3_600]
    shelf.store = Store.open(tmp_path / "other", limits=Limits(solid_unused_s=3_600))
    assert shelf.store.directory.format.solid, "a new store may have solid blocks at once"


def test_a_store_that_others_have_open_has_no_solid_blocks_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wheelfs.store.directory.is_in_use", lambda path: True)
    with Store.open(tmp_path / "store", limits=Limits(solid_unused_s=3_600)) as store:
        assert not caplog.records, "no command says so"
        for _ in range(2):
            store.solidify_if_due()
        assert not store.directory.format.solid
    assert caplog.text.count("nothing is made solid: other processes had the store") == 1


def test_a_run_ends_when_it_has_done_enough(shelf: Shelf, wheels: list[bytes]) -> None:
    again = [
        build_wheel("other", f"{version}.0", files={"other/a.py": edited(text("a", 90_000), version)}) for version in range(4)
    ]
    for number, wheel in enumerate(again):
        shelf.add(number, wheel, project="other")
    assert solidify(shelf.store, unused_s=ALL_S, bytes_s=1.0, most_bytes=1).wheels == 3
    assert solidify(shelf.store, unused_s=ALL_S, bytes_s=1.0).wheels == 3
    assert all(map(shelf.solid_blocks, (*wheels[:3], *again[:3])))


# --- the format --------------------------------------------------------------------------------------------------------------


def test_a_store_says_that_it_may_have_solid_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "store") as store:
        assert "solid" not in json.loads((tmp_path / "store" / "format").read_text())
        with pytest.raises(StoreError, match="not opened for it"):
            solidify(store, unused_s=0)
    allow_solid(tmp_path / "store")
    allow_solid(tmp_path / "store")
    assert json.loads((tmp_path / "store" / "format").read_text())["solid"] is True

    known = [name for name in Format.__struct_fields__ if name != "solid"]
    older = msgspec.defstruct("Format", known, frozen=True, forbid_unknown_fields=True)
    monkeypatch.setattr("wheelfs.store.directory.Format", older)
    with pytest.raises(StoreFormat, match="solid"):
        StoreDirectory.open(tmp_path / "store", create=False)


def test_the_first_time_no_other_process_has_it_open(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store"):
        pass
    program = "; ".join(
        (
            "import sys, pathlib, wheelfs.store.store as stores",
            "stores.Store.open(pathlib.Path(sys.argv[1]))",
            "print(1, flush=True)",
            "sys.stdin.read()",
        )
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StoreLocked):
            allow_solid(tmp_path / "store")
        other.communicate(timeout=30)
    allow_solid(tmp_path / "store")
