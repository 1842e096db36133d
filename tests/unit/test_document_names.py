"""Names in back-quotes that look like something of this project are there: paths, modules, commands, options, tests."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest

from tests.unit.test_documents import DOCUMENTS, ROOT, options_of, without_code
from tests.unit.test_project_rules import project_files
from wheelfs.cli.command import all_commands
from wheelfs.cli.main import cli
from wheelfs.config import INDEX_KEYS, OPTIONS

_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LAYERS = ("app", "cli", "config", "core", "frontends", "model", "remote", "reports", "service", "store")
_TOP = ("changes", "docs", "scripts", "tests", "wheelfs")
_PATH = re.compile(rf"(?:{'|'.join((*_TOP, *_LAYERS))})/[\w./*-]*(?:::\w+)?")
_FILE = re.compile(r"\w[\w-]*\.(?:py|md)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_CLASS = re.compile(r"(?:[A-Z][a-z0-9]+){2,}")
_EXTENSIONS = frozenset(
    {"cfg", "conf", "gz", "html", "json", "lock", "log", "mdb", "md", "metadata", "py", "pth", "toml", "txt", "whl"}
)

ELSEWHERE = {
    "wheelfs/config.toml": "the user's configuration file, in the XDG directory",
    "changes/SLUG.md": "stands for any fragment",
    "changes/gc-of-gateways.md": "an example of a fragment",
    "tests/world/habits_*.py": "the habits of indexes, which come with another change",
    "scripts/world WORD": "runs them",
    "wheelfs share 1": "the first line of a share's marker",
    "wheelfs SOURCE DIR -o OPTIONS": "how mount(8) calls",
    "mount.wheelfs": "a name to call the program by",
    "mount.fuse.wheelfs": "a name to call the program by",
}
"""Names that only look like ours, and what they are."""

FOREIGN_OPTIONS = frozenset(
    {
        *(
            "--default-index",
            "--exclude-newer",
            "--extra-index-url",
            "--find-links",
            "--frozen",
            "--generate-hashes",
            "--index-url",
        ),
        *("--no-config", "--no-index", "--no-self", "--offline-mode", "--request-timeout", "--require-hashes", "--trusted-host"),
        *("--no-dev", "--only-dev", "--no-extra", "--no-install-project"),
        *("--without-urls", "--from-dir", "--report", "--all-releases", "--only-final", "--hash"),
    }
)
"""Options of pip, uv, poetry, pdm and devpi."""

SCRIPT_OPTIONS = frozenset(
    {
        *("--quick", "--lint", "--real-index", "--hypothesis-profile", "--file-systems"),
        *("--chunks", "--corpus", "--disk", "--files", "--gateway", "--mb", "--nodes", "--parts", "--set", "--wheels", "--only"),
        *("--other", "--timeline"),
    }
)
"""Options of scripts/test, scripts/bench and scripts/soak."""

FOREIGN_TABLES = frozenset({"global", "pip", "tool.uv.index", "tool.pdm.source"})
"""TOML and INI tables of pip, uv and pdm."""

FOREIGN_CLASSES = frozenset({"HttpIndex", "MessagePack", "TooSlowError"})
FOREIGN_MODULES = frozenset({"trio", "pyfuse3", "lxml", "json", "files", "index", "http"})
"""First parts of dotted names that are (also) libraries, hosts or files."""


def spans(path: Path) -> list[str]:
    return [" ".join(span.split()) for span in _SPAN.findall(without_code(path.read_text()))]


@cache
def known_paths() -> tuple[frozenset[str], frozenset[str]]:
    """The project's files, and all directories above them, as relative paths."""
    files = frozenset(str(path.relative_to(ROOT)) for path in project_files())
    return files, frozenset(str(above) for file in files for above in Path(file).parents)


@cache
def definitions() -> dict[str, frozenset[str]]:
    """What each module and class of the package defines at its own level, by its last name (several of one name together)."""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "wheelfs").rglob("*.py"), *(ROOT / "tests" / "fakes").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        found.setdefault(path.parent.name if path.stem == "__init__" else path.stem, set()).update(names_in(tree.body))
        for below, above in pairwise([path.stem, *(parent.name for parent in path.relative_to(ROOT).parents)]):
            found.setdefault(above, set()).add(below)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(names_in(node.body))
    return {name: frozenset(inside) for name, inside in found.items()}


def names_in(body: list[ast.stmt]) -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


@cache
def known_tests() -> dict[str, frozenset[str]]:
    return {
        str(path.relative_to(ROOT)): frozenset(re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
        for path in (ROOT / "tests").rglob("test_*.py")
    }


def wrong_path(name: str) -> bool:
    """Whether a path of the checkout, or of the package without its first folder, leads nowhere."""
    files, directories = known_paths()
    path, _, test = name.partition("::")
    full = path if path.split("/")[0] in _TOP else f"wheelfs/{path}"
    full = full.rstrip("/.")
    if "*" in full:
        return not any(Path(file).match(full) for file in files)
    if test:
        return test not in known_tests().get(full, frozenset())
    return full not in files and full not in directories and f"{full}.py" not in files


def wrong_file(name: str) -> bool:
    return all(Path(file).name != name for file in known_paths()[0])


def wrong_dotted(name: str) -> bool:
    """Whether a module or class of ours lacks what the name says is in it."""
    parts = name.removeprefix("wheelfs.").split(".")
    if parts[-1] in _EXTENSIONS or parts[0] in FOREIGN_MODULES:
        return False
    known = definitions()
    if parts[0] not in known:
        return name.startswith("wheelfs.")
    return any(inner not in known.get(outer, frozenset()) for outer, inner in pairwise(parts))


def wrong_command(words: str) -> bool:
    """Whether ``wheelfs WORDS`` names a command or an option that there is not."""
    assert isinstance(cli, click.Group)
    given = words.partition(" -- ")[0].split()  # what follows is the command of `wheelfs run`
    options = {word.partition("=")[0] for word in given if re.match(r"--?[a-z]", word)}
    command = next((word for word in given if re.fullmatch(r"[a-z]+", word)), None)
    if command is None:
        return not options <= options_of(cli) | {"--help", "--version"}
    if command not in cli.commands:
        return True
    whole = all_commands(cli).get(" ".join(given[given.index(command) :][:2])) or cli.commands[command]
    return not options <= options_of(cli) | options_of(whole) | {"--help"}


def wrong_option(name: str) -> bool:
    assert isinstance(cli, click.Group)
    ours = options_of(cli).union(*(options_of(command) for command in all_commands(cli).values()))
    return name not in ours | FOREIGN_OPTIONS | SCRIPT_OPTIONS | {"--help", "--version"}


def wrong_variable(name: str) -> bool:
    known = {option.variable for option in OPTIONS} | {
        "WHEELFS_JSON",
        "WHEELFS_VERBOSE",
        "WHEELFS_CONFIG",
        "WHEELFS_BENCH_CORPUS",
    }
    return name not in known and not re.fullmatch(r"WHEELFS_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)", name)


def wrong_table(name: str, key: str) -> bool:
    """Whether the configuration has no such table, or no such key in it."""
    if name in FOREIGN_TABLES:
        return False
    if name in ("index", "share"):
        return bool(key) and key not in INDEX_KEYS
    keys = {option.toml[-1] for option in OPTIONS if option.toml[:-1] == (name,)}
    return not keys or (bool(key) and key not in keys)


def is_wrong(span: str) -> bool:
    """Whether a span looks like something of this project that is not there."""
    if span in ELSEWHERE or "…" in span or "..." in span:
        return False
    if matched := re.fullmatch(r"\[{1,2}([a-z.]+)\]{1,2}(?: ([a-z-]+))?(?: = .*)?", span):
        return wrong_table(matched[1], matched[2] or "")
    if span.startswith("wheelfs "):
        return wrong_command(span.removeprefix("wheelfs "))
    if matched := re.match(r"(--[a-z][a-z-]+)\b", span):
        return wrong_option(matched[1])
    if re.fullmatch(r"WHEELFS_[A-Z0-9_]+(=.*)?", span):
        return wrong_variable(span.partition("=")[0])
    if re.fullmatch(r"test_\w+", span):
        return all(span not in tests for tests in known_tests().values()) and wrong_file(f"{span}.py")
    word = span.split()[0].removesuffix("()") if span.startswith("scripts/") else span.removesuffix("()")
    if _PATH.fullmatch(word):
        return wrong_path(word)
    if _FILE.fullmatch(word):
        return wrong_file(word)
    if _DOTTED.fullmatch(word):
        return wrong_dotted(word)
    if not _CLASS.fullmatch(word) or word in FOREIGN_CLASSES:
        return False
    return word not in definitions() and all(word not in inside for inside in definitions().values())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_of_ours_in_a_document_is_there(path: Path) -> None:
    assert [span for span in spans(path) if is_wrong(span)] == []


@pytest.mark.parametrize(
    "span",
    [
        "wheelfs/service/nothing.py",
        "core/nothing",
        "tests/mount/test_tree.py::test_nothing",
        "test_of_nothing",
        "nothing.py",
        "wheelfs.nothing",
        "kernel.nothing",
        "Filesystem.nothing",
        "NothingFound",
        "wheelfs nothing",
        "wheelfs gc --nothing",
        "--nothing",
        "WHEELFS_NOTHING",
        "[nothing]",
        "[cache] nothing",
    ],
)
def test_a_name_that_is_not_there_is_noticed(span: str) -> None:
    assert is_wrong(span)


@pytest.mark.parametrize(
    "span",
    [
        "wheelfs/service/vfs/",
        "core/views",
        "scripts/bench/lab --parts open",
        "control.tune",
        "Filesystem.changes()",
        "wheelfs gc --share URL",
        "wheelfs --json ls",
        "--min-age 7d",
        "WHEELFS_INDEX_LAB_PASSWORD",
        "[cache] low-water",
        "status.json",
        "index.example",
    ],
)
def test_what_is_there_or_not_ours_passes(span: str) -> None:
    assert not is_wrong(span)
