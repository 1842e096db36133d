"""Dependency groups of a project's own file (PEP 735)."""

from __future__ import annotations

import pytest

from wheelfs.core.resolve.dependency_groups import requirements_of
from wheelfs.errors import InvalidInput

TEXT = """
[dependency-groups]
test = ["pytest>8", {include-group = "lint"}]
lint = ["ruff"]
round = [{include-group = "round"}]
odd = [1]
"""


def test_a_group_has_its_own_requirements_and_those_it_includes() -> None:
    assert requirements_of("read it", TEXT, "test") == ["pytest>8", "ruff"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (TEXT, "round"),
        (TEXT, "odd"),
        (TEXT, "missing"),
        ("[dependency-groups", "test"),
        ("dependency-groups = 1", "test"),
        ("", "test"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_input(text: str, name: str) -> None:
    with pytest.raises(InvalidInput, match="read it"):
        requirements_of("read it", text, name)
