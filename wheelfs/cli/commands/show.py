"""``ls`` and ``show``: the files that are known, and everything known of one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import click

from wheelfs.cli.command import Command
from wheelfs.cli.output import table_lines
from wheelfs.cli.session import session_of
from wheelfs.config import redact
from wheelfs.core.formatting import counted, size_text
from wheelfs.reports.files import ShownProject, newest_first, worth_showing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelfs.reports.files import ListedFile, ShownFile

_COLUMNS: Final = ("project", "version", "state", "size", "origin", "filename")
ROWS: Final = 14
"""Files that are shown without ``--all``: with what else is said of a project they fit on a terminal of 24 lines."""
NAMED_VERSIONS: Final = 20
"""Versions that are named; a project may have thousands."""


@click.command(
    "ls",
    cls=Command,
    short_help="List the files that are known here.",
    examples=(
        "wheelfs ls",
        "wheelfs ls 'numpy*' requests",
        "wheelfs ls --private --sort size",
        "wheelfs --json ls | jq -r .filename",
        "wheelfs ls --tracked",
    ),
)
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@click.option("--tracked", is_flag=True, help="List the files of tracked projects, stored or not.")
@click.option("--private", is_flag=True, help="List only private files: those added by hand, that no index lists.")
@click.option("--pinned", is_flag=True, help="List only pinned files.")
@click.option("--sort", "key", type=click.Choice(("name", "size")), default="name", help="By project, or the largest first.")
@click.pass_context
def list_files(context: click.Context, patterns: tuple[str, ...], tracked: bool, private: bool, pinned: bool, key: str) -> None:
    """List the files that are stored here, or those that are named, and sum them up.

    A PATTERN is a filename, a project, a requirement such as "numpy>=2", or has * and ? in it; then it is compared with projects
    and filenames.
    """
    from wheelfs import app
    from wheelfs.app import tracking

    session = session_of(context)
    files: Iterable[ListedFile]
    if tracked:
        found: list[ListedFile] = []
        files = found
        tracking.list_files(session.settings(), patterns=list(patterns), report=found.append)
    else:
        files = app.list_files(session.settings(), patterns=list(patterns))
    files = (file for file in files if (file.private or not private) and (file.pinned or not pinned))
    if key == "size":
        files = sorted(files, key=lambda file: -(file.size_bytes or 0))
    if session.json:
        for file in files:
            session.output.record(file)
        return
    rest = iter(files)
    first = next(rest, None)
    if first is None:
        # Empty output is a valid answer; stderr says that it is meant.
        kinds = " ".join(kind for kind, is_asked in (("private", private), ("pinned", pinned)) if is_asked)
        what = f"no {kinds or 'tracked' if tracked else kinds or 'stored'} file" + (" matches" if patterns else "")
        how = "wheelfs track NAME" if tracked else "wheelfs fetch, wheelfs add and installs through a mount add some"
        session.output.talk(f"wheelfs: {what} in {session.settings().store}" + ("" if patterns else f" ({how})"))
        return
    total = _Total()
    session.output.pages(table_lines(_COLUMNS, (_row(total.counted(file)) for file in chain((first,), rest))))
    session.output.talk(f"wheelfs: {total}")


@dataclass(slots=True)
class _Total:
    """What was listed, counted as it goes by: a list may be long."""

    files: int = 0
    stored_bytes: int = 0
    other_bytes: int = 0

    def counted(self, file: ListedFile) -> ListedFile:
        self.files += 1
        if file.state == "stored":
            self.stored_bytes += file.size_bytes or 0
        else:
            self.other_bytes += file.size_bytes or 0
        return file

    def __str__(self) -> str:
        more = f", and {size_text(self.other_bytes)} that are not stored whole" if self.other_bytes else ""
        return f"{counted(self.files, 'file')}, {size_text(self.stored_bytes)}{more}"


@click.command(
    cls=Command,
    short_help="Show everything known of a project or a file.",
    examples=(
        "wheelfs show numpy",
        "wheelfs show --all 'numpy>=2'",
        "wheelfs show lab_tools-1.0-py3-none-any.whl --json",
    ),
)
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="Show all files: those for other machines and of older versions too.")
@click.pass_context
def show(context: click.Context, name: str, everything: bool) -> None:
    """Show what is known of NAME, a project, a requirement such as "numpy>=2" or a filename: versions, files, sizes.

    Of a project one screen is shown, the newest first: files that are here, and those of the newest versions that this machine
    can use; how many others there are is said. With --json all are, the oldest first. On a terminal a long list goes through
    your pager (PAGER, else less).
    """
    from wheelfs import app

    session = session_of(context)
    shown = app.show(session.settings(), name)
    output = session.output
    if session.json:
        output.record(shown)
    elif isinstance(shown, ShownProject):
        output.pages(_project_lines(shown, everything=everything))
    else:
        output.pages(_pair_lines(list(_file_pairs(shown))))


def _project_lines(shown: ShownProject, *, everything: bool) -> Iterator[str]:
    older = len(shown.versions) - NAMED_VERSIONS
    versions = ", ".join(shown.versions[::-1] if everything else shown.versions[::-1][:NAMED_VERSIONS])
    tracked = None if shown.tracked is None else ", ".join(which or "all versions" for which in shown.tracked)
    pairs = [
        ("project", shown.project),
        ("origin", shown.origin),
        ("status", shown.status),
        ("asked", shown.checked),
        ("tracked", tracked),
        ("tracks", ", ".join(map(redact, shown.tracks))),
        ("left out", ", ".join(f"{count} {reason}" for reason, count in shown.left_out.items()) or None),
        ("also at", ", ".join(map(redact, shown.alternate_locations))),
        ("versions", f"{versions} and {older} older" if older > 0 and not everything else versions),
    ]
    yield from _pair_lines(pairs)
    yield ""
    files = newest_first(shown) if everything else worth_showing(shown, rows=ROWS)
    yield from table_lines(_COLUMNS[1:], (_row(file)[1:] for file in files))
    if more := len(shown.files) - len(files):
        stored = sum(file.state == "stored" for file in shown.files) - sum(file.state == "stored" for file in files)
        of_them = f" ({stored} of them stored)" if stored else ""
        yield ""
        yield f"{counted(more, 'more file')}{of_them}, for other machines or of older versions: --all shows them"


def _file_pairs(file: ShownFile) -> Iterator[tuple[str, str | None]]:
    yield "file", file.filename
    yield "project", file.project
    yield "version", file.version
    yield "state", file.state
    yield "origin", file.origin
    yield "url", None if file.url is None else redact(file.url)
    yield "sha256", file.sha256
    yield "size", size_text(file.size_bytes)
    yield "stored", None if file.stored_bytes is None else size_text(file.stored_bytes)
    yield "shared with others", None if file.shared_bytes is None else size_text(file.shared_bytes)
    yield "uploaded", file.upload_time
    yield "first seen", file.first_seen
    yield "requires python", file.requires_python
    yield "yanked", None if file.yanked is None else (file.yanked or "yes")
    yield "pinned", "yes" if file.pinned else None
    yield "private", "yes" if file.private else None
    yield "repacked", "yes: made of unpacked files" if file.repacked else None
    yield "listed", None if file.listed else "no longer by its index"
    yield "hidden", None if file.hidden is None else f"it is {file.hidden}"
    yield "odd", "; ".join(file.odd) or None
    for name, value in file.passed_on.items():
        yield name.replace("_", " "), redact(value)


def _pair_lines(pairs: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        if value:
            yield f"{name:<{width}}  {value}"


def _row(file: ListedFile) -> tuple[str, ...]:
    """Return the cells of `_COLUMNS`."""
    kinds = {"pinned": file.pinned, "private": file.private, "repacked": file.repacked}
    marks = "".join(f" ({kind})" for kind, is_so in kinds.items() if is_so)
    origins = ", ".join((file.origin or "-", *file.also))
    return (file.project, file.version or "-", file.state, size_text(file.size_bytes), origins, file.filename + marks)
