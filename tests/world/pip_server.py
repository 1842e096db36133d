"""Runs the real pip many times: its modules are imported once, and every run is a fork of that.

To import pip is nine tenths of what a small install costs.  A run shares nothing else with another: each is a process of its
own, with its own output, that ends like pip does.

As a program it is the server: a line of JSON (arguments, directory, files for the output, bound) in, a line (exit code) out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from tests.fakes.processes import ROOT, Finished, isolated_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POLL_S = 0.01


class PipServer:
    """Runs from ``__enter__`` to ``__exit__``, as a user with a home below ``where``; one run at a time."""

    def __init__(self, where: Path) -> None:
        where.mkdir(parents=True, exist_ok=True)
        self._where = where
        self._runs = 0

    def __enter__(self) -> Self:
        environment = {**isolated_environment(self._where / "home"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", "-m", "tests.world.pip_server"]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._where
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def run(self, *arguments: str, cwd: Path, timeout_s: float) -> Finished:
        """Run ``pip ARGUMENTS``; past ``timeout_s`` it is killed and ``subprocess.TimeoutExpired`` raised."""
        self._runs += 1
        out, err = (self._where / f"{self._runs}.{name}" for name in ("out", "err"))
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"arguments": arguments, "cwd": str(cwd), "out": str(out), "err": str(err), "timeout_s": timeout_s}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())
        said = [path.read_text(errors="replace") for path in (out, err)]
        out.unlink()
        err.unlink()
        if code is None:
            raise subprocess.TimeoutExpired(["pip", *arguments], timeout_s)
        return Finished(("pip", *arguments), code, *said)


def _serve() -> None:
    """Answer lines until there are no more."""
    import pip._internal.commands.install
    import pip._internal.network.session
    import pip._internal.operations.prepare
    import pip._internal.resolution.resolvelib.resolver  # noqa: F401 - what an install imports, imported before any

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_pip(asked["arguments"], asked["cwd"], asked["out"], asked["err"])
        print(json.dumps(_exit_code(child, asked["timeout_s"])), flush=True)


def _be_pip(arguments: Sequence[str], cwd: str, out: str, err: str) -> None:
    from pip._internal.cli.main import main

    code = 70
    try:
        os.chdir(cwd)
        for number, path in ((1, out), (2, err)):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = main(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(child: int, timeout_s: float) -> int | None:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


if __name__ == "__main__":
    _serve()
