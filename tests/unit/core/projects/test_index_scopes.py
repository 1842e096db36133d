"""Which indexes may be asked for a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.projects.index_scopes import IndexScopes

LAB = IndexScopes({"main": (), "lab": ("lab-*", "tools"), "extra": (), "other": ("lab-x*",)})


@pytest.mark.parametrize(
    ("project", "asked"),
    [
        ("numpy", ("main", "extra")),
        ("lab-a", ("lab",)),
        ("lab-", ("lab",)),
        ("lab", ("main", "extra")),
        ("my-lab-a", ("main", "extra")),
        ("tools", ("lab",)),
        ("tools2", ("main", "extra")),
        ("lab-xy", ("lab", "other")),
    ],
)
def test_a_tied_name_is_for_its_indexes_and_every_other_for_the_rest(project: str, asked: tuple[str, ...]) -> None:
    assert LAB.of(project) == asked


def test_where_every_index_is_tied_nobody_is_in_charge_of_other_names() -> None:
    assert IndexScopes({"lab": ("lab-*",)}).of("numpy") == ()


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True))
def test_no_name_is_ever_asked_of_both_kinds_of_index(project: str) -> None:
    asked = set(LAB.of(project))
    assert asked
    assert asked <= {"main", "extra"} or asked <= {"lab", "other"}
