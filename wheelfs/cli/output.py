"""The only place that prints: stdout is the result, stderr everything else.

With ``--json`` stdout carries one JSON object a line and nothing else; errors go there too, so that a script reads one stream.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from wheelfs.cli.failures import ReaderGone
from wheelfs.config import redact
from wheelfs.core.formatting import counted, size_text
from wheelfs.telemetry import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelfs.errors import WheelfsError
    from wheelfs.reports.progress import Progress

_WIDTHS_FROM_ROWS: Final = 500
"""Columns are as wide as the first rows need: a list of a million files is printed as it comes."""


class Output:
    """Results and messages of one command.  Raises `ReaderGone` when the reader of stdout has gone."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._progress_console: Any = None

    def record(self, value: object) -> None:
        """Print one JSON object on a line."""
        self._write(_json_of(value))

    def line(self, text: str = "") -> None:
        """Print a line of the result for a reader; control characters of foreign text are escaped here."""
        self._write(printable(text))

    def talk(self, text: str) -> None:
        """Say something beside the result, on stderr."""
        if self._progress_console is not None:
            self._progress_console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
        else:
            print(printable(text), file=sys.stderr, flush=True)

    def error(self, error: WheelfsError) -> None:
        """Report an error in the form that the caller asked for."""
        text = redact(str(error))
        if self.json:
            report = {"class": type(error).__name__, "message": text, "exit_code": error.exit_code}
            self._write(_json_of({"error": report}))
        else:
            for number, line in enumerate(text.splitlines() or [""]):
                self.talk(line if number else f"wheelfs: {line}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows under a heading, as `table_lines` has them."""
        for line in table_lines(columns, rows):
            self.line(line)

    def pages(self, lines: Iterable[str]) -> None:
        """Print lines, on a terminal through the user's pager (PAGER, else less), as git does."""
        if not sys.stdout.isatty() or os.environ.get("PAGER") == "":
            for line in lines:
                self.line(line)
            return
        # What git gives less, too: it ends at once where all fits on the screen, and leaves it there.
        os.environ.setdefault("LESS", "FRX")
        # click ends the text with a newline of its own.
        click.echo_via_pager(("\n" if number else "") + printable(line) for number, line in enumerate(lines))

    def watch(self, screens: Iterable[Sequence[str]], *, every_s: float) -> None:
        """Show one screen after the other, each in the place of the last, until Ctrl-C; on a terminal."""
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        console = Console(highlight=False)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for lines in screens:
                room = console.size.height - 1
                shown = [Text(printable(line), no_wrap=True, overflow="ellipsis") for line in lines[:room]]
                live.update(Group(*shown), refresh=True)
                time.sleep(every_s)

    def _write(self, text: str) -> None:
        if self._progress_console is not None and sys.stdout.isatty():
            # The bars are on the same terminal: they have to move down first.
            self._progress_console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            with _reader_is_there():
                sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Pass on what is printed so far."""
        with _reader_is_there():
            sys.stdout.flush()

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show bars on stderr while the block runs, if that is a terminal."""
        if not sys.stderr.isatty():
            yield _Quiet()
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bars

        description = TextColumn("{task.description}", markup=False)
        columns = (description, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(compact=True))
        self._progress_console = Console(stderr=True)
        try:
            with Bars(
                *columns, console=self._progress_console, transient=True, redirect_stdout=False, redirect_stderr=False
            ) as bars:
                yield _Bars(bars)
        finally:
            self._progress_console = None


def _json_of(value: object) -> str:
    with suppress(UnicodeEncodeError):
        text = msgspec.json.encode(value, enc_hook=str).decode()
        if text.isascii() or sys.stdout.encoding in (None, "utf-8", "UTF-8"):
            return text
    # A path that is not UTF-8, or a stdout that is not: escaped, and the same path again for who reads it with Python.
    return json.dumps(msgspec.to_builtins(value, enc_hook=str), separators=(",", ":"))


@contextmanager
def _reader_is_there() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows under a heading, in plain columns, the last one unpadded; nothing when there are no rows."""
    first: list[Sequence[str]] = []
    iterator = iter(rows)
    for row in iterator:
        first.append(row)
        if len(first) == _WIDTHS_FROM_ROWS:
            break
    if not first:
        return
    heads = [column.upper() for column in columns]
    widths = [max(len(row[column]) for row in [heads, *first]) for column in range(len(heads) - 1)]
    for row in chain((heads,), first, iterator):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*padded, row[-1]]).rstrip()


class _Quiet:
    """No bars: stderr is not a terminal."""

    is_shown = False

    def begin(self, name: str, total_bytes: int | None) -> None: ...

    def advance(self, name: str, more_bytes: int) -> None: ...

    def end(self, name: str) -> None: ...

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None: ...


class _Bars:
    """One bar for each file in progress, and below them one for all of them where the total is known."""

    is_shown = True

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._all: Any = None
        self._all_bytes = 0

    def begin(self, name: str, total_bytes: int | None) -> None:
        self._tasks[name] = self._bars.add_task(printable(name), total=total_bytes)

    def advance(self, name: str, more_bytes: int) -> None:
        self._all_bytes += more_bytes
        if name in self._tasks:
            self._bars.advance(self._tasks[name], more_bytes)
        if self._all is not None:
            self._bars.update(self._all, completed=self._all_bytes)

    def end(self, name: str) -> None:
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None:
        text = f"{done_files} of {counted(files, 'file')}" + (f", {size_text(saved_bytes)} saved" if saved_bytes else "")
        if self._all is None:
            self._all = self._bars.add_task(text, total=None, completed=self._all_bytes)
        self._bars.update(self._all, description=text, total=total_bytes)
