"""The table of what is to be reached, made out of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.bench.programs import figures
from scripts.bench.programs.figures import Figure
from scripts.bench.programs.goals import BEFORE, GOALS, Goal, Program
from scripts.bench.programs.table import BEGIN, END, HEAD, Spread, number, row_of, with_rows
from tests.fakes.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RUN = Program("install")
PEER = Goal("installing", "a directory", RUN, "mount*", 1.0, section="uv*", profile="docs/design/decisions/0082-starting.md")
EARLIER = Goal("starting", BEFORE, RUN, "ls", 0.5, by="before", unit="s")
AMOUNT = Goal("memory", "70 MB", RUN, "at rest", 70, by="value", unit="MB")


def test_a_ratio_to_the_peer_is_the_median_of_all_rounds_with_its_range() -> None:
    now = [Figure("uv", "mount, flat", (1.0,), (ratio,)) for ratio in (0.9, 1.1, 0.8)]
    row = row_of(PEER, [], now)
    assert row is not None
    assert (row.now, row.before, row.is_met) == ("0.9 (0.8–1.1)", "–", True)


def test_of_several_cases_the_worst_counts() -> None:
    now = [Figure("uv", "mount, index up", (1.0,), (0.6,)), Figure("uv", "mount, index hanging", (1.0,), (1.2,))]
    row = row_of(PEER, [Figure("uv", "mount, index hanging", (1.0,), (1.3,))], now)
    assert row is not None
    assert (row.now, row.before, row.is_met) == ("1.2", "1.3", False)
    assert row.line() == "| installing | a directory | ≤ 1 | 1.3 | 1.2 | missed: [0082](design/decisions/0082-starting.md) |"


def test_figures_of_other_sections_and_cases_are_passed_over() -> None:
    others = [Figure("pip download", "mount, flat", (1.0,), (9.0,)), Figure("uv", "plain directory", (1.0,), (9.0,))]
    assert row_of(PEER, [], others) is None


def test_a_cost_is_compared_with_the_build_before_turn_by_turn() -> None:
    before = [Figure("", "ls", (seconds,)) for seconds in (0.2, 0.4, 0.3)]
    now = [Figure("", "ls", (seconds,)) for seconds in (0.1, 0.2, 0.12)]
    row = row_of(EARLIER, before, now)
    assert row is not None
    assert row.line() == "| starting | the build before | ≤ 0.5 × | 0.3 s (0.2–0.4) | 0.12 s (0.1–0.2), × 0.5 (0.4–0.5) |  |"


def test_without_the_build_before_there_is_no_row_that_needs_it() -> None:
    assert row_of(EARLIER, [], [Figure("", "ls", (0.1,))]) is None


def test_an_amount_is_compared_with_its_limit() -> None:
    row = row_of(AMOUNT, [Figure("", "at rest", (104.0,))], [Figure("", "at rest", (70.5,))])
    assert row is not None
    assert (row.before, row.now, row.target, row.is_met) == ("104 MB", "70.5 MB", "≤ 70 MB", False)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312, "0.0312"), (0.5, "0.5"), (1.0, "1"), (1.066, "1.07"), (99.994, "99.99"), (176.2, "176")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_spread_of_one_value_has_no_range() -> None:
    assert Spread(2.0, 2.0, 2.0).text("s") == "2 s"


def document(*lines: str) -> str:
    return "\n".join(["# Figures", "", BEGIN, "", *HEAD, *lines, "", END, "", "The rest.", ""])


def test_rows_replace_those_of_the_same_goal_and_leave_others() -> None:
    row = row_of(AMOUNT, [], [Figure("", "at rest", (65.0,))])
    assert row is not None
    old = document("| starting | x |", "| memory | old |", "| no goal any more | y |")
    assert with_rows(old, [row], ["memory", "starting"]) == document(row.line(), "| starting | x |")


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="not found"):
        with_rows("# Figures", [], [])


def test_figures_are_given_only_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(figures.FILE, raising=False)
    figures.note("ls", [1.0])
    monkeypatch.setenv(figures.FILE, str(tmp_path / "figures"))
    assert figures.read(tmp_path / "figures") == []
    figures.begin("starting")
    figures.note("ls", [1.0, 2.0], [0.5, 0.6])
    figures.note("status", [3.0])
    assert figures.read(tmp_path / "figures") == [
        Figure("starting", "ls", (1.0, 2.0), (0.5, 0.6)),
        Figure("starting", "status", (3.0,)),
    ]


def test_every_goal_has_a_name_of_its_own_and_a_program_that_is_there() -> None:
    assert len({goal.what for goal in GOALS}) == len(GOALS)
    for goal in GOALS:
        assert (ROOT / "scripts" / "bench" / goal.program.name).is_file()
        assert not goal.profile or (ROOT / goal.profile).is_file()


def test_the_document_has_the_table_and_no_row_of_what_is_no_goal() -> None:
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert with_rows(text, [], [goal.what for goal in GOALS]) == text
