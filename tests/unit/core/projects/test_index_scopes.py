"""Which indexes may be asked for a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.projects.index_scopes import IndexScopes, ShareScope

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


SHARES = IndexScopes(
    {"main": (), "lab": ("lab-*",)},
    {"team": ShareScope(projects=("our-*", "lab-x")), "bytes": ShareScope(names=()), "any": ShareScope()},
)


@pytest.mark.parametrize(
    ("project", "asked", "tied_to", "naming"),
    [
        ("numpy", ("main",), None, ("any",)),
        ("our-tool", (), "share", ("team",)),
        ("lab-a", ("lab",), "index", ()),
        ("lab-x", ("lab",), "index", ("team",)),
    ],
)
def test_a_share_names_what_is_tied_to_it_or_to_nothing(
    project: str, asked: tuple[str, ...], tied_to: str | None, naming: tuple[str, ...]
) -> None:
    assert SHARES.of(project) == asked
    assert SHARES.tied_to(project) == tied_to
    assert SHARES.naming_shares(project) == naming
    assert SHARES.may_own_stored(project) == bool(naming)


def test_without_shares_what_came_from_one_may_still_be_named_unless_it_is_tied() -> None:
    assert LAB.may_own_stored("numpy")
    assert not LAB.may_own_stored("lab-a")
