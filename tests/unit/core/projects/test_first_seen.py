"""When a file was first seen on its page: only where no upload time is given, and again for other content."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wheelfs.core.projects.first_seen import seen_again, seen_at, seen_by
from wheelfs.model.links import FileLink, ProjectPage

SHA256 = b"1" * 32


def link(name: str = "a", **more: Any) -> FileLink:
    return FileLink(f"{name}-1.tar.gz", f"https://index.example/{name}", **more)


def page(*links: FileLink) -> ProjectPage:
    return ProjectPage("a", links)


def times(page: ProjectPage) -> list[int | None]:
    return [link.first_seen_us for link in page.files]


def test_a_file_is_first_seen_when_a_page_first_has_it() -> None:
    first = seen_at(page(link("a")), 10)
    second = seen_at(page(link("b"), link("a")), 20, before=first)
    third = seen_at(page(link("b")), 30, before=second)
    back = seen_at(page(link("a"), link("b")), 40, before=third)
    assert [times(one) for one in (first, second, third, back)] == [[10], [20, 10], [20], [40, 20]]


def test_what_the_page_at_hand_claims_of_itself_does_not_count() -> None:
    assert times(seen_at(page(link("a", first_seen_us=1)), 10)) == [10]


@pytest.mark.parametrize(
    ("said", "now", "is_other"),
    [
        ({"sha256": SHA256}, {"sha256": SHA256, "size_bytes": 7, "yanked": "x"}, False),
        ({"sha256": SHA256}, {"sha256": b"2" * 32}, True),
        ({"size_bytes": 7}, {"size_bytes": 8}, True),
        ({"size_bytes": 7}, {}, False),
        ({"other_hashes": {"md5": "00"}}, {"other_hashes": {"md5": "11"}}, True),
        ({"other_hashes": {"md5": "00"}}, {"other_hashes": {"sha512": "11"}}, False),
        ({}, {"sha256": SHA256}, False),
    ],
)
def test_another_content_under_a_name_is_seen_for_the_first_time(
    said: dict[str, Any], now: dict[str, Any], is_other: bool
) -> None:
    before = seen_at(page(link(**said)), 10)
    assert times(seen_at(page(link(**now)), 20, before=before)) == [20 if is_other else 10]


def test_nothing_is_made_up_for_an_index_that_gives_upload_times() -> None:
    dated = page(link("a", upload_time_us=5), link("b"))
    assert seen_at(dated, 10) is dated
    assert seen_by(dated, 10) is dated
    assert seen_again(dated, ["b-1.tar.gz"], 10) is dated
    assert times(seen_at(page(link("a"), link("b")), 20, before=dated)) == [20, 20]


def test_a_page_of_an_older_build_was_there_when_it_changed_last() -> None:
    assert times(seen_by(page(link("a"), link("b")), 10)) == [10, 10]
    known = seen_at(page(link("a")), 5)
    assert seen_by(known, 10) is known
    assert seen_by(page(), 10) == page()


def test_what_is_found_to_be_replaced_is_seen_again() -> None:
    known = seen_at(page(link("a"), link("b")), 5)
    assert times(seen_again(known, ["b-1.tar.gz"], 9)) == [5, 9]
    assert msgspec.structs.replace(seen_again(known, ["b-1.tar.gz"], 9).files[1], first_seen_us=5) == known.files[1]
