"""Every linter is content (only with ``--lint``, as scripts/test runs it)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

_COMMANDS = {
    "ruff check": ["-m", "ruff", "check", "--quiet", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet", "--diff", "."],
    "mypy": ["-m", "mypy", "--no-error-summary"],
    # import-linter has no ``python -m``; its script's first line would not survive a moved checkout.
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
}


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_linter_is_content(name: str, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--lint"):
        pytest.skip("needs --lint (scripts/test gives it)")
    command = [sys.executable, *_COMMANDS[name]]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.fail(f"{name}:\n{done.stdout}{done.stderr}", pytrace=False)
