"""Run cells of the matrix: a try with the fault, tries when it is gone, and what came of them."""

from __future__ import annotations

import enum
import shutil
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.matrix.columns import COLUMNS, RIGHT
from tests.matrix.stands import ROWS
from tests.world.clients import Clients
from tests.world.outcomes import Refused
from tests.world.pip_server import PipServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.matrix.columns import Column
    from tests.matrix.stands import Row
    from tests.world.outcomes import Outcome

GONE_S: Final = 150.0
"""How long after a fault is gone everything must be right: twice the longest pause of a breaker (60 s), and some."""
_PAUSE_S: Final = 2.0


class Verdict(enum.Enum):
    """How well a cell came out."""

    IN_SPITE = "right in spite"
    AFTER = "refused, right after"
    WRONG = "wrong"


@dataclass(slots=True)
class Report:
    """What came of one cell; ``met``: whether anything was asked of what has the fault."""

    name: str
    verdict: Verdict = Verdict.WRONG
    met: bool = True
    why: str = ""
    fault_s: float = 0.0
    gone_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came of the cells of one column."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    unmet: int = 0


def name_of(column: type[Column], row: Row) -> str:
    """Return what a cell is called: column/files/kind."""
    return f"{column.name}/{row.where}/{row.kind.name}"


def all_cells() -> list[tuple[type[Column], Row]]:
    """Return every cell that there is: files on every way, pages where a page is what is asked for."""
    return [(column, row) for column in COLUMNS.values() for row in ROWS if row.where == "files" or column.has_pages]


def chosen_cells(patterns: Sequence[str]) -> list[tuple[type[Column], Row]]:
    """Return the cells whose names fit one of the patterns; all without any."""
    return [cell for cell in all_cells() if not patterns or any(fnmatch(name_of(*cell), one) for one in patterns)]


def run_cell(column: Column, row: Row, clients: Clients, ending: threading.Event) -> Report:
    """Run one cell; once ``ending`` is set, without waiting for anything to become right."""
    report = Report(name_of(type(column), row))
    tries = 0

    def attempt() -> Outcome:
        nonlocal tries
        tries += 1
        place = column.where / f"try-{row.number}-{tries}"
        outcome = column.attempt(row, clients, place)
        shutil.rmtree(place, ignore_errors=True)
        return outcome

    with column.cell(row) as faulty:
        faulty.break_()
        began_s = time.monotonic()
        first = attempt()
        report.fault_s = time.monotonic() - began_s
        report.met = faulty.was_met()
        faulty.mend()
        if first != RIGHT and not isinstance(first, Refused):
            report.why = f"with the fault: {_said(first)}"
            return report
        began_s = time.monotonic()
        while (then := attempt()) != RIGHT and isinstance(then, Refused) and time.monotonic() - began_s < GONE_S:
            if ending.wait(_PAUSE_S):
                break
        report.gone_s = time.monotonic() - began_s
    if then != RIGHT:
        report.why = f"with the fault: {_said(first)}; when it is gone: {_said(then)}"
    elif complaint := column.complaint():
        report.why = complaint
    else:
        report.verdict = Verdict.IN_SPITE if first == RIGHT else Verdict.AFTER
        report.why = "" if first == RIGHT else _said(first)
    return report


def _said(outcome: Outcome) -> str:
    said = getattr(outcome, "said", "")[-600:]
    return f"{outcome}{': ' if said else ''}{said}"


def run_cells(cells: Sequence[tuple[type[Column], Row]], where: Path, *, jobs: int) -> Iterator[Report]:
    """Run cells, ``jobs`` at a time, column by column; yield what came of each as it is known."""
    with socket.socket() as free:
        free.bind(("127.78.0.1", 0))
        port: int = free.getsockname()[1]
    with ExitStack() as stack:
        idle: SimpleQueue[Clients] = SimpleQueue()
        for number in range(jobs):
            idle.put(Clients(stack.enter_context(PipServer(where / f"pip-{number}"))))
        pool = ThreadPoolExecutor(jobs)
        stack.callback(pool.shutdown, cancel_futures=True)
        ending = threading.Event()
        stack.callback(ending.set)
        for kind in COLUMNS.values():
            rows = [row for column, row in cells if column is kind]
            if not rows:
                continue
            with kind(rows, where / kind.name, port) as column:

                def run_one(row: Row, column: Column = column) -> Report:
                    clients = idle.get()
                    try:
                        return run_cell(column, row, clients, ending)
                    finally:
                        idle.put(clients)

                for done in as_completed([pool.submit(run_one, row) for row in rows]):
                    yield done.result()
            shutil.rmtree(where / kind.name, ignore_errors=True)
