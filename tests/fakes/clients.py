"""The real pip and uv, each instance with a home, cache and virtual environment of its own."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

import uv

from tests.fakes.processes import Finished, isolated_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Client:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = isolated_environment(directory / "home")
        self.environment["VIRTUAL_ENV"] = str(directory / "venv")

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment, which is made when first asked for."""
        return self.venv() / "bin" / "python"

    def venv(self) -> Path:
        """Return the virtual environment (bare: no pip in it), made when first asked for."""
        path = self.directory / "venv"
        if not path.exists():
            command = [uv.find_uv_bin(), "venv", "--quiet", "--offline", "--python", sys.executable, str(path)]
            run(command, environment=self.environment).succeeded()
        return path

    def without_venv(self) -> Self:
        """Blow the virtual environment away; caches stay.  Returns itself."""
        shutil.rmtree(self.directory / "venv", ignore_errors=True)
        return self

    def installed(self) -> dict[str, str]:
        """Return normalized name → version of what is in the virtual environment."""
        listing = run([uv.find_uv_bin(), "pip", "freeze", "--python", str(self.python)], environment=self.environment).succeeded()
        return {name: version for name, _, version in (line.partition("==") for line in listing.stdout.split())}


class Uv(_Client):
    """uv as a user runs it in an activated virtual environment."""

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 300.0
    ) -> Finished:
        """Run ``uv ARGUMENTS``."""
        self.venv()
        command = [uv.find_uv_bin(), *arguments]
        return run(
            command, environment={**self.environment, **(environment or {})}, cwd=cwd or self.directory, timeout_s=timeout_s
        )

    def uvx(self, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 300.0) -> Finished:
        """Run ``uvx ARGUMENTS``: a tool in an environment that uv makes for it."""
        command = [str(Path(uv.find_uv_bin()).with_name("uvx")), *arguments]
        return run(command, environment={**self.environment, **(environment or {})}, cwd=self.directory, timeout_s=timeout_s)


def _pip_runner() -> str:
    """Return what ``pip --python PYTHON`` runs with that Python: itself, without being installed there."""
    found = importlib.util.find_spec("pip")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).with_name("__pip-runner__.py"))


class Pip(_Client):
    """pip as a user runs it in an activated virtual environment: our pinned pip, working on that environment."""

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 300.0
    ) -> Finished:
        """Run ``pip ARGUMENTS``."""
        # Not by `--python`, which would start two interpreters, and import pip in each.
        command = [str(self.python), _pip_runner(), *arguments]
        return run(
            command, environment={**self.environment, **(environment or {})}, cwd=cwd or self.directory, timeout_s=timeout_s
        )


class Clients:
    """Makes clients below one directory, each as fresh as on a new machine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = 0

    def _fresh(self) -> Path:
        self._made += 1
        path = self._directory / f"client-{self._made}"
        path.mkdir(parents=True)
        return path

    def uv(self) -> Uv:
        """Return a uv that has never run."""
        return Uv(self._fresh())

    def pip(self) -> Pip:
        """Return a pip that has never run."""
        return Pip(self._fresh())
