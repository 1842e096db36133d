"""Bringing content in: ``add``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs import errors
from wheelfs.cli.command import Command, session_of
from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.cli.output import Output
    from wheelfs.service.reports import AddedFile

PART_FAILED = 1
"""Exit code when a part of what was asked for was done and another part was not."""


@click.command(
    cls=Command,
    short_help="Add wheels from files, directories and URLs.",
    examples=(
        "wheelfs add dist/lab_tools-1.0-py3-none-any.whl",
        "wheelfs add ~/wheelhouse --index lab",
        "wheelfs add --json https://files.example/lab_tools-1.0-py3-none-any.whl",
    ),
)
@click.argument("sources", metavar="PATH-OR-URL...", nargs=-1, required=True)
@click.option("--index", metavar="NAME", help="File them under this index instead of as local files.")
@click.pass_context
def add(context: click.Context, sources: tuple[str, ...], index: str | None) -> int:
    """Add wheels to the store, for good: local ones are never removed to make room.

    Adding again what is there changes nothing. A mount on the same store shows new files within two seconds. The exit code is 1
    when some files were refused and the rest were taken.
    """
    from wheelfs import app

    session = session_of(context)
    settings = session.settings()
    output = session.output
    taken = 0
    refused: list[AddedFile] = []
    with output.progress() as progress:
        for file in app.add(settings, list(sources), index=index, progress=progress):
            if file.result == "refused":
                refused.append(file)
            else:
                taken += 1
            _print_file(output, file)
    if not taken and not refused:
        raise InvalidInput(f"add {', '.join(sources)[:200]}", "no wheel was found there")
    if refused and not taken:
        return _code_of(refused)
    return PART_FAILED if refused else 0


def _print_file(output: Output, file: AddedFile) -> None:
    if output.json:
        output.record({"file": file})
    elif file.result == "refused":
        output.talk(f"wheelfs: refused {file.filename}: {file.reason}")
    else:
        output.line(f"{file.result} {file.filename}")


def _code_of(refused: Sequence[AddedFile]) -> int:
    """Return the exit code of the reason that all share, else the one of bad input."""
    classes = {getattr(errors, file.error_class or "", InvalidInput) for file in refused}
    error_class = classes.pop() if len(classes) == 1 else InvalidInput
    return int(error_class.exit_code)
