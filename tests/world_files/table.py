"""Prints the table: each row's files as pip's report, uv's dry run and wheelfs take them, with counts (`scripts/world-files`)."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fakes.clients import Clients
from tests.fakes.index import FakeIndex
from tests.world_files.case import Case, write
from tests.world_files.cases import CASES
from tests.world_files.programs import pip_takes, uv_takes, wheelfs_takes
from tests.world_files.shelf import stock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_AT_ONCE: Final = 2
_NOT_ASKED: Final = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """What the programs took; None for one that has no part in the row."""

    case: Case
    pip: str | None
    uv: str | None
    wheelfs: str

    @property
    def is_as_told(self) -> bool:
        """Whether all of them took what the row says."""
        told = (self.case.expected("pip"), self.case.expected("uv"), self.case.expected("wheelfs"))
        return told == (self.pip, self.uv, self.wheelfs)

    @property
    def kind(self) -> str:
        """Say whom wheelfs agrees with."""
        like_pip, like_uv = self.pip in (None, self.wheelfs), self.uv in (None, self.wheelfs)
        if like_pip and like_uv:
            return "all alike"
        return "as pip, unlike uv" if like_pip else "as uv, unlike pip" if like_uv else "unlike both"


def rows(cases: Sequence[Case], directory: Path) -> Iterator[Row]:
    """Yield the rows in their order, run against an index of their own."""
    with FakeIndex() as index, ThreadPoolExecutor(_AT_ONCE) as threads:
        stock(index)
        python = Clients(directory / "clients").uv().python

        def run_row(number: int, case: Case) -> Row:
            where = directory / f"row-{number}" / "work"
            where.mkdir(parents=True)
            write(case, where, index)
            pip = None if case.pip is None else pip_takes(case, where, index.url, python).takes
            uv = None if case.uv is None else uv_takes(case, where, index.url, python).takes
            return Row(case, pip, uv, wheelfs_takes(case, where, index.url, store=where.parent / "store").takes)

        yield from threads.map(run_row, range(len(cases)), cases)


def _text(row: Row) -> str:
    shown = " | ".join(_NOT_ASKED if takes is None else takes or "nothing" for takes in (row.pip, row.uv, row.wheelfs))
    wrong = "" if row.is_as_told else " **not as the table says**"
    return f"| {row.case.name} | {shown} | {row.kind}{wrong}{f': {row.case.why}' if row.case.why else ''} |"


def main() -> int:
    """Print the table, and return 1 when a row is not as it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only rows whose names hold one of these")
    words = parser.parse_args().words
    chosen = [case for case in CASES if not words or any(word in case.name for word in words)]
    print("| row | pip | uv | wheelfs | |\n| --- | --- | --- | --- | --- |")
    kinds: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="wheelfs-world-files-") as directory:
        for row in rows(chosen, Path(directory)):
            print(_text(row), flush=True)
            kinds[row.kind] += 1
            wrong += not row.is_as_told
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    print(f"\n{len(chosen)} rows: {counts}; {wrong} not as the table says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
