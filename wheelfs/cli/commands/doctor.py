"""``doctor``: what is wrong with this machine's set-up, and how to mend it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import PART_FAILED
from wheelfs.cli.session import session_of
from wheelfs.config import redact

if TYPE_CHECKING:
    from wheelfs.cli.output import Output
    from wheelfs.reports.doctor import FoundState


@click.command(
    cls=Command,
    short_help="Say what is wrong with this machine's set-up.",
    examples=(
        "wheelfs doctor",
        "wheelfs doctor --offline",
        "wheelfs doctor --json | jq -r 'select(.found.level == \"broken\").found.mend'",
    ),
)
@click.pass_context
def doctor(context: click.Context) -> int:
    """Look at what a mount and its clients need, and say what is wrong and how to mend it; nothing is changed.

    Looked at are FUSE and its limits, all mounts of wheelfs on this machine, fstab, the store's place, the interpreters of
    environments, each index and share (asked once), the clock, the settings of pip and uv that defeat a mount, and PATH. The
    exit code is 1 when something is broken; notes are about what works less well than it could, or otherwise than one may
    expect.
    """
    from wheelfs.app.doctor import doctor as look

    session = session_of(context)
    output = session.output
    levels: Counter[str] = Counter()
    for found in look(session.settings()):
        levels[found.level] += 1
        _print_found(output, found)
    if not output.json:
        verdict = f"{levels['broken']} broken" if levels["broken"] else "nothing is broken"
        output.line(f"{verdict}, {levels['note']} to note, {levels['ok']} well")
    return PART_FAILED if levels["broken"] else 0


def _print_found(output: Output, found: FoundState) -> None:
    if output.json:
        output.record({"found": found})
        return
    output.line(f"{found.level:<6}  {found.subject}: {redact(found.what)}")
    if found.mend:
        output.line(f"        → {found.mend}")
