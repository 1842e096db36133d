"""What shares tell, kept: told in portions, told from the start again, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from wheelfs.model.share_catalog import file_key
from wheelfs.model.shared import FeedPage, SharedFile
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import lmdb


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "s") as opened:
        yield opened


def file(project: str, number: int = 0, **changed: object) -> SharedFile:
    made = SharedFile(project, f"{project}-{number}-py3-none-any.whl", "main", bytes([number]) * 32, 10)
    return msgspec.structs.replace(made, **changed)


def take(store: Store, share: str, page: FeedPage) -> None:
    assert store.shared.take(share, page, asked=store.shared.cursor(share)).result()


def sweep(store: Store, share: str) -> None:
    place: bytes | None = None
    while (place := store.shared.sweep(share, place).result()) is not None:
        pass


def names(store: Store, share: str = "a") -> list[str]:
    return [name.file.filename for name in store.shared.names() if name.share == share]


def test_what_is_told_is_found_by_project_and_in_order(store: Store) -> None:
    take(store, "a", FeedPage((file("two"), file("one", 1), file("one")), (), "p"))
    take(store, "b", FeedPage((file("one"),), (), "q"))
    assert [(found.share, found.file) for found in store.shared.of_project("one")] == [
        ("a", file("one")),
        ("b", file("one")),
        ("a", file("one", 1)),
    ]
    assert store.shared.of_project("on") == []
    assert list(store.shared.projects()) == ["one", "two"]
    assert list(store.shared.projects("one")) == ["two"]
    assert (store.shared.cursor("a"), store.shared.cursor("b"), store.shared.cursor("c")) == ("p", "q", None)


def test_places_go_on_where_a_batch_ended(store: Store) -> None:
    take(store, "a", FeedPage(tuple(file("demo", number) for number in range(10)), (), "p"))
    assert [name.file.filename for name in store.shared.names(batch=3)] == names(store)
    fourth = list(store.shared.names())[3]
    assert [name.file.filename for name in store.shared.names(fourth.key, batch=3)] == names(store)[4:]


def test_what_goes_is_gone_for_that_share_only(store: Store) -> None:
    for share in ("a", "b"):
        take(store, share, FeedPage((file("demo"),), (), "p"))
    take(store, "a", FeedPage((), (("demo", file("demo").filename, file("demo").sha256),), "q"))
    assert (names(store, "a"), names(store, "b")) == ([], [file("demo").filename])


def test_telling_anew_forgets_what_is_not_named_again_and_nothing_before_the_end(store: Store) -> None:
    take(store, "a", FeedPage((file("old"), file("kept")), (), "p"))
    take(store, "b", FeedPage((file("old"),), (), "p"))
    take(store, "a", FeedPage((file("kept"),), (), "c1", more=True, is_resync=True))
    sweep(store, "a")
    assert names(store) == [file("kept").filename, file("old").filename]
    take(store, "a", FeedPage((file("new"),), (), "j1", is_resync=True))
    sweep(store, "a")
    assert names(store) == [file("kept").filename, file("new").filename]
    assert names(store, "b") == [file("old").filename]


def test_what_was_told_in_a_beginning_that_was_begun_anew_is_forgotten(store: Store) -> None:
    take(store, "a", FeedPage((file("old"),), (), "p1", more=True, is_resync=True, starts_resync=True))
    take(store, "a", FeedPage((file("new"),), (), "q1", more=True, is_resync=True, starts_resync=True))
    take(store, "a", FeedPage((file("more"),), (), "q2", is_resync=True))
    sweep(store, "a")
    assert names(store) == [file("more").filename, file("new").filename]


def test_news_of_a_point_that_another_process_has_left_are_for_nothing(store: Store) -> None:
    take(store, "a", FeedPage((file("one"),), (), "p"))
    assert not store.shared.take("a", FeedPage((file("two"),), (), "q"), asked=None).result()
    assert (names(store), store.shared.cursor("a")) == ([file("one").filename], "p")


def test_what_is_to_be_forgotten_is_so_by_whoever_comes_next(store: Store) -> None:
    take(store, "a", FeedPage((file("old"),), (), "p"))
    assert not store.shared.is_to_be_swept("a")
    take(store, "a", FeedPage((file("new"),), (), "c", more=True, is_resync=True))
    assert not store.shared.is_to_be_swept("a")
    take(store, "a", FeedPage((), (), "j", is_resync=True))
    take(store, "a", FeedPage((file("newer"),), (), "k"))  # and the process that was told all has ended
    assert store.shared.is_to_be_swept("a")
    sweep(store, "a")
    assert names(store) == [file("new").filename, file("newer").filename]
    assert not store.shared.is_to_be_swept("a")
    assert store.shared.cursor("a") == "k"


def test_each_change_is_in_the_journal_once(store: Store) -> None:
    take(store, "a", FeedPage((file("demo"),), (), "p"))
    seq = store.catalog.last_seq()
    take(store, "a", FeedPage((file("demo"),), (), "p2", is_resync=True))
    assert store.catalog.last_seq() == seq
    take(store, "a", FeedPage((file("demo", yanked="bad"),), (), "p3"))
    changes = store.catalog.changes_since(seq).changes
    assert [(change.kind, change.project, change.filename) for change in changes] == [("file", "demo", file("demo").filename)]


def test_a_name_too_long_for_a_key_is_left_out(store: Store) -> None:
    take(store, "a", FeedPage((file("x" * 300), file("demo")), (), "p"))
    assert names(store) == [file("demo").filename]


@pytest.mark.parametrize("rubbish", [b"\xc1", b"\x92\xa2\xff\xfe\x90"])
def test_a_note_of_what_is_lost_that_cannot_be_read_is_dropped(store: Store, rubbish: bytes) -> None:
    for lost in (file("one"), file("two")):
        take(store, "a", FeedPage((file("one"), file("two")), (), "1", is_resync=True, starts_resync=True))
        store.shared.forget("a", file_key(lost)).result()
    cursors = store.shared._cursors
    assert cursors is not None

    def damage(transaction: lmdb.Transaction) -> None:
        with transaction.cursor(cursors) as cursor:
            assert cursor.first()
            transaction.put(cursor.key(), rubbish, db=cursors)

    store.shared._writer.submit(damage).result()
    assert len(store.shared.forgotten("a", 10)) < 2
    take(store, "a", FeedPage((file("two"),), (), "2", is_resync=True, starts_resync=True))
    sweep(store, "a")
    assert names(store) == [file("two").filename]
    assert not store.shared.forgotten("a", 10)
