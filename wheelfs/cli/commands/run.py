"""``run``: a command whose traffic to the indexes is answered from the store."""

from __future__ import annotations

import click

from wheelfs.cli.command import Command
from wheelfs.cli.session import session_of

NOT_FOUND = 127
"""What shells and env(1) return for a command that is not there, and for one that cannot be run."""
NOT_RUNNABLE = 126


@click.command(
    cls=Command,
    short_help="Run a command; its downloads come from the store.",
    context_settings={"allow_interspersed_args": False},
    examples=(
        "wheelfs run -- uv sync --frozen",
        "wheelfs run --offline -- uv sync --frozen",
        "wheelfs run -- pip install --require-hashes -r requirements.txt",
        "wheelfs run -- poetry install",
    ),
)
@click.argument("command", metavar="[--] COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, command: tuple[str, ...]) -> int:
    """Run COMMAND; what it asks of the configured indexes, and of the hosts of their files, is answered from the store.

    Answers keep the indexes' own URLs, so locks stay as they are; what is missing is fetched, and kept. Other hosts are reached
    as ever, or with --offline not at all. No mount is needed. A proxy on loopback does it, which COMMAND finds in its
    environment, with a certificate authority that is gone when COMMAND ends. The exit code is COMMAND's; 127 when it is not
    found, 126 when it cannot be run.
    """
    from wheelfs.app.indexes import decided_indexes
    from wheelfs.app.run import run_command
    from wheelfs.service.process.child import NotStarted, end_like

    session = session_of(context)
    settings, notes = decided_indexes(session.settings())
    for note in notes:
        session.output.talk(f"wheelfs: {note}")
    try:
        end_like(run_command(settings, command))
    except NotStarted as failure:
        session.output.talk(f"wheelfs: run {command[0]}: {failure}")
        return NOT_FOUND if isinstance(failure.error, FileNotFoundError) else NOT_RUNNABLE
