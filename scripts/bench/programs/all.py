"""Everything that is to be reached, in one run: each benchmark by this build and by another one, by turns, and one table.

The table in docs/performance.md is filled in where its rows were measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scripts.bench.programs import figures
from scripts.bench.programs.goals import GOALS
from scripts.bench.programs.table import HEAD, row_of, with_rows
from tests.fakes.processes import CHECKOUT_VARIABLE, ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.bench.programs.figures import Figure
    from scripts.bench.programs.goals import Program

LIMIT_S: Final = 3600.0
"""No benchmark takes half as long."""
SHOWN: Final = 4_000
"""Characters of what one has said that are shown when it fails."""


def run_once(program: Program, checkout: Path, *, quick: bool) -> list[Figure] | None:
    """Run a benchmark of this checkout with the wheelfs of another and return its figures, None where it failed."""
    with tempfile.TemporaryDirectory(prefix="wheelfs-bench-") as scratch:
        file = Path(scratch, "figures")
        environment = {**os.environ, figures.FILE: str(file), CHECKOUT_VARIABLE: str(checkout)}
        words = program.quick if quick else program.arguments
        command = [str(ROOT / "scripts" / "bench" / program.name), *words]
        began = time.perf_counter()
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        took_s = time.perf_counter() - began
        print(f"  {' '.join([program.name, *words])} with {checkout}: {took_s:.0f} s", file=sys.stderr, flush=True)
        if ended.returncode:
            said = f"{ended.stdout}{ended.stderr}"[-SHOWN:]
            print(f"{said}FAILED: {' '.join(command)}: exit code {ended.returncode}", file=sys.stderr)
            return None
        return figures.read(file)


def measure(program: Program, checkouts: Sequence[Path], rounds: int, *, quick: bool) -> tuple[dict[Path, list[Figure]], bool]:
    """Run a benchmark with each checkout by turns; return the figures of each up to a run that failed, and whether none did."""
    found: dict[Path, list[Figure]] = {checkout: [] for checkout in checkouts}
    for turn in range(rounds):
        for checkout in checkouts if turn % 2 == 0 else reversed(checkouts):
            got = run_once(program, checkout, quick=quick)
            if got is None:
                return found, False
            found[checkout] += got
    return found, True


def main() -> None:
    """Measure what is asked for, print its rows, and put them into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, nargs="?", help="the checkout of the build before, with its .venv; without it alone")
    names = sorted({goal.program.name for goal in GOALS})
    parser.add_argument("--only", action="append", choices=names, help="these benchmarks alone (repeatable)")
    parser.add_argument("--rounds", type=int, help="how often each is run with each build (default: up to 5)")
    parser.add_argument("--quick", action="store_true", help="one round, with little input, to see that it works")
    parser.add_argument("--into", type=Path, help="the document (default docs/performance.md, and none with --quick)")
    options = parser.parse_args()
    document = options.into or (None if options.quick else ROOT / "docs" / "performance.md")
    if document is not None:
        with_rows(document.read_text("utf-8"), [], [goal.what for goal in GOALS])  # an hour later is too late to miss its marks
    checkouts = [ROOT, *([] if options.other is None else [options.other.resolve()])]
    rows, is_well = [], True
    print("\n".join(HEAD), flush=True)
    for program in dict.fromkeys(goal.program for goal in GOALS if not options.only or goal.program.name in options.only):
        rounds = options.rounds or (1 if options.quick else program.rounds)
        able = checkouts[:1] if program.is_alone else checkouts
        found, went_well = measure(program, able, rounds, quick=options.quick)
        is_well &= went_well
        for goal in (goal for goal in GOALS if goal.program == program):
            row = row_of(goal, found[able[-1]] if len(able) > 1 else (), found[ROOT])
            if row is not None:
                rows.append(row)
                print(row.line(), flush=True)
        if document is not None:
            document.write_text(with_rows(document.read_text("utf-8"), rows, [goal.what for goal in GOALS]), "utf-8")
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
