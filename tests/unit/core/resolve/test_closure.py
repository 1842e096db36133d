"""What chosen files need besides themselves."""

from __future__ import annotations

from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from tests.fakes.wheels import wheel_filename
from wheelfs.core.resolve.closure import fits, needed
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted


class File(NamedTuple):
    project: str
    filename: str


def file(project: str, version: str = "1.0") -> File:
    return File(project, wheel_filename(project, version))


def wanted(project: str, specifier: str = "", *extras: str) -> Wanted:
    return Wanted(ProjectName(project), SpecifierSet(specifier), extras=frozenset(extras))


def found(
    chosen: list[File], shelf: list[File], needs: dict[tuple[str, str], list[Wanted]], there: str = ""
) -> list[tuple[str, str, list[str]]]:
    """``needs`` are keyed by project and extra."""
    return [
        (one.by, str(one.wanted), [file.filename for file in one.files])
        for one in needed(
            chosen,
            lambda project: [file for file in shelf if file.project == project],
            lambda file, extras: [wanted for extra in ("", *extras) for wanted in needs.get((file.project, extra), ())],
            is_there=lambda one: one.project == there,
        )
    ]


def test_what_is_needed_in_its_turn_is_found_and_what_is_not_at_hand_too() -> None:
    needs = {("app", ""): [wanted("one", ">=1"), wanted("gone")], ("one", ""): [wanted("two")], ("two", ""): [wanted("app")]}
    shelf = [file("app"), file("one", "0.9"), file("one", "1.0"), file("one", "2.0rc1"), file("two"), file("other")]
    assert found([file("app")], shelf, needs) == [
        ("app", "one>=1", [wheel_filename("one", "1.0"), wheel_filename("one", "2.0rc1")]),
        ("app", "gone", []),
        ("one", "two", [wheel_filename("two", "1.0")]),
    ]


def test_what_is_chosen_or_there_is_not_reported_and_what_the_chosen_need_is() -> None:
    needs = {("app", ""): [wanted("one"), wanted("two")], ("one", ""): [wanted("three")]}
    chosen = [file("app"), file("one")]
    assert found(chosen, [file("two")], needs, there="two") == [("one", "three", [])]


def test_a_chosen_file_of_another_version_than_is_needed_does_not_do() -> None:
    needs = {("app", ""): [wanted("one", ">=2")]}
    assert found([file("app"), file("one", "1.0")], [file("one", "1.0"), file("one", "2.0")], needs) == [
        ("app", "one>=2", [wheel_filename("one", "2.0")])
    ]


def test_extras_are_followed_also_into_files_that_are_chosen() -> None:
    needs = {("app", ""): [wanted("one", "", "fast")], ("one", "fast"): [wanted("speed")], ("one", ""): []}
    assert found([file("app"), file("one")], [file("speed")], needs) == [("one", "speed", [wheel_filename("speed", "1.0")])]


def test_an_old_sdist_with_a_dash_in_its_version_fits() -> None:
    assert fits(wanted("a", "==1.0a1"), "a-1.0-alpha1.tar.gz")
    assert not fits(wanted("a", ">=2"), "a-1.0-2.tar.gz")
