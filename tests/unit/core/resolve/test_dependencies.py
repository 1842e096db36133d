from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from tests.fakes.wheels import metadata_text
from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.dependencies import MAX_REQUIREMENTS, likely, python_of, requirements
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}
TARGET = named("3.11", ["manylinux_2_28_x86_64"], machine_platforms=[], environment=ENVIRONMENT)


def needs(*lines: str, extras: tuple[str, ...] = (), body: str = "") -> list[str]:
    return [str(one) for one in requirements(metadata_text("a", "1.0", requires=lines, metadata_extra=body), ENVIRONMENT, extras)]


def looked_at(specifier: str, *filenames: str) -> list[str]:
    links = [FileLink(one, f"https://files.example/{one}") for one in filenames]
    return [link.filename for link in likely(Wanted(ProjectName("a"), SpecifierSet(specifier)), links, TARGET)]


def test_requirements_are_those_of_this_environment() -> None:
    found = needs(
        "B-c >=2,<3", "d; python_version < '3'", "e @ https://files.example/e.whl", "f; extra == 'more'", "g[h]", "b.c==9"
    )
    assert found == ["b-c<3,>=2", "g[h]"]


def test_an_extra_that_is_wanted_brings_what_it_needs() -> None:
    assert needs("b", "c; extra == 'more'", "d; extra == 'most'", extras=("more",)) == ["b", "c"]


def test_what_stands_in_the_description_is_no_requirement() -> None:
    assert needs("b", body="\nRequires-Dist: c\n") == ["b"]


def test_a_wheel_that_names_thousands_makes_no_flood() -> None:
    assert len(needs(*(f"b{number}" for number in range(5_000)))) == MAX_REQUIREMENTS


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: f"Requires-Dist: {text}\n".encode())))
def test_no_metadata_makes_it_fail(metadata: bytes) -> None:
    assert len(requirements(metadata, ENVIRONMENT)) <= MAX_REQUIREMENTS


def test_the_newest_version_with_a_wheel_for_this_machine_is_looked_at_first() -> None:
    assert looked_at(
        "<4", "a-1.0-py3-none-any.whl", "a-4.0-py3-none-any.whl", "a-3.0-cp311-cp311-win_amd64.whl", "a-2.0-py3-none-any.whl"
    ) == ["a-2.0-py3-none-any.whl", "a-1.0-py3-none-any.whl"]


@given(st.lists(st.text(alphabet="a-1.0py3nonewhl/", max_size=30), max_size=8))
def test_no_filename_makes_it_fail(filenames: list[str]) -> None:
    assert len(looked_at("", *filenames)) <= len(filenames)


@pytest.mark.parametrize(
    ("filename", "python"),
    [
        ("a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "3.12"),
        ("a-1.0-cp314-cp314t-win_amd64.whl", "3.14"),
        ("a-1.0-cp38-abi3-win_amd64.whl", None),
        ("a-1.0-py3-none-any.whl", None),
        ("a-1.0.tar.gz", None),
    ],
)
def test_a_wheel_tells_the_python_of_whoever_opens_it_if_it_is_for_one(filename: str, python: str | None) -> None:
    assert python_of(filename) == python
