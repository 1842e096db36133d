"""``wheelfs run`` around pip and uv with real packages of the machine's index, first from there, then from the store alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.namespaces import without_route
from tests.fakes.real_index import machine_settings
from tests.fakes.runs import UV, RealIndex, Runs, project

if TYPE_CHECKING:
    from tests.fakes.processes import Finished

pytestmark = pytest.mark.real_index

QUIET = (UV, "--quiet")
UVX = str(Path(UV).with_name("uvx"))
TOOL = "cowsay==6.1"
LIBRARY = "iniconfig==2.0.0"


class Machine(Runs):
    """Runs of commands, each with a new home, that reach the index as this machine does."""

    def online(self, *command: str, cwd: Path) -> Finished:
        return self.wheelfs(*command, cwd=cwd, environment=machine_settings()).succeeded()

    def offline(self, *command: str, cwd: Path) -> Finished:
        """Run where nothing can be reached."""
        with without_route():
            return self.wheelfs(*command, cwd=cwd, environment=machine_settings(), options=("--offline",)).succeeded()


@pytest.fixture
def machine(tmp_path: Path, real_index_url: str) -> Machine:
    return Machine(tmp_path / "runs", RealIndex(real_index_url))


def test_uv_locks_adds_and_syncs(machine: Machine, tmp_path: Path) -> None:
    app = project(tmp_path / "app", TOOL, index=machine.index)
    lock = app / "uv.lock"
    machine.straight(*QUIET, "lock", cwd=app, environment=machine_settings()).succeeded()
    straight = lock.read_bytes()
    lock.unlink()
    machine.online(*QUIET, "lock", cwd=app)
    assert lock.read_bytes() == straight
    machine.online(*QUIET, "lock", "--check", cwd=app)
    machine.online(*QUIET, "sync", "--frozen", "--no-install-project", cwd=app)
    machine.online(*QUIET, "add", "--no-install-project", LIBRARY, cwd=app)
    added = lock.read_bytes()
    assert LIBRARY.partition("=")[0].encode() in added
    stored = {(file["project"], file["origin"]) for file in machine.listed()}
    assert stored == {("cowsay", "main"), ("iniconfig", "main")}, "the host of the index's files is known from the start"

    (app / ".venv").rename(tmp_path / "gone")
    machine.offline(*QUIET, "lock", "--check", cwd=app)
    machine.offline(*QUIET, "sync", "--frozen", "--no-install-project", cwd=app)
    assert len(list(app.glob(".venv/lib/python*/site-packages/*.dist-info"))) == 2
    assert lock.read_bytes() == added


def test_uv_installs_and_runs_tools(machine: Machine, tmp_path: Path) -> None:
    said = machine.online(UVX, "--quiet", "--from", TOOL, "cowsay", "-t", "hello", cwd=tmp_path).stdout
    assert "hello" in said
    machine.online(*QUIET, "tool", "install", TOOL, cwd=tmp_path)
    machine.offline(*QUIET, "tool", "install", TOOL, cwd=tmp_path)
    assert machine.offline(UVX, "--quiet", "--from", TOOL, "cowsay", "-t", "hello", cwd=tmp_path).stdout == said


def test_pip_installs_by_hashes(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text(f"{TOOL}\n{LIBRARY}\n")
    compiling = ("pip", "compile", "--generate-hashes", "--default-index", machine.index.url, "-o", "requirements.txt")
    machine.online(*QUIET, *compiling, "requirements.in", cwd=tmp_path)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-i", machine.index.url, "--require-hashes")
    machine.online(*pip, "--target", "online", "-r", "requirements.txt", cwd=tmp_path)
    machine.offline(*pip, "--target", "offline", "-r", "requirements.txt", cwd=tmp_path)
    installed = [{path.name for path in (tmp_path / name).glob("*.dist-info")} for name in ("online", "offline")]
    assert installed[0] == installed[1]
    assert len(installed[0]) == 2
