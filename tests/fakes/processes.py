"""Run programs as a new user on a new machine would: own home, own caches, none of this machine's configuration."""

from __future__ import annotations

import io
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.fakes.forking import ForkServer, Streams, is_forkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
_KEPT = ("WHEELFS_TEST_RUN", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left."""

    arguments: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def succeeded(self) -> Finished:
        """Return itself, or fail the test with everything the program said."""
        assert self.returncode == 0, f"{' '.join(self.arguments)}\nexit {self.returncode}\n{self.stdout}\n{self.stderr}"
        return self


def isolated_environment(home: Path) -> dict[str, str]:
    """Return an environment that has nothing of ours but PATH and what makes it part of this run of the tests (`leftovers`).

    ``home`` is created and holds everything else.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
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


class Process(Protocol):
    """What `subprocess.Popen` and `forking.Forked` have in common."""

    pid: int

    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class _Starter:
    """Where wheelfs's processes come from: interpreters started for each, or, once `fork` was called, forks (`forking`)."""

    def __init__(self) -> None:
        self.forks = False
        self.server: ForkServer | None = None

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None, streams: Streams) -> Process:
        prefix = wheelfs_command()
        if self.forks and list(arguments[: len(prefix)]) == prefix and is_forkable(environment):
            self.server = self.server or ForkServer()
            return self.server.start(arguments[len(prefix) :], environment, cwd, streams)
        return subprocess.Popen(arguments, env=dict(environment), cwd=cwd, **streams._asdict())


_starter = _Starter()


def fork_from_now_on() -> None:
    """Fork processes of wheelfs instead of starting an interpreter for each; the tests do, measurements do not."""
    _starter.forks = True


def end_fork_server() -> None:
    """End the process that forks were made from, which nothing needs any more; forks that still run go on."""
    if _starter.server is not None:
        _starter.server.close()
        _starter.server = None


def spawn(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> Process:
    """Start a program without input; ``stdout`` and ``stderr`` are file descriptors, which stay the caller's to close."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        stdout, stderr = (nothing if stream == subprocess.DEVNULL else stream for stream in (stdout, stderr))
        return _starter.start(arguments, environment, cwd, Streams(nothing, stdout, stderr))
    finally:
        os.close(nothing)


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None, timeout_s: float = 300.0
) -> Finished:
    """Run to the end; past ``timeout_s`` the program is killed and ``subprocess.TimeoutExpired`` raised."""
    deadline_s = time.monotonic() + timeout_s
    output, stdout = os.pipe()
    talk, stderr = os.pipe()
    with os.fdopen(output, "rb") as out, os.fdopen(talk, "rb") as err:
        try:
            process = spawn(arguments, environment=environment, cwd=cwd, stdout=stdout, stderr=stderr)
        finally:
            os.close(stdout)
            os.close(stderr)
        try:
            printed, said = _read_to_the_end([out, err], deadline_s, arguments, timeout_s)
            returncode = process.wait(max(0.0, deadline_s - time.monotonic()))
        except BaseException:
            process.kill()
            process.wait()
            raise
    return Finished(tuple(arguments), returncode, _text(printed), _text(said))


def _read_to_the_end(
    pipes: Sequence[io.BufferedReader], deadline_s: float, arguments: Sequence[str], timeout_s: float
) -> list[bytes]:
    """Return what comes through each pipe until all who could write into it have closed it, a daemon in the background, too."""
    read = {pipe.fileno(): bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(list(arguments), timeout_s, *map(bytes, read.values()))
            for key, _ in ready:
                if piece := os.read(key.fd, 1 << 16):
                    read[key.fd] += piece
                else:
                    selector.unregister(key.fileobj)
    return [bytes(read[pipe.fileno()]) for pipe in pipes]


def _text(output: bytes) -> str:
    return io.TextIOWrapper(io.BytesIO(output), encoding="utf-8", errors="replace").read()


CHECKOUT_VARIABLE = "WHEELFS_BENCH_CHECKOUT"
"""Names the checkout whose wheelfs runs in place of this one's: benchmarks compare builds so, by the same program."""


def checkout() -> Path:
    """Return the checkout whose wheelfs runs."""
    return Path(os.environ.get(CHECKOUT_VARIABLE) or ROOT)


def wheelfs_command(*arguments: str) -> list[str]:
    """Return the argument list that runs the wheelfs of `checkout`, with the Python that it has."""
    python = sys.executable if checkout() == ROOT else str(checkout() / ".venv" / "bin" / "python")
    return [python, "-P", "-m", "wheelfs", *arguments]


def wheelfs_environment(home: Path) -> dict[str, str]:
    """Return an isolated environment in which `wheelfs_command` works from anywhere."""
    return {**isolated_environment(home), "PYTHONPATH": str(checkout())}
