"""The importer of environments finds what ``importlib`` finds, and loads the same."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.packed_modules import MTIME_S, packed
from wheelfs.service.environments import importer
from wheelfs.service.environments.importer import Finder, Loader

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from wheelfs.service.environments.importer import Packed

NAMES = ["a", "b", "__init__", "__pycache__", "a-b"]
FILES = [name + suffix for name in NAMES for suffix in (".py", ".pyc", ".so", EXTENSION_SUFFIXES[0], ".abi3.so", ".txt", "")]
TREES = st.recursive(
    st.none(), lambda below: st.dictionaries(st.sampled_from(FILES), st.one_of(st.none(), below), max_size=6), max_leaves=12
)


def facts(spec: ModuleSpec | None) -> object:
    """Return all that importing goes by; the loader with bytecode at hand counts as the one that it stands for."""
    if spec is None:
        return None
    kind = SourceFileLoader if type(spec.loader) is Loader else type(spec.loader)
    loader = spec.loader and (kind, getattr(spec.loader, "name", None), getattr(spec.loader, "path", None))
    return spec.name, loader, spec.origin, spec.cached, spec.has_location, spec.parent, spec.submodule_search_locations


def finder(directory: str, found: Packed) -> Finder:
    names = found.names(directory)
    assert names is not None
    return Finder(directory, found, names)


def plain(directory: str) -> FileFinder:
    return FileFinder(directory, *importer._LOADERS)


def fill(directory: Path, tree: dict[str, object] | None) -> None:
    for name, below in (tree or {}).items():
        if isinstance(below, dict):
            (directory / name).mkdir()
            fill(directory / name, below)
        else:
            (directory / name).write_text(f"NAME = {name!r}\n")


@given(TREES)
def test_every_name_is_found_as_importlib_finds_it(tree: dict[str, object] | None) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch, "site")
        site.mkdir()
        fill(site, tree)
        found = packed(site, Path(scratch, "packed"))
        for where, _, _ in os.walk(site):
            for name in (*NAMES, "absent", "a.b", "b.absent", "/", "", "a\0"):
                assert facts(finder(where, found).find_spec(name)) == facts(plain(where).find_spec(name)), (where, name)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    fill(site.parent, {"site": {"one.py": None, "package": {"__init__.py": None, "two.py": None}}})
    (site / "package" / "data.txt").write_text("data")
    return site


def test_code_and_data_are_the_same(site: Path, tmp_path: Path) -> None:
    found = packed(site, tmp_path / "packed")
    spec = finder(str(site / "package"), found).find_spec("package.two")
    assert spec is not None
    loader = spec.loader
    assert isinstance(loader, Loader)
    other = SourceFileLoader("package.two", str(site / "package" / "two.py"))
    code = loader.get_code("package.two")
    assert code == other.get_code("package.two")
    assert code is not None
    assert code.co_filename == str(site / "package" / "two.py")
    assert loader.get_source("package.two") == "NAME = 'two.py'\n"
    assert loader.get_data(str(site / "package" / "data.txt")) == b"data"
    assert loader.path_stats(loader.path) == {"mtime": MTIME_S, "size": 16}
    elsewhere = str(site / "one.py")
    assert loader.path_stats(elsewhere) == other.path_stats(elsewhere)
    assert loader.get_filename("package.two") == other.get_filename("package.two")
    assert not loader.is_package("package.two")


def test_bytecode_is_taken_from_the_one_file(site: Path, tmp_path: Path) -> None:
    found = packed(site, tmp_path / "packed")
    (site / "one.py").write_text("NAME = 'another'\n")
    loader = finder(str(site), found).find_spec("one").loader  # type: ignore[union-attr]
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("one", loader))  # type: ignore[arg-type]
    loader.exec_module(module)  # type: ignore[union-attr]
    assert module.NAME == "one.py"


def test_a_file_that_was_closed_is_not_read_any_more(site: Path, tmp_path: Path) -> None:
    found = packed(site, tmp_path / "packed")
    loader = finder(str(site), found).find_spec("one").loader  # type: ignore[union-attr]
    assert isinstance(loader, Loader)
    other = os.open(__file__, os.O_RDONLY)
    os.dup2(other, found._file)
    os.close(other)
    assert found.read(0, 10) is None
    assert loader.get_code("one").co_names == ("NAME",)  # type: ignore[union-attr]
    os.close(found._file)
    assert found.read(0, 10) is None


def test_a_directory_that_is_another_one_is_looked_at(site: Path, tmp_path: Path) -> None:
    found = packed(site, tmp_path / "packed")
    inside = finder(str(site / "package"), found)
    (site / "package").rename(site / "before")
    fill(site, {"package": {"__init__.py": None, "three.py": None}})
    for name in ("package.two", "package.three"):
        assert facts(inside.find_spec(name)) == facts(plain(str(site / "package")).find_spec(name))
    spec = finder(str(site), found).find_spec("package")
    assert spec is not None
    assert type(spec.loader) is SourceFileLoader


def test_loaders_are_equal_and_go_through_pickles(site: Path, tmp_path: Path) -> None:
    found = packed(site, tmp_path / "packed")
    one, same = (finder(str(site), found).find_spec("one") for _ in range(2))
    assert one == same
    assert one is not None
    assert pickle.loads(pickle.dumps(one)).origin == one.origin


@pytest.mark.parametrize("content", [b"", b"wheelfs bytecode 2\n" + bytes(100), b"wheelfs bytecode 1\n" + bytes(100)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "packed").write_bytes(content)
    opened = os.open(tmp_path / "packed", os.O_RDONLY)
    with pytest.raises((ValueError, EOFError, TypeError)):
        importer.Packed(str(tmp_path), opened)
    os.close(opened)


def test_it_imports_nothing_that_an_interpreter_lacks_when_it_starts() -> None:
    script = "import importlib.machinery, sys; before = set(sys.modules); import importer; print(set(sys.modules) - before)"
    where = Path(importer.__file__).parent
    command = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(where)!r}]; {script}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "{'importer'}\n"
