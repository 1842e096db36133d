"""What a view hides of a project's files, and what it says of it."""

from __future__ import annotations

import pytest

from wheelfs.core.hiding import Hidden, Sieve, sieve_of
from wheelfs.core.platforms import Machine
from wheelfs.core.times import AsOf
from wheelfs.core.views import View
from wheelfs.model.links import FileLink

LINUX = Machine(frozenset({"linux_x86_64"}))
DAY = AsOf("2026-01-31", 1_769_904_000_000_000)


def link(filename: str = "a-1-py3-none-any.whl", uploaded_us: int | None = None) -> FileLink:
    return FileLink(filename, "https://index.example/a", upload_time_us=uploaded_us)


def why(view: View, file: FileLink, *, is_stored: bool = False, is_private: bool = False) -> Hidden | None:
    return sieve_of(view, LINUX).hides(file, is_stored=is_stored, is_private=is_private)


def test_the_plain_view_hides_nothing() -> None:
    for file in (link(), link("a-1-cp311-cp311-win_amd64.whl"), link(uploaded_us=DAY.before_us)):
        assert why(View(), file) is None


def test_stored_hides_what_is_not_stored() -> None:
    assert why(View(stored=True), link()) is Hidden.NOT_STORED
    assert why(View(stored=True), link(), is_stored=True) is None


def test_here_hides_what_this_machine_cannot_use() -> None:
    foreign = link("a-1-cp311-cp311-win_amd64.whl")
    assert why(View(here=True), foreign, is_stored=True) is Hidden.FOREIGN
    assert why(View(here=True), link()) is None


@pytest.mark.parametrize(("uploaded_us", "expected"), [(DAY.before_us - 1, None), (DAY.before_us, Hidden.LATER), (0, None)])
def test_asof_hides_what_was_uploaded_later(uploaded_us: int, expected: Hidden | None) -> None:
    assert why(View(asof=DAY), link(uploaded_us=uploaded_us)) is expected
    assert why(View(asof=DAY), link(uploaded_us=uploaded_us), is_private=True) is expected


def test_a_file_of_unknown_age_is_hidden_where_time_matters_unless_the_user_put_it_there() -> None:
    assert why(View(asof=DAY), link()) is Hidden.UNDATED
    assert why(View(asof=DAY), link(), is_stored=True) is Hidden.UNDATED
    assert why(View(asof=DAY), link(), is_stored=True, is_private=True) is None


def test_what_is_hidden_is_told_with_its_number_and_reason() -> None:
    sieve = Sieve(stored=True, machine=LINUX, before_us=DAY.before_us)
    told = list(sieve.explain({Hidden.LATER: 12, Hidden.UNDATED: 1, Hidden.FOREIGN: 0}))
    assert told == [
        "hidden here: 1 file without an upload time",
        "hidden here: 12 files uploaded at or after 2026-02-01T00:00:00Z",
    ]
    assert not list(sieve.explain({}))
