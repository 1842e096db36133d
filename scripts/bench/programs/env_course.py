"""A set of real wheels in a store, and what an environment is made of them with: by wheelfs from a lock, by uv from its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from scripts.bench.programs.ground import Ground, Wheels, project_of
from scripts.bench.programs.measuring import Case
from scripts.bench.programs.processors import used_s, waited_for_s
from tests.fakes.processes import run, wheelfs_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.mounts import Mounted

IMPORTS = {
    "small": "import numpy, pandas, requests, rich.console",
    "large": "import pandas, sklearn.linear_model, scipy.stats, matplotlib.pyplot",
    "torch": "import torch, transformers; transformers.AutoTokenizer, transformers.BertModel",  # transformers imports when asked
}
_UV = uv.find_uv_bin()


@dataclass
class Course:
    """A store that has all wheels, and what they are asked for by."""

    on: Ground
    held: Wheels
    store: Path
    project: Path
    lock: Path
    environment: dict[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    processor_s: dict[str, list[float]] = field(default_factory=dict)
    used: list[Path] = field(default_factory=list)
    """Virtual environments that a case has done with; a gigabyte each of the largest set, in memory."""

    def run_import(self, python: Path) -> None:
        """Import the set's modules."""
        run([str(python), "-B", "-c", IMPORTS[self.held.name]], environment=self.environment, cwd=self.on.directory).succeeded()

    def run_imports(self, python: Path, many: int) -> None:
        """Import the set's modules in several processes at once."""
        with ThreadPoolExecutor(many) as threads:
            list(threads.map(self.run_import, [python] * many))

    def synced(self, project: Path, *options: str) -> Path:
        """Return the python of a new virtual environment of a project's lock, made by a uv that has never run."""
        where = self.on.directory / f"synced-{next(self.numbers)}"
        environment = {**self.environment, "UV_PROJECT_ENVIRONMENT": str(where), "UV_CACHE_DIR": f"{where}-cache"}
        command = [_UV, "sync", "--frozen", "--no-install-project", "-q", "--python", sys.executable, *options]
        run(command, environment=environment, cwd=project).succeeded()
        return where / "bin" / "python"

    def import_synced(self, project: Path, *options: str) -> None:
        """Import the set's modules in a new virtual environment, which goes away after the case."""
        python = self.synced(project, *options)
        self.used.append(python.parents[1])
        self.run_import(python)

    def clear(self) -> None:
        """Throw away what cases have done with."""
        while self.used:
            where = self.used.pop()
            shutil.rmtree(where)
            shutil.rmtree(f"{where}-cache")

    def create(self, name: str | None = None) -> str:
        """Make an environment, under a new name where none is given, and return that."""
        name = name or f"set-{next(self.numbers)}"
        words = ["--store", str(self.store), "env", "create", name, str(self.lock), "--offline", "--no-index"]
        run(wheelfs_command(*words), environment=self.environment, timeout_s=1_800).succeeded()
        return name

    def case(self, name: str, work: Callable[[], None], daemon: Mounted | None = None) -> Case:
        """Return a case that notes processor time as well, that of a running mount included."""

        def counted(_: object) -> None:
            pid = None if daemon is None else daemon.process.pid
            before_s = waited_for_s() + (0.0 if pid is None else used_s(pid))
            work()
            after_s = waited_for_s() + (0.0 if pid is None else used_s(pid))
            self.processor_s.setdefault(name, []).append(after_s - before_s)

        return Case(name, counted, clear=self.clear)

    def show_processors(self, *names: str) -> None:
        """Print the medians of the processor time."""
        for name in names:
            seconds = sorted(self.processor_s[name])
            print(f"  {name:<58} {seconds[len(seconds) // 2]:9.2f} s of processor time", flush=True)


def locked_project(on: Ground, held: Wheels, environment: dict[str, str], index_url: str) -> Path:
    """Return a new project that asks for the set, locked by uv from an index."""
    project = Path(tempfile.mkdtemp(prefix="project-", dir=on.directory))
    version = ".".join(map(str, sys.version_info[:2]))
    text = f'[project]\nname = "app"\nversion = "0"\nrequires-python = "=={version}.*"\n'
    text += f"dependencies = {json.dumps(held.requirements)}\n"
    (project / "pyproject.toml").write_text(text + "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n")
    run([_UV, "lock", "-q", "--default-index", index_url], environment=environment, cwd=project).succeeded()
    return project


def lock_of(held: Wheels) -> str:
    """Return a ``pylock.toml`` of the set's wheels (PEP 751)."""
    parts = ['lock-version = "1.0"\ncreated-by = "benchmark"\n']
    for path in held.paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(
            f'[[packages]]\nname = "{project_of(path)}"\nversion = "{path.name.split("-")[1]}"\n'
            f'[[packages.wheels]]\nname = "{path.name}"\nurl = "https://index.example/{path.name}"\n'
            f'hashes = {{sha256 = "{digest}"}}\n'
        )
    return "".join(parts)
