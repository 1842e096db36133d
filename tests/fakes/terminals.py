"""Commands on a terminal: what they show there while they work."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.fakes.processes import wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from pathlib import Path


def shown_by(store: Path, home: Path, *words: str) -> bytes:
    """Return what a wheelfs command that succeeds shows on a terminal of 150 columns at its stderr."""
    environment = {**wheelfs_environment(home), "TERM": "xterm", "COLUMNS": "150"}
    shown, terminal = pty.openpty()
    command = wheelfs_command("--store", str(store), *words)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        seen = b""
        # A terminal whose last writer has gone reads as EIO.
        with suppress(OSError):
            while data := os.read(shown, 65536):
                seen += data
        assert process.wait(60) == 0
    os.close(shown)
    return seen
