"""What names in a mount mean, without a mount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wheelfs.core.times import AsOf
from wheelfs.core.views import paths
from wheelfs.core.views.paths import ROOT, CacheTag, Directory, FlatFile, Meaning, Nothing, Page, ProjectFile, StatusFile
from wheelfs.core.views.view import View

INDEXES = ["lab", "public"]
DAY = View(asof=AsOf("2026-01-31", 1_769_904_000_000_000))


def walk(path: str) -> Meaning:
    """Return what ``path`` means, from the root, name by name."""
    found: Meaning = ROOT
    for name in filter(None, path.split("/")):
        assert isinstance(found, Directory), f"{path}: {found} is no directory"
        found = paths.meaning(found, name, INDEXES)
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ROOT),
        ("simple", Directory("simple", "simple", View())),
        ("index", Directory("indexes", "index", View())),
        ("index/lab", Directory("view", "index/lab", View(index="lab"))),
        ("index/lab/simple", Directory("simple", "index/lab/simple", View(index="lab"))),
        ("here/simple", Directory("simple", "here/simple", View(here=True))),
        ("stored", Directory("view", "stored", View(stored=True))),
        ("stored/here/simple", Directory("simple", "stored/here/simple", View(stored=True, here=True))),
        ("index/lab/stored/here", Directory("view", "index/lab/stored/here", View(index="lab", stored=True, here=True))),
        ("index.html", Page("links")),
        ("stored/index.html", Page("links")),
        ("simple/index.html", Page("simple")),
        ("simple/numpy/index.html", Page("project")),
        (".wheelfs/status.json", StatusFile()),
        ("CACHEDIR.TAG", CacheTag()),
        ("stored/CACHEDIR.TAG", Nothing()),
        ("a-1-py3-none-any.whl", FlatFile("a-1-py3-none-any.whl")),
        ("stored/a-1-py3-none-any.whl", FlatFile("a-1-py3-none-any.whl")),
        ("simple/a/a-1-py3-none-any.whl", ProjectFile("a-1-py3-none-any.whl", metadata=False)),
        ("simple/a/a-1-py3-none-any.whl.metadata", ProjectFile("a-1-py3-none-any.whl", metadata=True)),
        ("simple/a/a-1.tar.gz", ProjectFile("a-1.tar.gz", metadata=False)),
        ("index/unknown", Nothing()),
        ("here/index.html", Nothing()),
        ("here/a-1-py3-none-any.whl", Nothing()),
        ("here/here", Nothing()),
        ("stored/index", Nothing()),
        ("simple/NumPy", Nothing()),
        ("simple/a--b", Nothing()),
        ("simple/..", Nothing()),
        ("simple/a\nb", Nothing()),
        (".wheelfs/other", Nothing()),
        ("asof", Directory("times", "asof", View())),
        ("asof/2026-01-31", Directory("view", "asof/2026-01-31", DAY)),
        ("asof/2026-01-31/simple", Directory("simple", "asof/2026-01-31/simple", DAY)),
        ("asof/2026-01-31/here/simple", Directory("simple", "asof/2026-01-31/here/simple", replace(DAY, here=True))),
        ("asof/2026-01-31/stored/here", Directory("view", "asof/2026-01-31/stored/here", replace(DAY, stored=True, here=True))),
        ("asof/2026-01-31/index", Directory("indexes", "asof/2026-01-31/index", DAY)),
        ("asof/2026-01-31/index/lab", Directory("view", "asof/2026-01-31/index/lab", replace(DAY, index="lab"))),
        ("asof/2026-01-31/index.html", Page("links")),
        ("asof/2026-01-31/a-1-py3-none-any.whl", FlatFile("a-1-py3-none-any.whl")),
        ("asof/2026-01-31/simple/a/a-1.tar.gz", ProjectFile("a-1.tar.gz", metadata=False)),
        ("asof/2026-01-31/asof", Nothing()),
        ("asof/2026-01-31/.wheelfs", Nothing()),
        ("asof/2026-01-31/index/unknown", Nothing()),
        ("asof/2026-01-31/stored/index", Nothing()),
        ("asof/index.html", Nothing()),
        ("asof/2026-02-30", Nothing()),
        ("asof/yesterday", Nothing()),
        ("stored/asof", Nothing()),
        ("readme.txt", Nothing()),
    ],
)
def test_every_path_has_one_meaning(path: str, expected: Meaning) -> None:
    assert walk(path) == expected


def test_listings_show_the_views_and_hide_the_private_directory() -> None:
    assert [name for name, _ in paths.subdirectories(ROOT, INDEXES)] == ["simple", "index", "stored", "here", "asof"]
    assert [name for name, _ in paths.subdirectories(ROOT, [])] == ["simple", "stored", "here", "asof"]
    index = walk("index")
    assert isinstance(index, Directory)
    assert [name for name, _ in paths.subdirectories(index, INDEXES)] == INDEXES
    here = walk("here")
    assert isinstance(here, Directory)
    assert [name for name, _ in paths.subdirectories(here, INDEXES)] == ["simple"]
    day = walk("asof/2026-01-31")
    assert isinstance(day, Directory)
    assert [name for name, _ in paths.subdirectories(day, INDEXES)] == ["simple", "index", "stored", "here"]


def test_no_time_is_listed_since_there_is_no_end_of_them() -> None:
    times = walk("asof")
    assert isinstance(times, Directory)
    assert not list(paths.subdirectories(times, INDEXES))


def test_listed_directories_are_found_by_name_with_the_same_meaning_and_end_somewhere() -> None:
    todo, seen = [ROOT], 0
    while todo:
        directory = todo.pop()
        seen += 1
        assert seen < 100, "views narrow without end"
        for name, found in paths.subdirectories(directory, INDEXES):
            assert paths.meaning(directory, name, INDEXES) == found
            assert found.path == f"{directory.path}/{name}".lstrip("/")
            todo.append(found)


@given(st.text(), st.sampled_from(["", "simple", "index", "here", "simple/a", ".wheelfs", "stored", "asof", "asof/2026-01-31"]))
def test_no_name_escapes_or_breaks(name: str, path: str) -> None:
    parent = walk(path)
    assert isinstance(parent, Directory)
    found = paths.meaning(parent, name, INDEXES)
    if isinstance(found, Directory):
        assert found.path == f"{path}/{name}".lstrip("/")
    if isinstance(found, FlatFile | ProjectFile):
        assert "/" not in found.filename
        assert "\0" not in found.filename
        assert found.filename not in ("", ".", "..")
