"""One install by the real pip or uv, with nothing cached, into a directory of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import uv

from tests.fakes.processes import isolated_environment, run
from tests.world.outcomes import Installed, Outcome, TimedOut, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.processes import Finished
    from tests.world.faces import Way
    from tests.world.habits import Habit
    from tests.world.pip_server import PipServer
    from tests.world.rig import Client

FROM_FILE: Final = "-r requirements.txt"
"""A habit's requirement that is written to a file, since hashes have no other place."""
BOUND_S: Final = 90.0
"""More than any client or wheelfs waits for an index (30 s), twice over."""


class Clients:
    """The real clients, for one thread; ``pip`` is a running server."""

    def __init__(self, pip: PipServer) -> None:
        self._pip = pip

    def install(self, client: Client, habit: Habit, way: Way, where: Path) -> Outcome:
        """Install the habit's project; ``where`` must not exist yet, and requirements.txt lies beside it."""
        where.mkdir()
        target = where / "target"
        try:
            done = self._run_pip(habit, way, target) if client == "pip" else self._run_uv(habit, way, target)
        except subprocess.TimeoutExpired:
            return TimedOut()
        if done.returncode != 0:
            return refusal(done.stderr)
        return read_installed(target, habit.project)

    def _run_pip(self, habit: Habit, way: Way, target: Path) -> Finished:
        # One retry instead of five: a server that fails every time is asked twice, with a quarter of a second between.
        line = ["install", "--no-deps", "--no-cache-dir", "--target", str(target), "--retries", str(habit.retries or 1)]
        line += habit.pip_options
        if way.directory is not None:
            line += ["--no-index", "--find-links", str(way.directory)]
        else:
            line += ["--index-url", way.urls[0]]
            line += [word for url in way.urls[1:] for word in ("--extra-index-url", url)]
        return self._pip.run(*line, *_wanted(habit), cwd=target.parent, timeout_s=BOUND_S)

    def _run_uv(self, habit: Habit, way: Way, target: Path) -> Finished:
        line = [
            uv.find_uv_bin(),
            "pip",
            "install",
            "--no-deps",
            "--no-cache",
            "--python",
            sys.executable,
            "--target",
            str(target),
        ]
        line += habit.uv_options
        if way.directory is not None:
            line += ["--no-index", "--find-links", str(way.directory)]
        else:
            line += [word for url in way.urls[:-1] for word in ("--index", url)] + ["--default-index", way.urls[-1]]
        environment = {**isolated_environment(target.parent / "home"), "UV_HTTP_RETRIES": str(habit.retries or 2)}
        return run([*line, *_wanted(habit)], environment=environment, cwd=target.parent, timeout_s=BOUND_S)


def _wanted(habit: Habit) -> list[str]:
    return ["-r", "../requirements.txt"] if habit.requirement == FROM_FILE else [habit.requirement or habit.project]


def read_installed(target: Path, project: str) -> Installed:
    """Return what is installed; a client that succeeds without having installed the project fails the test."""
    package = project.replace("-", "_")
    infos = [one for one in target.glob("*.dist-info") if one.name.lower().startswith(f"{package}-".lower())]
    assert len(infos) == 1, f"a client succeeded and left {sorted(one.name for one in target.iterdir())}"
    module = (target / package / "__init__.py").read_text()
    said = re.search(r"BUILD = '([^']*)'", module)
    return Installed(infos[0].name.removesuffix(".dist-info").rpartition("-")[2], said[1] if said else module)
