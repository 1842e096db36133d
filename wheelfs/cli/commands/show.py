"""``show``: everything known of a project or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from wheelfs.cli.command import Command
from wheelfs.cli.file_rows import FILE_COLUMNS, file_row
from wheelfs.cli.session import session_of
from wheelfs.config import redact
from wheelfs.core.formatting import counted, size_text
from wheelfs.reports.files import ShownProject, newest_first, worth_showing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.cli.output import Output
    from wheelfs.reports.files import ShownFile

VERSIONS: Final = 10
"""The newest versions of which files are shown that are not stored; ``--all`` shows those of all."""
NAMED_VERSIONS: Final = 20
"""Versions that are named; a project may have thousands."""


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

    Of a project are shown, the newest first, the files that are here, and those of the newest versions that this machine can use;
    how many others there are is said. With --json all are, the oldest first.
    """
    from wheelfs import app

    session = session_of(context)
    shown = app.show(session.settings(), name)
    output = session.output
    if session.json:
        output.record(shown)
    elif isinstance(shown, ShownProject):
        _print_project(output, shown, everything=everything)
    else:
        _print_pairs(output, list(_file_pairs(shown)))


def _print_project(output: Output, shown: ShownProject, *, everything: bool) -> None:
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
    _print_pairs(output, pairs)
    output.line()
    files = newest_first(shown) if everything else worth_showing(shown, versions=VERSIONS)
    output.table(FILE_COLUMNS[1:], (file_row(file)[1:] for file in files))
    if more := len(shown.files) - len(files):
        output.line()
        output.line(f"{counted(more, 'more file')}, for other machines or of older versions: --all shows them")


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


def _print_pairs(output: Output, pairs: Sequence[tuple[str, str | None]]) -> None:
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        if value:
            output.line(f"{name:<{width}}  {value}")
