"""``scripts/world [WORD...]``: run habits (all, or those whose names hold one of the words) and print what came of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.world.all_habits import HABITS
from tests.world.running import Running

if TYPE_CHECKING:
    from tests.world.runner import Report

SLOW_S = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/world", description=__doc__)
    parser.add_argument("words", nargs="*", help="run the habits whose names hold one of these; all unless given")
    parser.add_argument("--quick", action="store_true", help="only those that are part of every test run")
    parser.add_argument("--straight", action="store_true", help="only see whether straight is what the habits say")
    parser.add_argument("--jobs", type=int, default=2, help="habits at once (default: 2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave logs and stores in this new directory")
    given = parser.parse_args()
    chosen = [one for one in HABITS if not given.words or any(word in one.name for word in given.words)]
    chosen = [one for one in chosen if one.quick or not given.quick]
    tries = wrong = broken = 0
    with ExitStack() as stack:
        where = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wheelfs-world-")))
        running = stack.enter_context(Running(chosen, where, jobs=given.jobs, mounts=not given.straight))
        for habit in chosen:
            try:
                report = running.report(habit)
            except Exception:
                broken += 1
                print(f"BROKEN {habit.name}\n{traceback.format_exc()}", flush=True)
                continue
            print_report(report)
            tries += len(report.tries)
            wrong += bool(report.worse)
            broken += bool(report.oracle)
    print(f"{len(chosen)} habits, {tries} installs through wheelfs: {wrong} habits wrong, {broken} not tried as they should be")
    return 1 if wrong or broken else 0


def print_report(report: Report) -> None:
    """Print what straight gave, and every way that was worse."""
    name = report.habit.name
    straight = ", ".join(
        f"{client}{f' ({number + 1})' if number else ''}: {outcome}" for (number, client), outcome in report.straight.items()
    )
    state = "ORACLE" if report.oracle else "WRONG" if report.worse else "right"
    print(f"{state:6} {name:36} {report.took_s:5.1f} s  straight {straight}")
    slow = [f"{one.client}, {one.face}: took {one.took_s:.1f} s" for one in report.tries if one.took_s > SLOW_S]
    for line in report.oracle + report.worse + slow:
        print(f"       - {line}")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
