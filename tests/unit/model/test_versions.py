"""Versions, specifiers, requirements and markers of any text: packaging's own errors, and no others."""

from __future__ import annotations

import pytest
from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement
from packaging.specifiers import InvalidSpecifier
from packaging.version import InvalidVersion, Version

from wheelfs.core.resolve import requirements_txt
from wheelfs.model.versions import parse_marker, parse_requirement, parse_specifiers, parse_version
from wheelfs.model.wanted import Wanted

ENDLESS = "9" * 5_000
NESTED = "(" * 3_000 + "python_version > '3'" + ")" * 3_000


@pytest.mark.parametrize("text", [ENDLESS, f"1.{ENDLESS}", f"1!{ENDLESS}", "", "x", None, 7, 1.5, ["1.0"]])
def test_what_is_no_version_is_an_invalid_version(text: object) -> None:
    with pytest.raises(InvalidVersion):
        parse_version(text)


def test_numbers_without_end_are_no_specifiers_requirements_or_markers() -> None:
    with pytest.raises(InvalidSpecifier):
        parse_specifiers(f">={ENDLESS}")
    with pytest.raises(InvalidRequirement):
        parse_requirement(f"demo>={ENDLESS}")
    with pytest.raises(InvalidMarker):
        parse_marker(f"python_version > '{ENDLESS}'")


def test_what_is_nested_too_deeply_is_invalid() -> None:
    with pytest.raises(InvalidMarker, match="nested too deeply"):
        parse_marker(NESTED)
    with pytest.raises(InvalidRequirement, match="nested too deeply"):
        parse_requirement(f"demo; {NESTED}")


@pytest.mark.parametrize(
    "line", [f"demo ;{NESTED}", f"./demo.whl ; {NESTED}", f"demo=={ENDLESS}", f"demo @ https://[x/demo-1.0.whl ; {NESTED}"]
)
def test_such_a_line_of_requirements_is_a_problem_and_no_bug(line: str) -> None:
    (found,) = requirements_txt.parse(line, {})
    assert not isinstance(found, Wanted)


def test_what_is_right_is_parsed() -> None:
    assert parse_version("1.0rc1") == Version("1.0rc1")
    assert parse_specifiers(">=1").contains("2")
    assert parse_requirement("demo>=1").name == "demo"
    assert str(parse_marker("python_version > '3'")) == 'python_version > "3"'
