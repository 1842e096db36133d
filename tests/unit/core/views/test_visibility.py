"""What a view hides of a project's files, and what it says of it."""

from __future__ import annotations

from functools import partial

import pytest

from wheelfs.core.platforms.machine import Machine, Pythons
from wheelfs.core.times import AsOf
from wheelfs.core.views.view import View
from wheelfs.core.views.visibility import STEP_US, ExclusionReason, FlatPolicy, Policy, ViewFilter, filter_of
from wheelfs.model.links import FileLink

LINUX = Machine(frozenset({"linux_x86_64"}))
DAY = AsOf("2026-01-31", 1_769_904_000_000_000)
NOW_US = 1_780_000_000_000_000
WEEK = Policy(min_age_us=7 * 86_400_000_000)
NO_POLICY = Policy()


def link(filename: str = "a-1-py3-none-any.whl", uploaded_us: int | None = None) -> FileLink:
    return FileLink(filename, "https://index.example/a", upload_time_us=uploaded_us)


def view_filter(view: View, policy: Policy = NO_POLICY, *, flat: bool = False) -> ViewFilter:
    return filter_of(view, policy, machine=LINUX, now_us=NOW_US, flat=flat)


def why(view: View, file: FileLink, *, is_stored: bool = False, is_private: bool = False) -> ExclusionReason | None:
    return view_filter(view).hides(file, origin="main", is_stored=is_stored, is_private=is_private)


def test_the_plain_view_hides_nothing() -> None:
    for file in (link(), link("a-1-cp311-cp311-win_amd64.whl"), link(uploaded_us=DAY.before_us)):
        assert why(View(), file) is None


def test_stored_hides_what_is_not_stored() -> None:
    assert why(View(stored=True), link()) is ExclusionReason.NOT_STORED
    assert why(View(stored=True), link(), is_stored=True) is None


def test_here_hides_what_this_machine_cannot_use() -> None:
    foreign = link("a-1-cp311-cp311-win_amd64.whl")
    assert why(View(here=True), foreign, is_stored=True) is ExclusionReason.OTHER_MACHINE
    assert why(View(here=True), link()) is None


@pytest.mark.parametrize(
    ("uploaded_us", "expected"), [(DAY.before_us - 1, None), (DAY.before_us, ExclusionReason.LATER), (0, None)]
)
def test_asof_hides_what_was_uploaded_later(uploaded_us: int, expected: ExclusionReason | None) -> None:
    assert why(View(asof=DAY), link(uploaded_us=uploaded_us)) is expected
    assert why(View(asof=DAY), link(uploaded_us=uploaded_us), is_private=True) is expected


def test_a_file_of_unknown_age_is_hidden_where_time_matters_unless_the_user_put_it_there() -> None:
    assert why(View(asof=DAY), link()) is ExclusionReason.UNDATED
    assert why(View(asof=DAY), link(), is_stored=True) is ExclusionReason.UNDATED
    assert why(View(asof=DAY), link(), is_stored=True, is_private=True) is None


def test_what_is_hidden_is_told_with_its_number_and_reason() -> None:
    past = view_filter(View(asof=DAY), WEEK)
    told = list(
        past.explain(
            {
                ExclusionReason.LATER: 12,
                ExclusionReason.UNDATED: 1,
                ExclusionReason.OTHER_MACHINE: 0,
                ExclusionReason.TOO_YOUNG: 2,
            }
        )
    )
    assert told == [
        "hidden here: 1 file without an upload time",
        "hidden here: 12 files uploaded at or after 2026-02-01T00:00:00Z",
        "hidden here: 2 files uploaded at or after 2026-05-21T20:26:00Z, so younger than min-age",
    ]
    assert not list(past.explain({}))


@pytest.mark.parametrize("view", [View(), View(stored=True), View(index="lab"), View(here=True), View(asof=AsOf("x", NOW_US))])
def test_min_age_hides_what_is_too_young_in_every_view(view: View) -> None:
    limit_us = (NOW_US - WEEK.min_age_us) // STEP_US * STEP_US
    hides = partial(view_filter(view, WEEK).hides, origin="main", is_stored=True, is_private=False)
    assert hides(link(uploaded_us=limit_us - 1)) is None
    assert hides(link(uploaded_us=limit_us)) is ExclusionReason.TOO_YOUNG
    assert hides(link(uploaded_us=NOW_US + 1)) in (ExclusionReason.TOO_YOUNG, ExclusionReason.LATER)
    assert hides(link()) is ExclusionReason.UNDATED


def test_min_age_does_not_concern_files_added_by_hand() -> None:
    assert view_filter(View(), WEEK).hides(link(), origin="main", is_stored=True, is_private=True) is None


def test_a_file_grows_old_enough_and_never_young_again() -> None:
    file = link(uploaded_us=NOW_US)
    seen = [
        filter_of(View(), WEEK, machine=LINUX, now_us=NOW_US + days * 86_400_000_000).hides(
            file, origin="main", is_stored=False, is_private=False
        )
        for days in range(9)
    ]
    assert seen == [ExclusionReason.TOO_YOUNG] * 8 + [None]


def test_within_a_minute_a_page_need_not_be_made_anew() -> None:
    first = filter_of(View(), WEEK, machine=LINUX, now_us=STEP_US * 1_000)
    assert filter_of(View(), WEEK, machine=LINUX, now_us=STEP_US * 1_001 - 1) == first
    assert filter_of(View(), WEEK, machine=LINUX, now_us=STEP_US * 1_001) != first


FLAT = FlatPolicy(LINUX, Pythons.of([(3, 11), (3, 12)]), prereleases=False, yanked=False)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a-1-py3-none-any.whl", None),
        ("a-1-py2.py3-none-any.whl", None),
        ("a-1-cp311-cp311-linux_x86_64.whl", None),
        ("a-1-cp312-cp312-linux_x86_64.whl", None),
        ("a-1-cp38-abi3-linux_x86_64.whl", None),
        ("a-1-py311-none-any.whl", None),
        ("a-1.post1-py3-none-any.whl", None),
        ("a-1+cpu-py3-none-any.whl", None),
        ("a-1-cp311-cp311-win_amd64.whl", ExclusionReason.OTHER_PLATFORM),
        ("a-1-cp310-cp310-linux_x86_64.whl", ExclusionReason.OTHER_PYTHON),
        ("a-1-cp313-abi3-linux_x86_64.whl", ExclusionReason.OTHER_PYTHON),
        ("a-1-cp311-cp311d-linux_x86_64.whl", ExclusionReason.OTHER_PYTHON),
        ("a-1-pp311-pypy311_pp73-linux_x86_64.whl", ExclusionReason.OTHER_PYTHON),
        ("a-1-py2-none-any.whl", ExclusionReason.OTHER_PYTHON),
        ("a-1-py313-none-any.whl", ExclusionReason.OTHER_PYTHON),
        ("a-2rc1-py3-none-any.whl", ExclusionReason.PRERELEASE),
        ("a-2.dev3-1-py3-none-any.whl", ExclusionReason.PRERELEASE),
        ("a-odd-py3-none-any.whl", None),
        ("odd.whl", ExclusionReason.OTHER_PLATFORM),
    ],
)
def test_flat_directories_show_what_their_policy_lets_through(filename: str, expected: ExclusionReason | None) -> None:
    policy = Policy(flat=FLAT)
    assert (
        view_filter(View(), policy, flat=True).hides(link(filename), origin="main", is_stored=True, is_private=True) is expected
    )
    assert view_filter(View(), policy).hides(link(filename), origin="main", is_stored=True, is_private=True) is None, (
        "pages are not concerned"
    )
    assert view_filter(View(), flat=True).hides(link(filename), origin="main", is_stored=True, is_private=True) is None, (
        "nothing is hidden unasked"
    )


def test_yanked_wheels_leave_flat_directories_only_where_that_is_asked_for() -> None:
    yanked = FileLink("a-1-py3-none-any.whl", "https://index.example/a", yanked="")
    assert (
        view_filter(View(), Policy(flat=FLAT), flat=True).hides(yanked, origin="main", is_stored=True, is_private=False)
        is ExclusionReason.YANKED
    )
    assert view_filter(View(), flat=True).hides(yanked, origin="main", is_stored=True, is_private=False) is None


def seen(us: int | None, *, uploaded_us: int | None = None) -> FileLink:
    return FileLink("a-1-py3-none-any.whl", "https://index.example/a", upload_time_us=uploaded_us, first_seen_us=us)


@pytest.mark.parametrize(
    "policy", [Policy(WEEK.min_age_us, first_seen=True), Policy(WEEK.min_age_us, first_seen_of={"main": True})]
)
def test_when_a_file_was_first_seen_counts_on_the_users_word_where_its_index_says_nothing(policy: Policy) -> None:
    before_us = DAY.before_us
    past = partial(view_filter(View(asof=DAY), policy).hides, origin="main", is_stored=False)
    assert past(seen(before_us - 1), is_private=False) is None
    assert past(seen(before_us), is_private=False) is ExclusionReason.SEEN_LATER
    assert past(seen(before_us), is_private=True) is None, "the user put it there"
    assert past(seen(1, uploaded_us=before_us), is_private=False) is ExclusionReason.LATER, "an index's own word goes first"
    assert past(seen(before_us, uploaded_us=1), is_private=False) is None
    assert past(seen(None), is_private=False) is ExclusionReason.UNDATED
    now = partial(view_filter(View(), policy).hides, origin="main", is_stored=False, is_private=False)
    assert now(seen(NOW_US - WEEK.min_age_us - STEP_US)) is None
    assert now(seen(NOW_US)) is ExclusionReason.SEEN_LATELY


@pytest.mark.parametrize("policy", [WEEK, Policy(WEEK.min_age_us, first_seen=True, first_seen_of={"main": False})])
def test_when_a_file_was_first_seen_does_not_count_unasked(policy: Policy) -> None:
    for view in (View(), View(asof=DAY)):
        hides = view_filter(view, policy).hides(seen(1), origin="main", is_stored=True, is_private=False)
        assert hides is ExclusionReason.UNDATED
        assert view_filter(view) != view_filter(view, Policy(first_seen=True)), "a page that was rendered is not shown again"


def test_what_was_first_seen_too_late_is_said_to_be_so() -> None:
    past = view_filter(View(asof=DAY), Policy(WEEK.min_age_us, first_seen=True))
    assert list(past.explain({ExclusionReason.SEEN_LATER: 1, ExclusionReason.SEEN_LATELY: 2})) == [
        "hidden here: 1 file first seen here at or after 2026-02-01T00:00:00Z",
        "hidden here: 2 files first seen here at or after 2026-05-21T20:26:00Z, so younger than min-age",
    ]


def test_an_index_may_have_an_age_of_its_own() -> None:
    policy = Policy(WEEK.min_age_us, {"undated": 0, "slow": 4 * WEEK.min_age_us})
    hides = partial(view_filter(View(), policy).hides, is_stored=False, is_private=False)
    two_weeks_old = link(uploaded_us=NOW_US - 2 * WEEK.min_age_us)
    assert hides(two_weeks_old, origin="main") is None
    assert hides(two_weeks_old, origin="slow") is ExclusionReason.TOO_YOUNG
    assert hides(link(), origin="main") is ExclusionReason.UNDATED
    assert hides(link(), origin="undated") is None
    assert (
        view_filter(View(asof=DAY), policy).hides(link(), origin="undated", is_stored=False, is_private=False)
        is ExclusionReason.UNDATED
    )
    assert list(view_filter(View(), policy).explain({ExclusionReason.TOO_YOUNG: 2})) == [
        "hidden here: 2 files younger than min-age"
    ]
