"""Rows out of figures, and the table out of rows; pure functions."""

from __future__ import annotations

import statistics
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.bench.programs.figures import Figure
    from scripts.bench.programs.goals import Goal

BEGIN: Final = "<!-- table: scripts/bench/all -->"
END: Final = "<!-- end of table -->"
HEAD: Final = ("| what | against | reach | before | now | |", "| --- | --- | --- | --- | --- | --- |")


class Spread(msgspec.Struct, frozen=True):
    """Several values of one thing: their median, the least and the largest."""

    median: float
    least: float
    largest: float

    def text(self, unit: str = "") -> str:
        """Return it as ``1.07 (1.04–1.11)``."""
        middle = f"{number(self.median)} {unit}".strip()
        return middle if self.least == self.largest else f"{middle} ({number(self.least)}–{number(self.largest)})"


class Row(msgspec.Struct, frozen=True):
    """What one goal came to, in text; ``ratio`` is now over before where the goal is about that, and else empty."""

    what: str
    against: str
    target: str
    before: str
    now: str
    ratio: str
    is_met: bool
    profile: str

    def line(self) -> str:
        """Return it as a line of a table in docs/performance.md."""
        verdict = "" if self.is_met else "missed"
        if not self.is_met and self.profile:
            page = PurePath(self.profile)
            verdict = f"missed: [{page.name.partition('-')[0]}]({page.relative_to('docs')})"
        now = f"{self.now}, × {self.ratio}" if self.ratio else self.now
        return f"| {self.what} | {self.against} | {self.target} | {self.before} | {now} | {verdict} |"


def number(value: float) -> str:
    """Return three digits of a number, or all of those before its point."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def spread_of(values: Sequence[float]) -> Spread:
    """Return the spread of values, of which there is one at least."""
    return Spread(statistics.median(values), min(values), max(values))


def row_of(goal: Goal, before: Iterable[Figure], now: Iterable[Figure]) -> Row | None:
    """Return the row of a goal out of the figures of all rounds with each build; None where this build gave none for it.

    Of several cases the worst stands for all.  Where the build before is the peer, its figures are needed, too.
    """
    earlier, later = _values(goal, before), _values(goal, now)
    shown: Spread | None = None
    if goal.by == "before":
        ratios = {
            case: spread_of([mine / its for mine, its in zip(values, earlier[case], strict=False)])
            for case, values in later.items()
            if earlier.get(case)
        }
        if not ratios:
            return None
        case = _worst(goal, ratios)
        shown = judged = ratios[case]
    else:
        spreads = {case: spread_of(values) for case, values in later.items()}
        if not spreads:
            return None
        case = _worst(goal, spreads)
        judged = spreads[case]
    return Row(
        what=goal.what,
        against=goal.against,
        target=_target(goal),
        before=spread_of(earlier[case]).text(goal.unit) if earlier.get(case) else "–",
        now=spread_of(later[case]).text(goal.unit),
        ratio="" if shown is None else shown.text(),
        is_met=judged.median >= goal.limit if goal.at_least else judged.median <= goal.limit,
        profile=goal.profile,
    )


def _values(goal: Goal, figures: Iterable[Figure]) -> dict[tuple[str, str], list[float]]:
    """Return what all rounds gave for a goal, by section and case."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for figure in figures:
        if fnmatchcase(figure.case, goal.case) and fnmatchcase(figure.section, goal.section):
            found[figure.section, figure.case] += figure.ratios if goal.by == "peer" else figure.values
    return {case: values for case, values in found.items() if values}


def _worst(goal: Goal, spreads: dict[tuple[str, str], Spread]) -> tuple[str, str]:
    order = min if goal.at_least else max
    return order(spreads, key=lambda case: spreads[case].median)


def _target(goal: Goal) -> str:
    if goal.at_least and not goal.limit:
        return "–"
    sign = "≥" if goal.at_least else "≤"
    return f"{sign} {number(goal.limit)}" + (" ×" if goal.by == "before" else f" {goal.unit}" if goal.unit else "")


def with_rows(text: str, rows: Sequence[Row], order: Sequence[str]) -> str:
    """Return a document with rows put into its table, between its marks; rows of other goals stay as they are.

    ``order`` has all goals, by what they are called; a row of what is no goal any more goes.  Raises ValueError without marks.
    """
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in text[start:end].splitlines() if line.startswith("| ")}
    kept |= {row.what: row.line() for row in rows}
    lines = [kept[what] for what in order if what in kept]
    return f"{text[:start]}\n\n" + "\n".join([*HEAD, *lines]) + f"\n\n{text[end:]}"
