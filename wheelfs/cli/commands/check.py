"""``check``: what is missing in the store for an install from a lock without any index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import PART_FAILED
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text

if TYPE_CHECKING:
    from wheelfs.cli.output import Output
    from wheelfs.reports.check import CheckedFile, CheckSummary


@click.command(
    cls=Command,
    short_help="Say what of a lock is not stored.",
    examples=(
        "wheelfs check uv.lock",
        "wheelfs check 'pylock.toml[docs]' requirements.txt",
        "wheelfs check uv.lock --python 3.12 --platform manylinux_2_28_aarch64",
        "wheelfs check uv.lock --json | jq -r 'select(.file.result == \"missing\").file.filename'",
    ),
)
@click.argument("locks", metavar="FILE...", nargs=-1, required=True)
@click.option("--python", metavar="VERSION", help="Check for this version of CPython, not for the Python that runs wheelfs.")
@click.option("--platform", "platforms", metavar="TAG", multiple=True, help="Check for this platform, as fetch takes it.")
@click.option("--group", "groups", metavar="[FILE:]NAME", multiple=True, help="Check a dependency group too, as fetch takes it.")
@click.pass_context
def check(
    context: click.Context, locks: tuple[str, ...], python: str | None, platforms: tuple[str, ...], groups: tuple[str, ...]
) -> int:
    """Say which files of a lock are not stored, so that wheelfs run --offline would not find them; nothing is asked or fetched.

    FILE is a uv.lock, a pylock.toml, with the names of its extras in brackets, or a requirements file. wheelfs fetch takes the
    same files and brings what is missing. The exit code is 1 when something is missing.
    """
    from wheelfs import app

    session = session_of(context)
    output = session.output

    def report(file: CheckedFile) -> None:
        if output.json:
            output.record({"file": file})
        else:
            _print_file(output, file)

    def note(text: str) -> None:
        output.talk(f"wheelfs: {text}")

    summary = app.check(session.settings(), locks, python=python, platforms=platforms, groups=groups, report=report, note=note)
    if output.json:
        output.record({"summary": summary})
    else:
        output.line(_summary_text(summary))
    return PART_FAILED if summary.missing else 0


def _print_file(output: Output, file: CheckedFile) -> None:
    places = f" ({' and '.join(file.places)})" if file.places else ""
    if file.notice is not None:
        output.talk(f"wheelfs: {file.filename}: {file.notice}")
    if file.result == "missing":
        output.line(f"missing {file.filename or file.wanted}: {file.reason}{places}")
    elif file.result == "skipped":
        output.talk(f"wheelfs: skipped {file.wanted}: {file.reason}{places}")


def _summary_text(summary: CheckSummary) -> str:
    skipped = f", {summary.skipped} skipped" if summary.skipped else ""
    present = f"{counted(summary.present, 'file')} stored, {size_text(summary.present_bytes)}"
    return f"{present}; {summary.missing} missing{skipped}"
