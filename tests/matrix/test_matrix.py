"""The matrix of faults: how many cells there are, that a wrong one is seen, and a sample; the whole of it with ``-m soak``."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import pytest

from tests.fakes.processes import ROOT, isolated_environment
from tests.matrix import cells
from tests.matrix.cells import Verdict, all_cells, chosen_cells, name_of, run_cell, run_cells
from tests.matrix.columns import RIGHT, Column
from tests.matrix.stands import OLD, ROWS
from tests.world.outcomes import Cause, Crashed, Installed, Outcome, Refused, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.matrix.columns import Faulty
    from tests.matrix.stands import Row
    from tests.world.clients import Clients

SAMPLE: Final = (
    "resolve/files/404",
    "uv/files/503",
    "uv/pages/reset-length",
    "pip/pages/truncated-chunked",
    "resume/files/ranges-ignored",
    "delta/files/gzip-unasked",
    "gateway/files/close",
    "directory/files/404",
    "directory/files/one-bit",
    "s3/files/shorter",
)
REFUSED: Final = Refused(Cause.ERROR)


def test_there_are_516_cells_of_82_kinds() -> None:
    assert len(ROWS) == len({row.project for row in ROWS}) == 82
    assert len(all_cells()) == len({name_of(*cell) for cell in all_cells()}) == 516
    assert len(chosen_cells(["delta/*"])) == 47
    assert len(chosen_cells(["*/pages/hang", "*/files/hang"])) == 12


class Scripted(Column):
    """A column whose client gives what the test says, one try after the other, and whose daemon is as it says."""

    def __init__(self, where: Path, outcomes: list[Outcome], complaint: str | None = None) -> None:
        self.where = where
        self._outcomes = outcomes
        self._complaint = complaint
        self.broken: list[bool] = []

    def complaint(self) -> str | None:
        return self._complaint

    def break_(self) -> None:
        self.broken.append(True)

    def mend(self) -> None:
        self.broken.append(False)

    def was_met(self) -> bool:
        return True

    @contextmanager
    def cell(self, row: Row) -> Iterator[Faulty]:
        yield self

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        return self._outcomes.pop(0)


@pytest.mark.parametrize(
    ("outcomes", "complaint", "verdict"),
    [
        ([RIGHT, RIGHT], None, Verdict.IN_SPITE),
        ([REFUSED, RIGHT], None, Verdict.AFTER),
        ([RIGHT, RIGHT], "the mount has ended", Verdict.WRONG),
        ([Installed(OLD, OLD)], None, Verdict.WRONG),
        ([Installed("2.0", "other bytes")], None, Verdict.WRONG),
        ([TimedOut()], None, Verdict.WRONG),
        ([Crashed()], None, Verdict.WRONG),
        ([REFUSED, REFUSED], None, Verdict.WRONG),
        ([REFUSED, Installed(OLD, OLD)], None, Verdict.WRONG),
        ([RIGHT, Installed(OLD, OLD)], None, Verdict.WRONG),
    ],
)
def test_a_cell_is_judged(
    outcomes: list[Outcome], complaint: str | None, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "GONE_S", 0.0)
    column = Scripted(tmp_path, list(outcomes), complaint)
    assert run_cell(column, ROWS[0], cast("Clients", None), threading.Event()).verdict is verdict
    assert column.broken == [True, False]


def test_a_sample_of_the_matrix_is_right(tmp_path: Path) -> None:
    reports = list(run_cells(chosen_cells(SAMPLE), tmp_path, jobs=2))
    assert len(reports) == len(SAMPLE)
    assert not [report for report in reports if report.verdict is Verdict.WRONG]
    assert all(report.met for report in reports), "a fault that nothing has met shows nothing"


@pytest.mark.soak
def test_the_whole_matrix_is_right(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "soak" / "faults")]
    done = subprocess.run(command, env=isolated_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "516  cells of 516" in done.stdout
