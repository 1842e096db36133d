"""``scripts/bench/all`` measures, and fills in the table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scripts.bench.programs.table import BEGIN, END, HEAD
from tests.fakes.processes import ROOT, run, wheelfs_environment

if TYPE_CHECKING:
    from pathlib import Path


def test_a_quick_run_measures_two_builds_and_fills_in_its_rows(tmp_path: Path) -> None:
    document = tmp_path / "figures.md"
    document.write_text("\n".join([BEGIN, "", *HEAD, "| `wheelfs ls`, processor time | old |", "", END, ""]))
    words = ["--quick", "--only", "catalog", "--into", str(document), str(ROOT)]
    command = [sys.executable, "-m", "scripts.bench.programs.all", *words]
    said = run(command, environment=wheelfs_environment(tmp_path / "home"), cwd=ROOT).succeeded()
    rows = [line.split(" | ") for line in document.read_text().splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == [
        "| `wheelfs ls`, processor time",
        "| 1,000,000 files: mount answers",
        "| the same: memory",
        "| the same: look-up",
    ]
    for row in rows[1:]:
        unit = row[2].split()[-1]
        assert len(row) == 6
        assert f" {unit}" in row[3]
        assert f" {unit}" in row[4]
    assert all(" | ".join(row) in said.stdout for row in rows[1:])
