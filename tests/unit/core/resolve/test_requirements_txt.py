from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from tests.fakes.growth import grows_with_the_square
from wheelfs.core.resolve.requirements_txt import Include, Option, Problem, parse
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.resolve.requirements_txt import Entry

LINUX = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.2"}
ONE, TWO = f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}"


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
        (f"a==1 --hash={ONE.upper().replace('SHA', 'sha')} --hash {TWO}", wanted("a", "==1", ONE, TWO)),
        ("a==1; sys_platform == 'linux'", wanted("a", "==1")),
        (f"a==1 ; python_version < '4' --hash={ONE}", wanted("a", "==1", ONE)),
        ("a==1 --config-settings=x=y", wanted("a", "==1")),
        ("-r more/other.txt", Include("more/other.txt", constraints=False)),
        ("-rother.txt", Include("other.txt", constraints=False)),
        ("--requirement=other.txt", Include("other.txt", constraints=False)),
        ("-c limits.txt", Include("limits.txt", constraints=True)),
        ("--constraint 'limits.txt'", Include("limits.txt", constraints=True)),
        ("-i https://index.example/simple", Option("--index-url", "https://index.example/simple", "-i")),
        ("--extra-index-url=https://index.example/", Option("--extra-index-url", "https://index.example/", "--extra-index-url")),
        ("--extra-ind x", Option("--extra-index-url", "x", "--extra-index-url")),
        ("--only-binary :all:", Option("--only-binary", ":all:", "--only-binary")),
        ("--no-binary=a,b", Option("--no-binary", "a,b", "--no-binary")),
        ("--pre", Option("--pre", "", "--pre")),
        (f"a==1 --hash=sha512:{'ab' * 64}", wanted("a", "==1", f"sha512:{'ab' * 64}")),
        (f"a==1 --hash=blake2b:{'ab' * 32}", wanted("a", "==1", f"blake2b_256:{'ab' * 32}")),
    ],
)
def test_a_line_means_what_it_means_to_pip(line: str, expected: Entry) -> None:
    assert entries(line) == [expected]


@pytest.mark.parametrize("line", ["", "  ", "# numpy", "a; sys_platform == 'win32'", "a; extra == 'x'", "   # indented"])
def test_comments_and_false_markers_want_nothing(line: str) -> None:
    assert entries(line) == []


@pytest.mark.parametrize(
    ("line", "project"),
    [
        ("https://files.example/a-1.0-py3-none-any.whl", "a"),
        ("https://files.example/a-1.0-py3-none-any.whl ; sys_platform == 'linux'", "a"),
        ("git+https://code.example/a.git", None),
        ("a @ https://files.example/a-1.0-py3-none-any.whl", "a"),
        ("-e git+https://code.example/a.git#egg=a", None),
    ],
)
def test_what_is_at_an_address_of_its_own_is_named_with_its_line(line: str, project: str | None) -> None:
    [entry] = parse(f"\n{line}\n", LINUX, where="req.txt")
    assert isinstance(entry, Unfetchable)
    assert (entry.project, entry.place) == (project, "req.txt, line 2")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("./dist/a-1.0-py3-none-any.whl", LocalPath("./dist/a-1.0-py3-none-any.whl", "./dist/a-1.0-py3-none-any.whl")),
        ("dist/a.whl ; python_version > '3'", LocalPath("dist/a.whl", "dist/a.whl")),
        ("a-1.0.tar.gz", LocalPath("a-1.0.tar.gz", "a-1.0.tar.gz")),
        ("./[a]b.whl", LocalPath("./[a]b.whl", "./[a]b.whl")),
        ("./[a]b.whl[x[y]", LocalPath("./[a]b.whl[x[y]", "./[a]b.whl", extras=frozenset({"x[y"}))),
        ("./a.whl[x, y]", LocalPath("./a.whl[x, y]", "./a.whl", extras=frozenset({"x", "y"}))),
        ("file:///srv/a%20b/a.whl#sha256=ab", LocalPath("file:///srv/a%20b/a.whl#sha256=ab", "/srv/a b/a.whl")),
        ("file:./a.whl", LocalPath("file:./a.whl", "./a.whl")),
        ("a @ file:///srv/a.whl", LocalPath("a @ file:///srv/a.whl", "/srv/a.whl", ProjectName("a"))),
        ("A[x]@ ./a.whl", LocalPath("A @ ./a.whl", "./a.whl", ProjectName("a"), extras=frozenset({"x"}))),
        ("proj/", LocalPath("proj/", "proj/")),
        ("-e .", LocalPath(".", ".", is_editable=True)),
        ("--editable=src/a[x]", LocalPath("src/a[x]", "src/a", extras=frozenset({"x"}), is_editable=True)),
        ("-e 'src/a b'", LocalPath("src/a b", "src/a b", is_editable=True)),
        ("-e src/a ; sys_platform == 'linux'", LocalPath("src/a", "src/a", is_editable=True)),
    ],
)
def test_a_path_is_told_from_a_name(line: str, expected: LocalPath) -> None:
    [entry] = entries(line)
    assert isinstance(entry, LocalPath)
    assert entry == replace(expected, hashes=entry.hashes)
    assert entry.hashes == ({"sha256:ab"} if "sha256" in line else frozenset())


@pytest.mark.parametrize(
    "line",
    [
        "a @ https://files.example/a-1.0-py3-none-any.whl ; sys_platform == 'win32'",
        "https://files.example/a-1.0-py3-none-any.whl; sys_platform == 'win32'",
        "./a.whl; sys_platform == 'win32'",
        "-e ./a ; sys_platform == 'win32'",
    ],
)
def test_a_false_marker_passes_over_paths_and_addresses_too(line: str) -> None:
    assert entries(line) == []


def test_variables_are_replaced_as_pip_does() -> None:
    lines = "a==${V}\na==${v}\na${EMPTY}\n-r ${DIR}/b.txt\na==$V\n"
    found = list(parse(lines, LINUX, {"V": "1", "v": "2", "EMPTY": "", "DIR": "sub"}))
    assert [one for one in found if not isinstance(one, Problem)] == [
        wanted("a", "==1"),
        Include("sub/b.txt", constraints=False, line=4),
    ]
    assert [one.line for one in found if isinstance(one, Problem)] == [2, 3, 5]


def test_continued_lines_are_one_and_a_comment_ends_them() -> None:
    text = f"a==1 \\\n    --hash={ONE} \\\n    --hash={TWO}\nb==2 \\\n# over\nc==3 \\"
    assert entries(text) == [wanted("a", "==1", ONE, TWO), wanted("b", "==2"), wanted("c", "==3")]


@pytest.mark.parametrize("digest", ["00", "zz", "", "x" * 64, "0" * 63])
def test_a_digest_that_no_file_can_have_is_a_problem(digest: str) -> None:
    [problem] = entries(f"a==1 --hash=sha256:{digest}")
    assert isinstance(problem, Problem)
    assert (problem.line, problem.text) == (1, "a==1")
    assert "sha256" in problem.reason


def test_all_problems_are_told_each_with_its_line() -> None:
    text = "good\n\nnot a requirement\n--frobnicate\na==1 --hash=what\n\\\n  b=\\\n=\n-r\na; 'x' in extras\n"
    found = entries(f"{text}a --hash=sha1:ab\n--pre b\n")
    assert [(one.line, one.text) for one in found if isinstance(one, Problem)] == [
        (3, "not a requirement"),
        (4, "--frobnicate"),
        (5, "a==1"),
        (6, "b=="),
        (9, "-r"),
        (10, "a; 'x' in extras"),
        (11, "a"),
        (12, "--pre b"),
    ]
    assert wanted("good") in found


@pytest.mark.parametrize(
    "line",
    [
        lambda size: f"a --hash=sha256:{'a' * 16 * size}",
        lambda size: "a --hash=" + "x" * 8 * size + '"' + "y" * 8 * size + '"',
        lambda size: "a --hash=" + "x'y'" * size,
        lambda size: f"a {'--pre ' * size}",
        lambda size: f"-e a{' ' * size}x",
        lambda size: f"a{' ' * size}x",
        lambda size: f"a[{'[' * size}",
        lambda size: f"./{'[' * size}",
        lambda size: f"./{'[]' * size}",
        lambda size: f"./a{' ;' * size}",
    ],
    ids=["value", "quoted", "quotes", "options", "editable", "spaces", "extras", "path", "brackets", "markers"],
)
def test_cost_grows_with_the_line_and_not_with_its_square(line: Callable[[int], str]) -> None:
    assert not grows_with_the_square(lambda size: entries(line(size)), 10_000)
