from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from wheelfs.core.resolve.requirements_txt import Ignored, Include, Prereleases, Problem, parse
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Unfetchable, Wanted

if TYPE_CHECKING:
    from wheelfs.core.resolve.requirements_txt import Entry

LINUX = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.2"}


def entries(text: str) -> list[Entry]:
    return list(parse(text, LINUX))


def wanted(name: str, specifier: str = "", *hashes: str, extras: tuple[str, ...] = ()) -> Wanted:
    return Wanted(ProjectName(name), SpecifierSet(specifier), frozenset(hashes), frozenset(extras))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy", wanted("numpy")),
        ("Zope.Interface == 7.0  # pinned", wanted("zope-interface", "==7.0")),
        ("uvicorn[standard]>=0.3,<1", wanted("uvicorn", ">=0.3,<1", extras=("standard",))),
        ("a==1 --hash=sha256:AB --hash sha256:cd", wanted("a", "==1", "sha256:ab", "sha256:cd")),
        ("a==1; sys_platform == 'linux'", wanted("a", "==1")),
        ("a==1 ; python_version < '4' --hash=sha256:ab", wanted("a", "==1", "sha256:ab")),
        ("a==1 --config-settings=x=y", wanted("a", "==1")),
        ("-r more/other.txt", Include("more/other.txt", constraints=False)),
        ("-rother.txt", Include("other.txt", constraints=False)),
        ("--requirement=other.txt", Include("other.txt", constraints=False)),
        ("-c limits.txt", Include("limits.txt", constraints=True)),
        ("--constraint 'limits.txt'", Include("limits.txt", constraints=True)),
        ("-i https://index.example/simple", Ignored("-i")),
        ("--extra-index-url=https://index.example/simple", Ignored("--extra-index-url")),
        ("--pre", Prereleases()),
    ],
)
def test_a_line_means_what_it_means_to_pip(line: str, expected: Entry) -> None:
    assert entries(line) == [expected]


@pytest.mark.parametrize("line", ["", "  ", "# numpy", "a; sys_platform == 'win32'", "a; extra == 'x'", "   # indented"])
def test_comments_and_false_markers_want_nothing(line: str) -> None:
    assert entries(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "./dist/a-1.0-py3-none-any.whl",
        "/srv/a.whl",
        "https://files.example/a-1.0-py3-none-any.whl",
        "git+https://code.example/a.git",
        "a @ https://files.example/a-1.0-py3-none-any.whl",
        "-e .",
        "--editable=src/a",
    ],
)
def test_what_no_index_has_is_told_apart(line: str) -> None:
    [entry] = entries(line)
    assert isinstance(entry, Unfetchable)
    assert entry.text


def test_continued_lines_are_one_and_a_comment_ends_them() -> None:
    text = "a==1 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\nb==2 \\\n# over\nc==3 \\"
    assert entries(text) == [wanted("a", "==1", "sha256:ab", "sha256:cd"), wanted("b", "==2"), wanted("c", "==3")]


def test_all_problems_are_told_each_with_its_line() -> None:
    found = entries("good\n\nnot a requirement\n--frobnicate\na==1 --hash=what\n\\\n  b=\\\n=\n-r\na; 'x' in extras\n")
    assert [(one.line, one.text) for one in found if isinstance(one, Problem)] == [
        (3, "not a requirement"),
        (4, "--frobnicate"),
        (5, "a==1"),
        (6, "b=="),
        (9, "-r"),
        (10, "a; 'x' in extras"),
    ]
    assert wanted("good") in found
