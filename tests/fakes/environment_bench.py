"""A store with environments, its index and its mount."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tests.fakes.commands import objects
from tests.fakes.processes import isolated_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted
    from tests.fakes.processes import Finished

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Bench:
    """A store, its index and its mount."""

    def __init__(self, run_wheelfs: RunWheelfs, mounted: MountWheelfs, index: FakeIndex, store: Path, home: Path) -> None:
        self._run = run_wheelfs
        self._mounted = mounted
        self.index = index
        self.store = store
        self.environ = isolated_environment(home)
        self._path: Path | None = None

    @property
    def options(self) -> tuple[str, str]:
        return "--index", f"main={self.index.url}"

    def command(self, *words: str, env: Mapping[str, str] | None = None) -> Finished:
        return self._run("--store", str(self.store), *words, env={"WHEELFS_PAGE_TTL_S": "0", **(env or {})})

    def create(self, name: str, *words: str, lazy: bool = False) -> dict[str, Any]:
        how = () if lazy else ("--complete",)
        done = self.command("--json", "env", "create", name, *words, *how, *self.options).succeeded()
        made: dict[str, Any] = objects(done)[-1]
        return made

    def mount(self, *options: str, env: Mapping[str, str] | None = None) -> Mounted:
        """Mount with other options than `path` does, which has no index."""
        made = self._mounted(*options, env=env)
        self._path = made.path
        return made

    def path(self, name: str = "it") -> Path:
        if self._path is None:
            self.mount("--no-index")
        assert self._path is not None
        return self._path / "env" / name

    def site(self, name: str = "it") -> Path:
        return self.path(name) / "lib" / f"python{VERSION}" / "site-packages"

    def python(self, *words: str, name: str = "it") -> Finished:
        return run([str(self.path(name) / "bin" / "python"), *words], environment=self.environ, cwd=self.store.parent)
