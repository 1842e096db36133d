"""While much becomes solid others collect, make room and remove; and one step after the other looks at all of a project."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.wheels import build_wheel
from tests.unit.store.gc.shelf import ALL_S, Shelf, history, made_solid, text
from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import StoreLocked
from wheelfs.store.coordination.leases import held
from wheelfs.store.gc import solid_members
from wheelfs.store.gc import solidify as solidifying
from wheelfs.store.gc.collect import alone, collect, undisturbed
from wheelfs.store.gc.eviction import make_room
from wheelfs.store.gc.solidify import solidify
from wheelfs.store.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable


ALL_BLOCKS = 65.0
"""A block's use is counted in 64ths, each of which counts as 4 KiB: whatever is in use of a small one, it is rewritten."""


def before(monkeypatch: pytest.MonkeyPatch, module: object, name: str, what: Callable[[], object]) -> None:
    original = getattr(module, name)

    def first(*arguments: Any, **named: Any) -> object:
        what()
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, first)


def after(monkeypatch: pytest.MonkeyPatch, module: object, name: str, what: Callable[[], object]) -> None:
    original = getattr(module, name)

    def then(*arguments: Any, **named: Any) -> object:
        found = original(*arguments, **named)
        what()
        return found

    monkeypatch.setattr(module, name, then)


STEPS = (
    (before, solid_members, "_content"),
    (before, solidifying, "affordable"),
    (before, solidifying, "packed_stream"),
    (before, solidifying, "_swapped"),
    (before, solidifying, "_exchanged"),
)


@pytest.mark.parametrize(("when", "module", "name"), STEPS, ids=[name for *_, name in STEPS])
def test_collections_go_on_between_any_two_steps(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch, when: Callable[..., None], module: object, name: str
) -> None:
    collections: list[int] = []

    def all_anew() -> None:
        # Every block is written once more, but for solid ones, and the old ones go.
        collections.append(collect(shelf.store, sparse=ALL_BLOCKS, lock_s=0, grace_s=0).rewritten)

    when(monkeypatch, module, name, all_anew)
    assert made_solid(shelf).wheels == 3
    assert any(collections)
    shelf.again()
    assert [shelf.read(wheel) for wheel in wheels] == wheels
    assert not held(shelf.store.run_directory).making


def test_a_recipe_that_a_collection_replaces_meanwhile_is_exchanged_again(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [None]

    def once() -> None:
        if left:
            left.pop()
            assert collect(shelf.store, sparse=ALL_BLOCKS, lock_s=0, grace_s=0).rewritten

    after(monkeypatch, solidifying, "_exchanged", once)
    assert made_solid(shelf).wheels == 3
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_room_is_made_while_much_becomes_solid(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    quota = Limits(quota_bytes=int(shelf.store.used_bytes() * 0.9))
    before(monkeypatch, solidifying, "packed_stream", lambda: gone.extend(make_room(shelf.store, quota)))
    assert made_solid(shelf).wheels < 3
    assert gone
    left = [wheel for wheel in wheels if shelf.store.holds(hashlib.sha256(wheel).digest())]
    assert len(left) == len(wheels) - len(set(gone))
    assert [shelf.read(wheel) for wheel in left] == left


def test_what_goes_meanwhile_leaves_nothing(shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def all_removed() -> None:
        for name in shelf.store.catalog.stored_names("demo"):
            shelf.store.catalog.remove_name(name.key).result()
        collect(shelf.store, lock_s=0)

    before(monkeypatch, solidifying, "packed_stream", all_removed)
    assert made_solid(shelf).wheels == 0
    collect(shelf.store)
    assert [shelf.entries(name) for name in ("blocks", "block-info", "solid-blocks", "solid-streams")] == [0] * 4


def test_one_process_does_it_and_not_while_another_collects(shelf: Shelf, wheels: list[bytes]) -> None:
    with alone(shelf.store, "solid.lock", "test", ""), pytest.raises(StoreLocked, match="makes files of this store solid"):
        solidify(shelf.store, unused_s=ALL_S, lock_s=0)
    with undisturbed(shelf.store, "test"), pytest.raises(StoreLocked, match="another process collects"):
        solidify(shelf.store, unused_s=ALL_S, lock_s=0)


def test_a_collection_that_begins_meanwhile_only_puts_the_collection_off(
    shelf: Shelf, wheels: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = undisturbed(shelf.store, "test")
    before(monkeypatch, solidifying, "_collected", other.__enter__)
    try:
        with pytest.raises(StoreLocked, match="its room comes back with: wheelfs gc"):
            solidify(shelf.store, unused_s=ALL_S, bytes_s=1.0, lock_s=0)
    finally:
        other.__exit__(None, None, None)
    assert all(map(shelf.solid_blocks, wheels[:3]))
    assert collect(shelf.store).freed_bytes


def test_many_steps_reach_what_is_newer(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old wheels that stay as they are do not use up what is looked at."""
    with monkeypatch.context() as patch:
        original = zlib.compressobj
        patch.setattr("zipfile.zlib.compressobj", lambda *_: original(6, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY))
        for number in range(4):
            shelf.add(number, build_wheel("demo", f"{number}.0", files={"demo/large.dat": text(f"{number}", 900_000)}))
    wheels = history(7)
    for number, wheel in enumerate(wheels, 4):
        shelf.add(number, wheel)
    monkeypatch.setattr(solid_members, "STEP_BYTES", 4 << 20)
    steps: list[None] = []
    before(monkeypatch, solidifying, "affordable", lambda: steps.append(None))
    assert made_solid(shelf).wheels == 6
    assert len(steps) > 2
    shelf.again()
    assert [shelf.read(wheel) for wheel in wheels] == wheels


def test_a_run_that_has_done_enough_goes_on_next_time(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = history(7)
    for number, wheel in enumerate(wheels):
        shelf.add(number, wheel)
    monkeypatch.setattr(solid_members, "STEP_BYTES", 4 << 20)
    assert solidify(shelf.store, unused_s=ALL_S, bytes_s=1.0, most_bytes=1).wheels < 6
    assert made_solid(shelf).wheels
    assert all(map(shelf.solid_blocks, wheels[:6]))


def test_a_collection_rewrites_no_more_than_it_is_to(shelf: Shelf, wheels: list[bytes]) -> None:
    blocks = shelf.entries("blocks")
    assert 0 < collect(shelf.store, sparse=ALL_BLOCKS, rewritten_bytes=2 * BLOCK_BYTES).rewritten < blocks
