"""``log``: what a mount has logged."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wheelfs.cli.command import Command
from wheelfs.cli.first_steps import running_mount
from wheelfs.cli.logs import default_log_file
from wheelfs.cli.paths import MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.errors import NotKnown, ProgramMissing, UsageError

if TYPE_CHECKING:
    from wheelfs.config import Settings

LINES: Final = 50


@click.command(
    cls=Command,
    short_help="Show what a mount has logged.",
    examples=("wheelfs log", "wheelfs log -f /mnt/wheels", "wheelfs log -n 1000 --json | jq -r .line"),
)
@click.argument("directory", metavar="[DIR]", type=MOUNT_POINT, required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=LINES, metavar="COUNT", help="Show so many lines; 50 by default."
)
@click.pass_context
def log(context: click.Context, directory: Path | None, follow: bool, lines: int) -> None:
    """Show the end of the log of the mount at DIR, else of a mount that is running; also of one that has ended.

    A mount in the foreground (-f) logs to its terminal, and a gateway to its own stderr.
    """
    session = session_of(context)
    path = _log_of(session.settings(), directory)
    if follow:
        if session.json:
            raise UsageError("follow the log", "-f prints lines as they are", "leave --json out")
        try:
            # It knows what becomes of a log that is rotated, and needs no more of us.
            os.execvp("tail", ["tail", f"--lines={lines}", "-F", "--", str(path)])
        except OSError as error:
            raise ProgramMissing("follow the log", f"tail cannot be run: {error.strerror}", "install coreutils") from None
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            if session.json:
                session.output.record({"log": str(path), "line": line.rstrip("\n")})
            else:
                session.output.line(line.rstrip("\n"))


def _log_of(settings: Settings, directory: Path | None) -> Path:
    attempted = "show the log"
    if settings.log_file is not None:
        path = settings.log_file
    else:
        mount = running_mount(settings) if directory is None else Path(os.path.abspath(directory))  # noqa: PTH100
        if mount is None:
            raise NotKnown(attempted, f"nothing is mounted from {settings.store}", "name the mount point whose log it is")
        path = default_log_file(mount)
    if not os.access(path, os.R_OK):
        happened = "it may not be read" if path.exists() else "there is none"
        raise NotKnown(
            attempted, f"{path}: {happened}", "a mount in the foreground logs to its terminal; wheelfs status lists mounts"
        )
    return path
