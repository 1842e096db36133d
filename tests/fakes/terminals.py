"""Commands on a terminal: what they show there while they work."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.fakes.processes import wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def shown_by(store: Path, home: Path, *words: str) -> bytes:
    """Return what a wheelfs command that succeeds shows on a terminal of 150 columns at its stderr."""
    return _on_terminal(store, wheelfs_environment(home), words, is_whole=False)


def printed_by(store: Path, environment: Mapping[str, str], *words: str) -> str:
    """Return what a wheelfs command that succeeds prints where its input and outputs are a terminal, lines ended as in files."""
    return _on_terminal(store, environment, words, is_whole=True).decode().replace("\r\n", "\n")


def watched(store: Path, environment: Mapping[str, str], words: Sequence[str], wanted: Sequence[bytes]) -> bytes:
    """Return what a command shows that stays, from its start until it has shown ``wanted``, in order, and has obeyed Ctrl-C."""
    shown, terminal = pty.openpty()
    command = wheelfs_command("--store", str(store), *words)
    environment = {**environment, "TERM": "xterm", "COLUMNS": "150", "LINES": "24"}
    with subprocess.Popen(command, env=environment, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen, at = b"", 0
        for text in wanted:
            while (found := seen.find(text, at)) < 0:
                seen += os.read(shown, 65536)
            at = found + len(text)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):
            while data := os.read(shown, 65536):
                seen += data
        assert process.wait(60) in (-signal.SIGINT, 130)
    os.close(shown)
    return seen


def _on_terminal(store: Path, environment: Mapping[str, str], words: Sequence[str], *, is_whole: bool) -> bytes:
    environment = {**environment, "TERM": "xterm", "COLUMNS": "150"}
    shown, terminal = pty.openpty()
    command = wheelfs_command("--store", str(store), *words)
    stdin, stdout = (terminal, terminal) if is_whole else (None, subprocess.DEVNULL)
    with subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=terminal) as process:
        os.close(terminal)
        seen = b""
        # A terminal whose last writer has gone reads as EIO.
        with suppress(OSError):
            while data := os.read(shown, 65536):
                seen += data
        assert process.wait(60) == 0
    os.close(shown)
    return seen
