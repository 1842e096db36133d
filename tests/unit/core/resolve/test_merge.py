"""Requirements of one project are one requirement."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet

from wheelfs.core.resolve.merge import as_one
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted


def wanted(name: str, specifier: str = "", *hashes: str, extras: tuple[str, ...] = (), place: str = "") -> Wanted:
    places = (place,) if place else ()
    return Wanted(ProjectName(name), SpecifierSet(specifier), frozenset(hashes), frozenset(extras), places=places)


def test_versions_are_intersected_extras_add_up_and_places_are_kept() -> None:
    asked = [wanted("a", "<3", extras=("x",), place="one"), wanted("b"), wanted("a", "!=2.0", extras=("y",), place="two")]
    [a, b] = as_one(asked)
    assert (a, b) == (wanted("a", "<3,!=2.0", extras=("x", "y")), wanted("b"))
    assert a.places == ("one", "two")


def test_constraints_narrow_what_is_wanted_and_nothing_else() -> None:
    assert as_one([wanted("a")], [wanted("a", "<2", extras=("x",)), wanted("c", "==1")]) == [wanted("a", "<2")]


def test_hashes_must_be_those_of_all() -> None:
    assert as_one([wanted("a", "", "sha256:1", "sha256:2"), wanted("a", "", "sha256:2")])[0].hashes == {"sha256:2"}
    assert as_one([wanted("a"), wanted("a", "", "sha256:2")])[0].hashes == {"sha256:2"}
    assert as_one([wanted("a", "", "sha256:1"), wanted("a", "", "sha256:2")])[0].hashes.isdisjoint({"sha256:1", "sha256:2"})


def test_a_prerelease_of_one_allows_them_for_all() -> None:
    [one] = as_one([wanted("a", ">=2.0b1"), wanted("a", "<3")])
    assert list(one.specifier.filter(["1.0", "2.0b1"])) == ["2.0b1"]
