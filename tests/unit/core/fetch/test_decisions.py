"""Reachability, freshness, ownership, platforms and views: decisions without IO."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.core.fetch import breaker, freshness
from wheelfs.core.fetch.breaker import Down, Up
from wheelfs.core.platforms.machine import Machine
from wheelfs.core.projects import ownership
from wheelfs.core.projects.ownership import LOCAL, Has, HasNot, NoAnswer, NoSuchProject, Owned, StoredFile, Undecided
from wheelfs.core.times import AsOf
from wheelfs.core.views.view import View
from wheelfs.errors import OriginUnreachable
from wheelfs.model.links import FileLink, ProjectPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.projects.ownership import Answer, Ownership

LINUX = Machine(frozenset({"manylinux2014_x86_64", "manylinux_2_17_x86_64", "linux_x86_64"}))


def link(filename: str, digest: int | None = 1) -> FileLink:
    sha256 = None if digest is None else bytes([digest]) * 32
    return FileLink(filename, f"http://127.0.0.1/{filename}", sha256=sha256, size_bytes=10)


def page(*links: FileLink) -> ProjectPage:
    return ProjectPage("lab", links)


def decide(answers: Sequence[Answer], stored: Sequence[StoredFile], *, more_indexes: Sequence[str] = ()) -> Ownership:
    return ownership.decide(answers, stored, configured=[*(answer.index for answer in answers), *more_indexes])


def silent(index: str) -> NoAnswer:
    return NoAnswer(index, OriginUnreachable("ask", "refused"))


class TestReachability:
    def test_one_failure_closes_the_way_at_once_and_an_answer_opens_it(self) -> None:
        down = breaker.after_failure(Up(), now_s=10.0, reason="refused")
        assert down == Down(10.0, failed_at_s=10.0, retry_at_s=10.0 + breaker.FIRST_PAUSE_S, failures=1, reason="refused")
        assert breaker.after_success(down) == Up()

    def test_pauses_double_up_to_the_longest(self) -> None:
        state: breaker.Reachability = Up()
        now_s, pauses = 0.0, []
        for _ in range(40):
            state = breaker.after_failure(state, now_s=now_s, reason="refused")
            assert isinstance(state, Down)
            pauses.append(state.retry_at_s - now_s)
            now_s = state.retry_at_s
        assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
        assert pauses[-1] == breaker.LONGEST_PAUSE_S
        assert isinstance(state, Down)
        assert state.since_s == 0.0

    def test_demand_brings_the_next_probe_near_but_never_below_the_first_pause(self) -> None:
        long = Down(since_s=0.0, failed_at_s=100.0, retry_at_s=160.0, failures=9, reason="refused")
        assert breaker.in_demand(long).retry_at_s == 100.0 + breaker.FIRST_PAUSE_S
        short = Down(since_s=0.0, failed_at_s=100.0, retry_at_s=101.0, failures=1, reason="refused")
        assert breaker.in_demand(short) == short

    def test_failures_that_were_under_way_together_count_once(self) -> None:
        first = breaker.after_failure(Up(), now_s=0.0, reason="refused")
        assert breaker.after_failure(first, now_s=0.5, reason="refused") == first

    def test_a_host_that_answers_only_probes_is_left_alone_longer_each_time_also_when_it_is_wanted(self) -> None:
        state: breaker.Reachability = Up()
        now_s, pauses = 0.0, []
        for _ in range(6):
            state = breaker.after_failure(state, now_s=now_s, reason="silent")
            assert isinstance(state, Down)
            pauses.append(breaker.in_demand(state).retry_at_s - now_s)
            now_s = state.retry_at_s
            state = breaker.after_probe(state)
        assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, breaker.LONGEST_PAUSE_S]
        assert breaker.after_success(state) == Up()


class TestFreshness:
    def test_fresh_is_served(self) -> None:
        assert freshness.decide(age_s=599, ttl_s=600, may_ask=True, prompt=True) == freshness.Serve()

    def test_stale_waits_shortly_only_for_an_index_that_answers_well(self) -> None:
        prompt = freshness.decide(age_s=600, ttl_s=600, may_ask=True, prompt=True)
        assert prompt == freshness.Revalidate(freshness.REVALIDATE_WITHIN_S)
        assert freshness.decide(age_s=600, ttl_s=600, may_ask=True, prompt=False) == freshness.Revalidate(0.0)

    def test_stale_is_served_while_nobody_can_be_asked(self) -> None:
        assert freshness.decide(age_s=1e9, ttl_s=600, may_ask=False, prompt=True) == freshness.Serve()

    def test_a_clock_that_was_set_back_makes_a_page_stale_not_fresh_for_ever(self) -> None:
        assert isinstance(freshness.decide(age_s=-5, ttl_s=600, may_ask=True, prompt=False), freshness.Revalidate)

    def test_unknown_must_be_fetched(self) -> None:
        assert freshness.decide(age_s=None, ttl_s=600, may_ask=False, prompt=False) == freshness.Fetch()


class TestOwnership:
    def test_first_index_that_has_it_owns_it_alone(self) -> None:
        first, second = page(link("lab-1-py3-none-any.whl")), page(link("lab-9-py3-none-any.whl", 9))
        owned = decide([Has("a", first, True), Has("b", second, True)], [])
        assert isinstance(owned, Owned)
        assert (owned.owner, owned.listed) == ("a", first.files)

    def test_silence_of_a_higher_index_is_not_a_no(self) -> None:
        answer = silent("private")
        lower = Has("public", page(link("lab-9-py3-none-any.whl")), True)
        assert decide([answer, lower], []) == Undecided(answer.error)

    def test_files_stored_from_a_lower_index_do_not_replace_a_silent_owner(self) -> None:
        stored = [StoredFile("public", link("lab-9-py3-none-any.whl"))]
        answers: list[Answer] = [silent("private"), Has("public", page(link("lab-9-py3-none-any.whl")), True)]
        assert isinstance(decide(answers, stored), Undecided)

    def test_nor_do_they_where_the_lower_index_was_not_even_asked(self) -> None:
        stored = [StoredFile("public", link("lab-9-py3-none-any.whl"))]
        assert isinstance(decide([silent("private")], stored, more_indexes=["public"]), Undecided)

    def test_a_private_file_filed_under_an_index_is_private_again_when_that_is_gone(self) -> None:
        mine = link("lab-1-py3-none-any.whl", 7)
        public = Has("public", page(link("lab-9-py3-none-any.whl", 9)), True)
        owned = decide([public], [StoredFile("lab-index", mine, private=True)])
        assert isinstance(owned, Owned)
        assert owned.kept == (mine,)
        assert owned.listed == ()
        filed = decide([public], [StoredFile("public", mine, private=True)])
        assert isinstance(filed, Owned)
        assert (filed.owner, filed.kept, len(filed.listed)) == ("public", (mine,), 1)

    def test_private_files_own_their_project_whatever_indexes_say(self) -> None:
        mine = link("lab-1-py3-none-any.whl", 7)
        every: list[list[Answer]] = [[], [HasNot("a")], [silent("a")], [Has("a", page(link("lab-9-py3-none-any.whl", 9)), True)]]
        for answers in every:
            owned = decide(answers, [StoredFile(LOCAL, mine, private=True)])
            assert isinstance(owned, Owned)
            assert (owned.owner, owned.kept) == (LOCAL, (mine,))

    def test_an_added_file_that_the_index_lists_too_is_not_private(self) -> None:
        public = link("lab-1-py3-none-any.whl", 7)
        owned = decide(
            [Has("a", page(public, link("lab-2-py3-none-any.whl", 8)), True)], [StoredFile(LOCAL, public, private=True)]
        )
        assert isinstance(owned, Owned)
        assert owned.owner == "a"
        assert len(owned.listed) == 2

    def test_stored_file_that_its_index_no_longer_lists_is_kept(self) -> None:
        gone = link("lab-1-py3-none-any.whl", 1)
        owned = decide([Has("a", page(link("lab-2-py3-none-any.whl", 2)), True)], [StoredFile("a", gone)])
        assert isinstance(owned, Owned)
        assert owned.kept == (gone,)

    def test_stored_file_of_a_renamed_index_is_found_when_the_new_name_is_silent_or_has_not(self) -> None:
        old = link("lab-1-py3-none-any.whl")
        for answer in (silent("new"), HasNot("new")):
            owned = decide([answer], [StoredFile("old", old)])
            assert isinstance(owned, Owned)
            assert (owned.owner, owned.kept, owned.reachable) == ("old", (old,), False)

    def test_former_origins_are_not_mixed(self) -> None:
        stored = [StoredFile("z", link("lab-9-py3-none-any.whl", 9)), StoredFile("b", link("lab-1-py3-none-any.whl"))]
        owned = decide([], stored)
        assert isinstance(owned, Owned)
        assert (owned.owner, len(owned.kept)) == ("b", 1)

    def test_nobody_has_it_only_when_everybody_said_so(self) -> None:
        assert decide([HasNot("a"), HasNot("b")], []) == NoSuchProject()
        assert isinstance(decide([HasNot("a"), silent("b")], []), Undecided)


@pytest.mark.parametrize(
    ("filename", "accepted"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-py2-none-any.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp39-abi3-manylinux2014_x86_64.whl", True),
        ("a-1-cp311-cp311-win_amd64.whl", False),
        ("a-1-pp310-pypy310_pp73-manylinux2014_x86_64.whl", False),
        ("a-1-1build-cp312-cp312-linux_x86_64.whl", True),
        ("a-1.tar.gz", True),
        ("a-1.win32-py3.4.exe", False),
        ("a-1-py3.9.egg", False),
        ("broken.whl", False),
    ],
)
def test_machine_accepts_what_some_cpython_3_here_can_install(filename: str, accepted: bool) -> None:
    assert LINUX.accepts(filename) is accepted


class TestViews:
    def test_paths_name_the_view_and_lead_back_to_it(self) -> None:
        assert View().path == ""
        assert View(index="lab", stored=True, here=True).path == "index/lab/stored/here"
        assert View(asof=AsOf("2026-01-31", 0), index="lab", here=True).path == "asof/2026-01-31/index/lab/here"

    def test_narrowing_is_bounded(self) -> None:
        deepest = View(index="lab").narrower("stored")
        assert deepest is not None
        deepest = deepest.narrower("here")
        assert deepest == View(index="lab", stored=True, here=True)
        assert deepest.narrower("here") is None
        assert deepest.narrower("stored") is None
        assert View().narrower("simple") is None
