"""Options for kinds of files and releases: pip's rules, the later one wins."""

from __future__ import annotations

import pytest

from wheelfs.core.resolve.allowed_files import AllowedFiles
from wheelfs.model.names import Kind, ProjectName
from wheelfs.model.wanted import Wanted

A, B = ProjectName("a"), ProjectName("b")
BOTH: frozenset[Kind] = frozenset({"wheel", "sdist"})
WHEEL: frozenset[Kind] = frozenset({"wheel"})
SDIST: frozenset[Kind] = frozenset({"sdist"})


def said(*options: tuple[str, str]) -> AllowedFiles:
    allowed = AllowedFiles()
    for option, value in options:
        allowed = allowed.after(option, value)
    return allowed


@pytest.mark.parametrize(
    ("options", "of_a", "of_b"),
    [
        ([], BOTH, BOTH),
        ([("--only-binary", "A")], WHEEL, BOTH),
        ([("--only-binary", "a,b")], WHEEL, WHEEL),
        ([("--only-binary", ":all:"), ("--no-binary", "a")], SDIST, WHEEL),
        ([("--no-binary", "a"), ("--only-binary", ":all:")], WHEEL, WHEEL),
        ([("--no-binary", "a"), ("--only-binary", "a")], WHEEL, BOTH),
        ([("--only-binary", ":all:"), ("--only-binary", ":none:")], BOTH, BOTH),
        ([("--only-binary", "a,:all:,b")], WHEEL, WHEEL),
        ([("--only-binary", ":all:,:none:,a")], WHEEL, BOTH),
        ([("--no-binary", ":none:")], BOTH, BOTH),
    ],
)
def test_kinds(options: list[tuple[str, str]], of_a: frozenset[Kind], of_b: frozenset[Kind]) -> None:
    allowed = said(*options)
    assert (allowed.kinds(A), allowed.kinds(B)) == (of_a, of_b)


def test_releases() -> None:
    allowed = said(("--pre", ""), ("--only-final", "a"))
    assert (allowed.prereleases(A), allowed.prereleases(B)) == (False, True)
    assert said(("--all-releases", "a")).prereleases(B) is None
    assert said(("--only-final", ":all:"), ("--all-releases", "a")).prereleases(B) is False


def test_a_requirement_carries_what_is_said_of_its_project() -> None:
    wanted = said(("--only-binary", "a"), ("--prefer-binary", ""), ("--all-releases", "a")).applied(Wanted(A))
    assert (wanted.kinds, wanted.prefers_wheels, wanted.prereleases) == (WHEEL, True, True)
