"""Rules that hold for the whole project, checked by machine so that nobody has to remember them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheelfs
from wheelfs.errors import InternalError, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Callable

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


# --- words ------------------------------------------------------------------------------------------------------------

BANNED = {
    r"whoever": "the caller, the reader, the writer; all who",
    r"nobody|somebody": "no caller, another process, a user",
    r"he|his|him|himself": "it, its (of programs)",
    r"(?:tells?|told|telling) of": "report, announce, list, mention",
    r"anew": "again, from the start",
    # Behind a proxy, a firewall or NAT is what the field says.
    r"behind(?!\s+(?:NAT\b|(?:an?|another|any|the)\s+(?:\w+\s+)?(?:address|balancer|firewall|proxy|server)\b))": "after",
    r"(?<!there\s)(?:is|are|was|were) (?-i:none)": "is not one, is invalid, is missing",
    r"for ever": "permanently, without end",
    r"so much": "this many bytes, the amount",
}
"""Words (regular expressions, between word boundaries) that made the text read as translated, and what to write instead.

The list is explained in docs/design/glossary.md.
"""

_GENERATED = ROOT / "docs" / "reference"
"""Written from the help texts of the package, so its words are the package's."""

_STORED = ROOT / "tests" / "golden" / "make.py"
"""Its words stand in stores that earlier builds wrote, which have to stay as they are."""

CHECKED_FOR_WORDS: dict[str, Callable[[Path], bool]] = {
    "documents": lambda path: path.suffix == ".md" and _GENERATED not in path.parents,
    "package": lambda path: PACKAGE in path.parents or _GENERATED in path.parents,
    "tests": lambda path: ROOT / "tests" in path.parents and path.suffix == ".py" and path != _STORED,
    "scripts": lambda path: ROOT / "scripts" in path.parents,
}
"""Where the list holds."""


def found_words(text: str) -> list[str]:
    """The banned words of a text, with their line numbers, also where a line ends between two of them."""
    pattern = re.compile(rf"\b(?:{'|'.join(BANNED)})\b".replace(" ", r"\s+(?:#\s+)?"), re.IGNORECASE)
    return [f"{text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in pattern.finditer(text)]


def words_section(text: str) -> str:
    """The section of the glossary that lists the banned words."""
    return text.partition("\n## Words not to use\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("place", CHECKED_FOR_WORDS)
def test_no_text_uses_words_that_hide_what_is_meant(place: str) -> None:
    belongs = CHECKED_FOR_WORDS[place]
    using = {}
    for path in project_files():
        if belongs(path) and path != Path(__file__) and path.suffix in ("", ".html", ".md", ".py"):
            text = path.read_text()
            if words := found_words(text.replace(words_section(text), "") if path.name == "glossary.md" else text):
                using[str(path.relative_to(ROOT))] = words
    assert using == {}


def test_the_glossary_explains_every_banned_word() -> None:
    section = words_section((ROOT / "docs" / "design" / "glossary.md").read_text())
    explained = found_words(section)
    assert [word for word in BANNED if not re.search(rf"\b(?:{word})\b", section)] == []
    assert len(explained) >= len(BANNED)
