"""Every kind of fault on every way: 82 kinds (47 of files, 35 of pages) on up to eight ways, 516 cells.

On each, a real client meets the fault in a cold mount or gateway, and tries again when it is gone.  A cell is right when the
first try is right in spite of the fault, or refuses within its bound and a later one is right; it is wrong when anything gives
other bytes or an older version, waits longer than its bound, stays wrong when the fault is gone, or has a daemon end or log a
bug.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict

from scripts.soak.programs.swept import swept
from tests.matrix.cells import Report, Tally, Verdict, chosen_cells, name_of, run_cells


def main() -> int:
    """Run the cells that the command line asks for; the exit code is 1 when one of them is wrong."""
    asked = _arguments()
    cells = chosen_cells(asked.cells)
    if asked.list:
        print(*(name_of(*cell) for cell in cells), sep="\n")
        return 0
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    began_s = time.monotonic()
    with swept("faults") as place:
        for report in run_cells(cells, place.where, jobs=asked.jobs):
            tally = tallies[report.name.partition("/")[0]]
            tally.verdicts[report.verdict] += 1
            tally.unmet += not report.met
            if asked.verbose or report.verdict is Verdict.WRONG:
                print(_line(report), flush=True)
    for name, tally in tallies.items():
        print(f"{tally.verdicts.total():5}  {name:9} {_counts(tally)}")
    whole = Tally(unmet=sum(tally.unmet for tally in tallies.values()))
    for tally in tallies.values():
        whole.verdicts.update(tally.verdicts)
    print(f"{whole.verdicts.total():5}  cells of {len(cells)}: {_counts(whole)}; {time.monotonic() - began_s:.0f} s")
    return 0 if whole.verdicts.total() == len(cells) and not whole.verdicts[Verdict.WRONG] else 1


def _counts(tally: Tally) -> str:
    counts = ", ".join(f"{tally.verdicts[verdict]} {verdict.value}" for verdict in Verdict)
    return counts + (f" ({tally.unmet} never asked what was faulty)" if tally.unmet else "")


def _line(report: Report) -> str:
    times = f"{report.fault_s:.1f} s with the fault, {report.gone_s:.1f} s when it was gone"
    return f"{report.verdict.value.upper()}: {report.name}: {times}: {report.why}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak/faults", description=__doc__)
    parser.add_argument(
        "--cells",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these, such as 'delta/*' or '*/hang'; repeatable",
    )
    parser.add_argument("--jobs", type=int, default=4, help="cells at a time (4); most of them wait")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and run none")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what came of every cell")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
