"""What a store tells other nodes: everything in portions, then only what is new."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.model.manifest import Manifest
from wheelfs.remote.share.manifests import composition_of
from wheelfs.service.shares.feed import ShareFeed
from wheelfs.service.shares.limits import FeedLimits
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.model.shared import FeedPage


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "s") as opened:
        yield opened


def add(store: Store, version: str) -> bytes:
    content = build_wheel("demo", version)
    name = StoredName(
        project="demo",
        filename=wheel_filename("demo", version),
        index="main",
        size_bytes=len(content),
        added_at_us=time.time_ns() // 1_000,
        requires_python=">=3.8",
    )
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return store.add_content(file.fileno(), len(content), expected_sha256=None, names=[name])


def remove(store: Store, version: str) -> None:
    for name in store.catalog.stored_names("demo"):
        if name.filename == wheel_filename("demo", version):
            store.catalog.remove_name(name.key).result()


def told(events: FeedPage) -> list[str]:
    return [file.filename.split("-")[1] for file in events.files]


def everything(one: ShareFeed, cursor: str | None = None) -> tuple[list[str], str, int]:
    names: list[str] = []
    for portions in range(1, 100):
        events = one.events(cursor)
        assert events.is_resync
        names += told(events)
        cursor = events.cursor
        if not events.more:
            return names, cursor, portions
    raise AssertionError("it does not end")


def test_all_is_told_in_portions_and_then_only_what_is_new(store: Store) -> None:
    one = ShareFeed(store, limits=FeedLimits(names=2))
    assert everything(one)[0] == []
    for version in ("1", "2", "3", "4", "5"):
        add(store, version)
    names, cursor, portions = everything(one)
    assert (names, portions) == (["1", "2", "3", "4", "5"], 3)
    digest = add(store, "6")
    events = one.events(cursor)
    assert (told(events), events.gone, events.more, events.is_resync) == (["6"], (), False, False)
    assert (events.files[0].sha256, events.files[0].requires_python) == (digest, ">=3.8")
    assert told(one.events(events.cursor)) == []


def test_what_comes_while_all_is_told_is_told_afterwards(store: Store) -> None:
    one = ShareFeed(store, limits=FeedLimits(names=2))
    for version in ("3", "4", "5"):
        add(store, version)
    first = one.events(None)
    add(store, "1")
    rest, cursor, _ = everything(one, first.cursor)
    assert told(first) + rest == ["3", "4", "5"]
    assert told(one.events(cursor)) == ["1"]


def test_what_is_new_is_told_in_portions_too(store: Store) -> None:
    one = ShareFeed(store, limits=FeedLimits(names=2))
    cursor = one.events(None).cursor
    for version in ("1", "2", "3", "4", "5"):
        add(store, version)
    remove(store, "2")
    names: list[str] = []
    gone: list[str] = []
    more, portions = True, 0
    while more:
        events = one.events(cursor)
        assert not events.is_resync
        assert len(events.files) + len(events.gone) <= 2
        names += told(events)
        gone += [filename for _, filename, _ in events.gone]
        cursor, more, portions = events.cursor, events.more, portions + 1
    assert portions > 2
    assert sorted(names) == ["1", "3", "4", "5"]
    assert set(gone) == {wheel_filename("demo", "2")}
    assert (told(one.events(cursor)), one.events(cursor).more) == ([], False)


def test_long_names_make_shorter_portions(store: Store) -> None:
    one = ShareFeed(store, limits=FeedLimits(size_bytes=300))
    before = one.events(None).cursor
    for version in ("1", "2", "3"):
        add(store, version)
    names, _, portions = everything(one)
    assert (names, portions) == (["1", "2", "3"], 2)
    events = one.events(before)
    assert (told(events), events.more) == (["1", "2"], True)
    assert told(one.events(events.cursor)) == ["3"]


def test_what_goes_is_told_and_what_came_back_is_there(store: Store) -> None:
    one = ShareFeed(store)
    gone, _ = add(store, "1"), add(store, "2")
    _, cursor, _ = everything(one)
    remove(store, "1")
    remove(store, "2")
    add(store, "2")
    events = one.events(cursor)
    assert (told(events), events.gone) == (["2"], (("demo", wheel_filename("demo", "1"), gone),))


@pytest.mark.parametrize("cursor", ["", "j:0123:7", "c:0123:7:00", "j::", "nonsense", "j:" + "0" * 5000])
def test_a_point_of_another_store_begins_anew(store: Store, cursor: str) -> None:
    add(store, "1")
    events = ShareFeed(store).events(cursor)
    assert (told(events), events.is_resync) == (["1"], True)


def test_a_point_from_before_the_memory_begins_anew(store: Store) -> None:
    one = ShareFeed(store)
    add(store, "1")
    cursor = one.events(None).cursor
    beyond = cursor.rpartition(":")[0] + ":999999"
    assert one.events(beyond).is_resync


def test_how_a_file_is_made_is_told_so_that_its_bytes_can_be_compared(store: Store) -> None:
    digest = add(store, "1")
    encoded = ShareFeed(store).manifest(digest)
    assert encoded is not None
    manifest = Manifest.decode(encoded)
    composition = composition_of(manifest, attempted="read it")
    with store.reading(digest) as sealed:
        content = sealed.read(0, sealed.size)
    assert composition.check(0, content) == (len(content), False)
    assert composition.end_bytes > 22
    assert manifest.lengths


def test_only_what_is_stored_is_given(store: Store) -> None:
    one = ShareFeed(store)
    digest = add(store, "1")
    found = one.file(digest)
    assert found is not None
    ref, size_bytes = found
    assert (ref.filename, ref.link.sha256) == (wheel_filename("demo", "1"), digest)
    assert size_bytes == store.catalog.stored_names("demo")[0].size_bytes
    assert (one.file(bytes(32)), one.manifest(bytes(32))) == (None, None)
    assert one.manifest(digest) is not None
    store.quarantine(digest, "rotten")
    assert (one.file(digest), one.manifest(digest)) == (None, None)
    assert told(one.events(None)) == []
