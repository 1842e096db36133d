"""The linters as tests: with ``--lint`` they start beside the first test and are judged last: one closing line tells all."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).parents[1]
_LIMIT_S = 600.0

COMMANDS = {
    "ruff check": ["ruff", "check", "--quiet", "."],
    "ruff format": ["ruff", "format", "--check", "--quiet", "--diff", "."],
    "mypy": ["mypy", "--no-error-summary"],
    # import-linter has no ``python -m``; its script's first line would not survive a moved checkout.
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
}


class Linters:
    """The linters, running in the background."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        for name, command in COMMANDS.items():
            output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
            module = [] if command[0] == "-c" else ["-m"]
            process = subprocess.Popen(
                [sys.executable, *module, *command], cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            self._running[name] = (process, output)

    def complaint(self, name: str) -> str | None:
        """Wait for one linter; return what it said, or None when it is content."""
        process, output = self._running[name]
        code = process.wait(_LIMIT_S)
        output.seek(0)
        return None if code == 0 else output.read().decode(errors="replace")

    def end(self) -> None:
        """Leave no process behind."""
        for process, output in self._running.values():
            process.kill()
            process.wait()
            output.close()
