"""``wheelfs run`` around real poetry and pdm: their locks are those made straight, and install online and off from the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.environments import pdm, poetry
from tests.fakes.index import FakeIndex
from tests.fakes.namespaces import without_route
from tests.fakes.processes import run
from tests.fakes.runs import UV, Runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.real_index

PROJECT = '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
EXPECTED = {"app-1.0.dist-info", "numbers-2.0.dist-info", "words-1.0.dist-info"}


@pytest.fixture(scope="module")
def programs(real_index_url: str) -> list[Path]:
    """Where poetry and pdm are, made from the machine's index while that can be reached."""
    return [poetry(real_index_url), pdm(real_index_url)]


@pytest.fixture
def index(programs: list[Path]) -> Iterator[FakeIndex]:
    assert programs
    with without_route(), FakeIndex(tls=True) as index:
        index.add_wheel("app", "1.0", requires=["numbers<3", "words"])
        for version in ("1.0", "2.0", "3.0"):
            index.add_wheel("numbers", version)
        index.add_wheel("words", "1.0")
        yield index


class Project:
    """A project of one index; each command runs on a machine of its own, which has nothing but the store that all share."""

    def __init__(self, directory: Path, index: FakeIndex, programs: Sequence[Path], source: str) -> None:
        self.directory = directory / "project"
        self.directory.mkdir()
        (self.directory / "pyproject.toml").write_text(PROJECT + source.format(index.url))
        self._runs = Runs(directory / "runs", index)
        self._programs = programs

    def _activated(self) -> dict[str, str]:
        """Return an environment with a new virtual environment activated in it."""
        environment = self._runs.environment()
        venv = self._runs.directory / f"venv-{self._runs.made}"
        run([UV, "venv", "--quiet", "--offline", str(venv)], environment=environment).succeeded()
        path = ":".join(map(str, (*self._programs, venv / "bin", environment["PATH"])))
        trust = {"REQUESTS_CA_BUNDLE": environment["SSL_CERT_FILE"]}
        return {**environment, **trust, "VIRTUAL_ENV": str(venv), "PATH": path, "PDM_CHECK_UPDATE": "false"}

    def straight(self, *command: str) -> None:
        self._runs.straight(*command, cwd=self.directory, environment=self._activated()).succeeded()

    def installed(self, *command: str) -> set[str]:
        """Run a command under ``wheelfs run``, and return what was installed by it."""
        environment = self._activated()
        self._runs.wheelfs(*command, cwd=self.directory, environment=environment).succeeded()
        return {path.name for path in Path(environment["VIRTUAL_ENV"]).glob("lib/python*/site-packages/*.dist-info")}


def lock_is_the_one_made_straight_and_installs_without_the_index(
    project: Project, index: FakeIndex, lock: str, *, locking: Sequence[str], installing: Sequence[str]
) -> None:
    project.straight(*locking)
    straight = (project.directory / lock).read_bytes()
    (project.directory / lock).unlink()
    project.installed(*locking)
    assert (project.directory / lock).read_bytes() == straight
    assert project.installed(*installing) == EXPECTED
    index.stop()
    index.reset_counters()
    assert project.installed(*installing) == EXPECTED
    assert index.requests == []
    assert (project.directory / lock).read_bytes() == straight


def test_poetry_locks_and_installs(tmp_path: Path, programs: list[Path], index: FakeIndex) -> None:
    source = '[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "lab"\nurl = "{}"\npriority = "primary"\n'
    lock_is_the_one_made_straight_and_installs_without_the_index(
        Project(tmp_path, index, programs, source),
        index,
        "poetry.lock",
        locking=("poetry", "lock", "--no-interaction"),
        installing=("poetry", "install", "--no-interaction"),
    )


def test_pdm_locks_and_syncs(tmp_path: Path, programs: list[Path], index: FakeIndex) -> None:
    lock_is_the_one_made_straight_and_installs_without_the_index(
        Project(tmp_path, index, programs, '[[tool.pdm.source]]\nname = "pypi"\nurl = "{}"\nverify_ssl = true\n'),
        index,
        "pdm.lock",
        locking=("pdm", "lock", "--quiet"),
        installing=("pdm", "sync", "--no-self", "--quiet"),
    )
