"""Run programs as a new user on a new machine would: own home, own caches, none of this machine's configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind."""

    arguments: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def succeeded(self) -> Finished:
        """Return itself, or fail the test with everything the program said."""
        assert self.returncode == 0, f"{' '.join(self.arguments)}\nexit {self.returncode}\n{self.stdout}\n{self.stderr}"
        return self


def isolated_environment(home: Path) -> dict[str, str]:
    """Return an environment that has nothing of ours but PATH; ``home`` is created and holds everything else."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CONFIG_DIRS": str(home / "etc"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home),
        "NO_COLOR": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None, timeout_s: float = 120.0
) -> Finished:
    """Run to the end; past ``timeout_s`` the program is killed and ``subprocess.TimeoutExpired`` raised."""
    done = subprocess.run(
        arguments,
        env=dict(environment),
        cwd=cwd,
        timeout=timeout_s,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Finished(tuple(arguments), done.returncode, done.stdout, done.stderr)


def wheelfs_command(*arguments: str) -> list[str]:
    """Return the argument list that runs this checkout's wheelfs."""
    return [sys.executable, "-P", "-m", "wheelfs", *arguments]


def wheelfs_environment(home: Path) -> dict[str, str]:
    """Return an isolated environment in which `wheelfs_command` works from anywhere."""
    return {**isolated_environment(home), "PYTHONPATH": str(ROOT)}
