"""The package can be entered: nothing imports in a circle, and no folder, module or function is larger than a reader can hold.

``scripts/import-graph`` prints the same facts.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from scripts.programs.import_graph import ROOT, Graph, circles, read_graph

if TYPE_CHECKING:
    from pathlib import Path

MODULES: Final = 16
"""In a folder, so that its listing can be taken in at a glance."""
LINES: Final = 400
"""Of a module: what can be read in one sitting."""
FUNCTION_LINES: Final = 60
PARAMETERS: Final = 8
"""Of a function or method, besides its object."""


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph()


def test_no_modules_import_each_other_in_a_circle(graph: Graph) -> None:
    assert graph.module_circles() == []


def test_no_folders_need_each_other_in_a_circle(graph: Graph) -> None:
    assert graph.sibling_circles() == []


def test_no_folder_has_more_modules_than_fit_a_glance(graph: Graph) -> None:
    assert {folder: len(modules) for folder, modules in graph.folders().items() if len(modules) > MODULES} == {}


def test_no_module_is_too_long(graph: Graph) -> None:
    assert {module: lines for module, lines in graph.lines.items() if lines > LINES} == {}


def test_no_function_is_too_long(graph: Graph) -> None:
    assert {one.name: one.lines for one in graph.functions if one.lines > FUNCTION_LINES} == {}


def test_no_function_takes_too_many_parameters(graph: Graph) -> None:
    assert {one.name: one.parameters for one in graph.functions if one.parameters > PARAMETERS} == {}


# --- that the facts are found at all -------------------------------------------------------------------------------------


def made(root: Path, **sources: str) -> Graph:
    for name, source in sources.items():
        path = root / "pack" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        for folder in (path.parent, root / "pack"):
            (folder / "__init__.py").touch()
    return read_graph(root, "pack")


def test_circles_of_modules_are_found_also_where_only_types_are_imported(tmp_path: Path) -> None:
    types_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.b import B\n"
    graph = made(tmp_path, a=types_only, b="from pack import c\n", c="def f():\n    from pack.a import A\n", d="import pack.a\n")
    assert graph.module_circles() == graph.sibling_circles() == [("pack.a", "pack.b", "pack.c")]


def test_circles_of_folders_are_found_where_no_modules_make_one(tmp_path: Path) -> None:
    graph = made(tmp_path, one__a="from pack.two.b import B\n", one__c="", two__b="", two__d="from pack.one import c\n")
    assert graph.module_circles() == []
    assert graph.sibling_circles() == [("pack.one", "pack.two")]
    assert graph.folders() == {"pack.one": ["pack.one.a", "pack.one.c"], "pack.two": ["pack.two.b", "pack.two.d"]}


def test_functions_are_measured_with_what_is_in_them(tmp_path: Path) -> None:
    source = "class C:\n    def f(self, a, *b, c, **d):\n        def g(x):\n            pass\n        return g\n"
    graph = made(tmp_path, m=source)
    assert [(one.name, one.lines, one.parameters) for one in graph.functions] == [("pack.m.C.f", 4, 4), ("pack.m.C.f.g", 2, 1)]


def test_circles_that_touch_are_one_and_others_are_apart() -> None:
    edges = {"a": {"b"}, "b": {"a", "c"}, "c": {"b", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a", "f"}}
    assert circles(edges) == [("a", "b", "c"), ("d", "e")]


def test_the_command_prints_the_facts() -> None:
    done = subprocess.run([ROOT / "scripts" / "import-graph"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert "  wheelfs.service.vfs: " in done.stdout
    assert "longest functions" in done.stdout
