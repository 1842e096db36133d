"""The catalog: what is put in is found, cheaply, by this and other processes; and every visible change is in the journal."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from wheelfs.errors import InvalidInput, StoreDamaged, StoreFormat, StoreReadOnly
from wheelfs.model.content import ContentKey
from wheelfs.model.links import FileLink, ProjectPage, Validators
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.catalog import CATALOG_DATABASES, Catalog
from wheelfs.store.catalog.records import Change, ContentFacts, Counts, PageRecord, StoredContent, StoredName
from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import lmdb

    from wheelfs.store.engine.environment import Environment

WAIT_S = 60


class Opened:
    def __init__(self, path: Path, *, readonly: bool = False, changes_kept: int = 100) -> None:
        self.directory = StoreDirectory.open(path, create=not readonly, readonly=readonly)
        self.environment: Environment = self.directory.open_environment("catalog", CATALOG_DATABASES)
        self.writer = open_writer(self.environment)
        self.catalog = Catalog(self.environment, self.writer, changes_kept=changes_kept)

    def close(self) -> None:
        self.writer.close()
        self.directory.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    it = Opened(tmp_path / "store")
    yield it
    it.close()


@pytest.fixture
def catalog(opened: Opened) -> Catalog:
    return opened.catalog


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def name(project: str, version: str = "1.0", **more: object) -> StoredName:
    fields: dict[str, object] = {"index": "main", "size_bytes": 1000, "added_at_us": 5} | more
    return StoredName(project=project, filename=f"{project}-{version}-py3-none-any.whl", **fields)  # type: ignore[arg-type]


def seal(catalog: Catalog, named: StoredName, content: str | None = None, recipe: bytes = b"recipe") -> bytes:
    sha256 = digest(content or named.filename)
    catalog.seal(sha256, StoredContent(named.size_bytes, 1, True), recipe, [named]).result(WAIT_S)
    return sha256


def page(project: str, *versions: str) -> ProjectPage:
    return ProjectPage(
        project,
        tuple(
            FileLink(f"{project}-{version}.whl", f"https://index.example/{version}", digest(version), upload_time_us=1)
            for version in versions
        ),
    )


def record(page: ProjectPage | None, fetched_at_us: int, **more: object) -> PageRecord:
    return PageRecord(index_url="https://index.example/simple/", fetched_at_us=fetched_at_us, page=page, **more)  # type: ignore[arg-type]


# --- files -------------------------------------------------------------------------------------------------------------


def test_a_sealed_file_is_found_by_content_and_by_name(catalog: Catalog) -> None:
    full = name(
        "alpha", pinned=True, private=True, upload_time_us=7, requires_python=">=3", yanked="", url="https://index.example/a"
    )
    sha256 = seal(catalog, full)
    assert catalog.content(sha256) == StoredContent(1000, 1, True)
    assert catalog.recipe(sha256) == b"recipe"
    assert catalog.stored_names("alpha") == catalog.names_of(sha256) == [msgspec.structs.replace(full, sha256=sha256)]
    assert catalog.content(digest("other")) is None
    assert catalog.recipe(digest("other")) is None
    assert catalog.stored_names("alph") == catalog.stored_names("alphabet") == []


def test_recipes_of_any_length_are_kept_whole_and_replaced_whole(catalog: Catalog) -> None:
    sha256 = digest("alpha")
    for size in (
        0,
        1,
        compressed.PART_BYTES,
        3 * compressed.PART_BYTES + 1,
        compressed.PART_BYTES + 5,
        2 * compressed.PART_BYTES,
    ):
        recipe = bytes(range(251)) * (size // 251 + 1)
        seal(catalog, name("alpha"), "alpha", recipe[:size])
        assert catalog.recipe(sha256) == recipe[:size]
        catalog.poison(ContentKey(sha256), "so that it may be sealed again").result(WAIT_S)


def test_sealing_again_keeps_the_recipe_and_adds_the_name(catalog: Catalog) -> None:
    first = seal(catalog, name("alpha"), "same", b"first")
    assert seal(catalog, name("beta"), "same", b"second") == first
    assert catalog.recipe(first) == b"first"
    assert [found.project for found in catalog.names_of(first)] == ["alpha", "beta"]
    assert catalog.counts() == Counts(files=1, names=2, raw_bytes=1000)


def test_one_filename_may_have_several_contents(catalog: Catalog) -> None:
    seal(catalog, name("alpha", index="a"), "x")
    seal(catalog, name("alpha", index="b"), "y")
    assert sorted(found.index for found in catalog.stored_names("alpha")) == ["a", "b"]


def test_a_name_stays_pinned_and_private_when_it_comes_again(catalog: Catalog) -> None:
    seal(catalog, name("alpha", pinned=True, private=True, added_at_us=1))
    seal(catalog, name("alpha", index="later", added_at_us=9))
    (found,) = catalog.stored_names("alpha")
    assert (found.pinned, found.private, found.added_at_us, found.origins) == (True, True, 1, ("main", "later"))


def test_content_goes_with_its_last_name(catalog: Catalog) -> None:
    sha256 = seal(catalog, name("alpha"), "same", b"r" * 300_000)
    seal(catalog, name("beta"), "same")
    first, second = catalog.names_of(sha256)
    assert catalog.remove_name(first.key).result(WAIT_S)
    assert not catalog.remove_name(first.key).result(WAIT_S)
    assert catalog.content(sha256) is not None
    assert catalog.remove_name(second.key).result(WAIT_S)
    assert (catalog.content(sha256), catalog.recipe(sha256)) == (None, None)
    assert catalog.counts() == Counts(0, 0, 0, 1_000)


def test_pinning_changes_nothing_else(catalog: Catalog) -> None:
    seal(catalog, name("alpha"))
    (before,) = catalog.stored_names("alpha")
    assert catalog.set_pinned(before.key, True).result(WAIT_S)
    assert catalog.stored_names("alpha") == [msgspec.structs.replace(before, pinned=True)]
    assert not catalog.set_pinned(name("missing").key + bytes(32), True).result(WAIT_S)


def test_a_name_cannot_be_added_to_content_that_is_not_here(catalog: Catalog) -> None:
    assert not catalog.add_name(name("alpha", sha256=digest("nothing"))).result(WAIT_S)
    assert catalog.counts().names == 0


def test_poisoned_content_is_marked_until_it_is_sealed_anew(catalog: Catalog) -> None:
    sha256 = seal(catalog, name("alpha"))
    catalog.poison(ContentKey(sha256), "rotten").result(WAIT_S)
    content, facts = catalog.content(sha256), catalog.facts(ContentKey(sha256))
    assert content is not None
    assert facts is not None
    assert content.poisoned == facts.poisoned == "rotten"
    seal(catalog, name("alpha"), recipe=b"new")
    assert catalog.content(sha256) == StoredContent(1000, 1, True)
    assert catalog.recipe(sha256) == b"new"
    facts = catalog.facts(ContentKey(sha256))
    assert facts is not None
    assert facts.poisoned is None
    assert catalog.counts().raw_bytes == 1000


def test_names_are_iterated_in_batches_in_order_each_once(opened: Opened) -> None:
    projects = [f"p{number:05}" for number in range(4000)]

    def fill(transaction: lmdb.Transaction) -> None:
        for project in projects:
            for version in ("1", "2", "3", "4", "5"):
                one = name(project, version)
                opened.catalog._names.seal(transaction, digest(one.filename), StoredContent(10, 1, True), b"r", [one])

    opened.writer.submit(fill).result(WAIT_S)
    catalog = opened.catalog
    seen = [(found.project, found.filename) for found in catalog.names(batch=777)]
    assert seen == sorted(set(seen))
    assert len(seen) == 20_000
    assert list(catalog.projects()) == projects
    assert list(catalog.projects(projects[1_000])) == projects[1_001:]
    assert catalog.counts() == Counts(20_000, 20_000, 200_000)


def test_names_that_are_too_long_are_refused_and_found_nowhere(catalog: Catalog) -> None:
    long = "a" * 250
    with pytest.raises(InvalidInput):
        catalog.seal(digest("x"), StoredContent(1, 1, True), b"", [name(long, "b" * 230)]).result(WAIT_S)
    assert catalog.content(digest("x")) is None
    assert catalog.stored_names(long * 3) == []
    assert catalog.page_head("main", long * 3) is None
    assert catalog.page("main", long * 3) is None
    assert list(catalog.projects(long * 3)) == []
    with pytest.raises(InvalidInput):
        catalog.put_page("main", long * 3, record(page("x"), 1)).result(WAIT_S)


# --- projects ----------------------------------------------------------------------------------------------------------


def test_a_page_comes_back_as_it_was_put(catalog: Catalog) -> None:
    assert catalog.page_head("main", "alpha") is None
    given = page("alpha", *map(str, range(20_000)))
    validators = Validators(etag='"x"')
    assert catalog.put_page("main", "alpha", record(given, 10, validators=validators, max_age_s=600)).result(WAIT_S)
    assert catalog.page("main", "alpha") == given
    head = catalog.page_head("main", "alpha")
    assert head is not None
    assert (head.fetched_at_us, head.changed_at_us, head.absent) == (10, 10, False)
    assert (head.validators, head.max_age_s) == (validators, 600)
    assert catalog.page("other", "alpha") is None


def test_the_same_page_again_is_no_change(catalog: Catalog) -> None:
    catalog.put_page("main", "alpha", record(page("alpha", "1"), 10)).result(WAIT_S)
    seq = catalog.last_seq()
    assert not catalog.put_page("main", "alpha", record(page("alpha", "1"), 20)).result(WAIT_S)
    assert catalog.touch_page("main", "alpha", fetched_at_us=30, max_age_s=7).result(WAIT_S)
    head = catalog.page_head("main", "alpha")
    assert head is not None
    assert head.max_age_s == 7
    assert catalog.touch_page("main", "alpha", fetched_at_us=30).result(WAIT_S)
    assert catalog.page_head("main", "alpha") == head, "an answer that says nothing of its age changes nothing"
    head = catalog.page_head("main", "alpha")
    assert head is not None
    assert (head.fetched_at_us, head.changed_at_us) == (30, 10)
    assert catalog.last_seq() == seq
    assert not catalog.touch_page("main", "beta", fetched_at_us=30).result(WAIT_S)


def test_every_other_page_gets_a_later_time_of_change_whatever_the_clock_says(catalog: Catalog) -> None:
    times = []
    for at_us, versions in ((10, "1"), (10, "12"), (3, "123")):
        catalog.put_page("main", "alpha", record(page("alpha", *versions), at_us)).result(WAIT_S)
        head = catalog.page_head("main", "alpha")
        assert head is not None
        times.append(head.changed_at_us)
    assert times == [10, 11, 12]


def test_an_absent_project_is_remembered_and_not_listed(catalog: Catalog) -> None:
    catalog.put_page("main", "alpha", record(page("alpha", "1"), 1)).result(WAIT_S)
    assert catalog.put_absent("main", "alpha", index_url="https://index.example/", fetched_at_us=2).result(WAIT_S)
    assert not catalog.put_absent("main", "alpha", index_url="https://index.example/", fetched_at_us=3).result(WAIT_S)
    head = catalog.page_head("main", "alpha")
    assert head is not None
    assert head.absent
    assert catalog.page("main", "alpha") is None
    assert list(catalog.projects()) == []
    assert catalog.put_page("main", "alpha", record(page("alpha", "1"), 4)).result(WAIT_S)
    assert list(catalog.projects()) == ["alpha"]


def test_known_projects_join_names_and_all_indexes_in_order(catalog: Catalog) -> None:
    for index, project in (("b", "delta"), ("a", "beta"), ("b", "beta"), ("a", "a-b"), ("a", "a")):
        catalog.put_page(index, project, record(page(project), 1)).result(WAIT_S)
    seal(catalog, name("beta"))
    seal(catalog, name("gamma"))
    assert list(catalog.projects()) == ["a", "a-b", "beta", "delta", "gamma"]
    assert list(catalog.projects("a")) == ["a-b", "beta", "delta", "gamma"]
    assert list(catalog.projects("gamma")) == []


# --- facts -------------------------------------------------------------------------------------------------------------


def test_facts_and_metadata_are_kept_by_content_key(catalog: Catalog) -> None:
    key = ContentKey(digest("key"))
    assert catalog.facts(key) is None
    assert catalog.metadata(key) is None
    facts = ContentFacts(size_bytes=3, etag='"e"', checked_at_us=9)
    catalog.put_facts(key, facts).result(WAIT_S)
    assert catalog.facts(key) == facts
    for metadata in (b"", b"Name: x\n" * 1000):
        catalog.put_metadata(key, metadata).result(WAIT_S)
        assert catalog.metadata(key) == metadata


# --- changes -----------------------------------------------------------------------------------------------------------


def test_every_visible_change_is_in_the_journal_in_order(catalog: Catalog) -> None:
    assert catalog.changes_since(0) == ([], 0, True)
    before = catalog.last_transaction()
    sha256 = seal(catalog, name("alpha"))
    assert catalog.last_transaction() > before
    catalog.put_page("main", "beta", record(page("beta"), 1)).result(WAIT_S)
    (stored,) = catalog.stored_names("alpha")
    catalog.set_pinned(stored.key, True).result(WAIT_S)
    catalog.poison(ContentKey(sha256), "rotten").result(WAIT_S)
    catalog.remove_name(stored.key).result(WAIT_S)
    file = Change("file", "alpha", stored.filename, sha256, "main")
    assert catalog.changes_since(0) == ([file, Change("page", "beta", index="main"), file, file, file], 5, True)
    assert catalog.changes_since(4) == ([file], 5, True)
    assert catalog.changes_since(5) == ([], 5, True)


def test_who_is_too_far_behind_is_told_so(catalog: Catalog) -> None:
    for number in range(250):
        catalog.put_page("main", f"p{number}", record(page("x"), 1))
    seal(catalog, name("alpha"))
    changes, last, complete = catalog.changes_since(0)
    assert (len(changes), last, complete) == (100, 251, False)
    assert catalog.changes_since(150).complete is False
    assert catalog.changes_since(151).complete is True
    assert len(catalog.changes_since(151).changes) == 100
    assert catalog.changes_since(999) == ([], 251, False)


def test_another_process_writes_to_the_same_catalog_and_is_noticed(opened: Opened) -> None:
    seal(opened.catalog, name("alpha"))
    seq, transaction = opened.catalog.last_seq(), opened.catalog.last_transaction()
    program = (
        "import sys; from pathlib import Path; from wheelfs.store.store import Store\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    store.catalog.put_absent('main', 'beta', index_url='https://index.example/', fetched_at_us=1).result(60)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(opened.directory.path)], check=True, timeout=WAIT_S)
    assert opened.catalog.last_transaction() > transaction
    assert opened.catalog.changes_since(seq).changes == [Change("page", "beta", index="main")]


# --- opening and damage ------------------------------------------------------------------------------------------------


def test_a_read_only_catalog_reads_and_refuses_to_write(tmp_path: Path) -> None:
    writable = Opened(tmp_path / "store")
    seal(writable.catalog, name("alpha"))
    writable.close()
    it = Opened(tmp_path / "store", readonly=True)
    assert len(it.catalog.stored_names("alpha")) == 1
    with pytest.raises(StoreReadOnly):
        it.catalog.put_metadata(ContentKey(bytes(32)), b"")
    it.close()


def test_a_catalog_of_another_schema_is_refused(tmp_path: Path) -> None:
    it = Opened(tmp_path / "store")
    it.writer.submit(lambda transaction: transaction.put(b"schema", b"2", db=it.environment.database("meta"))).result(WAIT_S)
    with pytest.raises(StoreFormat, match="schema"):
        Catalog(it.environment, it.writer)
    it.close()


RUBBISH = {
    "invalid": b"\xc1rubbish",
    "no text": b"\x93\xa2\xff\xfe\xa2\xff\xfe\xa2\xff\xfe",
    "deep": b"\x91" * 100_000,
    "empty": b"",
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize(
    ("database", "read"),
    [
        ("contents", lambda catalog: catalog.content(digest("alpha"))),
        ("names", lambda catalog: catalog.stored_names("alpha")),
        ("page-heads", lambda catalog: catalog.page_head("main", "alpha")),
        ("pages", lambda catalog: catalog.page("main", "alpha")),
        ("facts", lambda catalog: catalog.facts(ContentKey(digest("alpha")))),
        ("changes", lambda catalog: catalog.changes_since(0)),
    ],
)
def test_damaged_records_are_damage_of_the_store(
    opened: Opened, database: str, read: Callable[[Catalog], object], rubbish: bytes
) -> None:
    catalog, key = opened.catalog, ContentKey(digest("alpha"))
    seal(catalog, name("alpha"), "alpha")
    catalog.put_page("main", "alpha", record(page("alpha"), 1)).result(WAIT_S)
    catalog.put_metadata(key, b"x").result(WAIT_S)
    catalog.put_facts(key, ContentFacts()).result(WAIT_S)

    def damage(transaction: lmdb.Transaction) -> None:
        with transaction.cursor(opened.environment.database(database)) as cursor:
            assert cursor.first()
            transaction.put(cursor.key(), rubbish, db=opened.environment.database(database))

    read(catalog)
    opened.writer.submit(damage).result(WAIT_S)
    with pytest.raises(StoreDamaged):
        read(catalog)
