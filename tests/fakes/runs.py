"""``wheelfs run`` around real clients, against an HTTPS index that they trust by their own environment."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import uv

from tests.fakes.processes import Finished, isolated_environment, run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from pathlib import Path

UV = uv.find_uv_bin()


class Index(Protocol):
    """What a run is given; a `FakeIndex` is one."""

    @property
    def url(self) -> str: ...
    @property
    def ca_pem(self) -> bytes | None: ...


class RealIndex(NamedTuple):
    """The index that this machine is configured with."""

    url: str
    ca_pem: bytes | None = None


@dataclass
class Runs:
    """Runs commands under ``wheelfs run``, each as on a new machine, on one store that they share."""

    directory: Path
    index: Index
    made: int = 0

    @property
    def store(self) -> Path:
        return self.directory / "store"

    def environment(self) -> dict[str, str]:
        """An environment with a home of its own, that trusts the index's authority."""
        self.made += 1
        home = self.directory / f"home-{self.made}"
        environment = {**isolated_environment(home), **wheelfs_environment(home), "TMPDIR": str(self.temporary)}
        del environment["XDG_RUNTIME_DIR"]  # else that is where runs keep their files
        del environment["UV_NO_CONFIG"]  # projects name their index
        if self.index.ca_pem is not None:
            authority = self.directory / "authority.pem"
            authority.write_bytes(self.index.ca_pem)
            environment["SSL_CERT_FILE"] = str(authority)
        return environment

    @property
    def temporary(self) -> Path:
        """Where runs leave temporary files, which they must not."""
        path = self.directory / "tmp"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def options(self, *more: str) -> list[str]:
        return ["--store", str(self.store), "run", "--index", f"main={self.index.url}", *more, "--"]

    def wheelfs(
        self, *command: str, options: Sequence[str] = (), cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Finished:
        """Run ``wheelfs run -- COMMAND`` to its end."""
        return run(
            wheelfs_command(*self.options(*options), *command),
            environment={**self.environment(), **(environment or {})},
            cwd=cwd or self.directory,
        )

    def straight(self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Finished:
        """Run a command without wheelfs."""
        return run(command, environment={**self.environment(), **(environment or {})}, cwd=cwd or self.directory)

    def started(self, *command: str, options: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start ``wheelfs run -- COMMAND`` in a session of its own; its output can be read, and its input written."""
        return subprocess.Popen(
            wheelfs_command(*self.options(*options), *command),
            env=self.environment(),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def listed(self) -> list[dict[str, object]]:
        """Return what the store has, as ``wheelfs ls --json`` says."""
        told = run(wheelfs_command("--store", str(self.store), "--json", "ls"), environment=self.environment()).succeeded()
        return [json.loads(line) for line in told.stdout.splitlines()]


def python(source: str) -> tuple[str, ...]:
    """Return a command that runs ``source``."""
    return (sys.executable, "-c", source)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """Send a signal to a started run alone, and return its exit status."""
    process.send_signal(number)
    return process.wait(60)


def project(directory: Path, *dependencies: str, index: Index) -> Path:
    """Make a uv project that takes its packages from the index alone."""
    directory.mkdir(parents=True)
    wanted = json.dumps(dependencies)
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "app"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = {wanted}\n'
        f'[[tool.uv.index]]\nname = "main"\nurl = "{index.url}"\ndefault = true\n'
    )
    return directory
