"""Rules that hold for the whole project, checked by machine so that nobody has to remember them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
from pathlib import Path

import pytest

import wheelfs
from wheelfs.errors import InternalError, WheelfsError

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "wheelfs"
LONGEST_MODULE_LINES = 400

# Put together here, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("pypi", "python", "org")))


def project_files() -> list[Path]:
    """Files that git knows or would add: what a clone, an sdist or a reader gets to see."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


def error_classes() -> list[type[WheelfsError]]:
    # Subclasses count wherever they are defined, so everything that could define one is imported.
    for module in pkgutil.walk_packages(wheelfs.__path__, "wheelfs."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[WheelfsError]] = [WheelfsError]
    for one in found:
        found.extend(below for below in one.__subclasses__() if below not in found)
    return found


def test_the_rules_are_tested_on_something() -> None:
    assert len(project_files()) > 20
    assert len(modules()) > 20
    assert len(error_classes()) > 20


def test_no_module_takes_what_is_private_from_another_one() -> None:
    taking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and any(one.name.startswith("_") and one.name != "__version__" for one in node.names)
    ]
    assert not taking


def test_no_file_names_a_package_registry() -> None:
    """A registry is a matter of the user's configuration; documentation and tests use index.example."""
    naming = [
        str(path.relative_to(ROOT))
        for path in project_files()
        if any(host.encode() in path.read_bytes().lower() for host in REGISTRY_HOSTS)
    ]
    assert not naming


def test_no_module_is_too_long_to_enter() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_only_the_output_module_prints() -> None:
    """Elsewhere a print would break ``--json`` and the rule that stdout is the result."""
    printing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "cli" / "output.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


def test_every_error_class_owns_its_exit_code() -> None:
    """The base class is never raised by itself; what escapes as one is a bug, hence InternalError's code."""
    codes: dict[int, list[str]] = {}
    for one in error_classes():
        codes.setdefault(one.exit_code, []).append(one.__name__)
    shared = {code: names for code, names in codes.items() if len(names) > 1}
    assert shared == {InternalError.exit_code: ["WheelfsError", "InternalError"]}
    assert all(2 <= code < 126 for code in codes), "0 and 1 are taken, and from 126 on they belong to the shell"


def test_every_error_class_says_what_it_means() -> None:
    silent = [one.__name__ for one in error_classes() if not (one.__dict__.get("__doc__") or "").strip()]
    assert not silent
