"""A gateway as its operator runs it: the command, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Self

from tests.fakes.processes import wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Serving:
    """Runs ``wheelfs serve`` from ``__enter__`` to ``__exit__``; ``log`` is what it wrote to stderr."""

    def __init__(
        self, where: Path, *options: str, listen: str = "127.0.0.1:0", environment: Mapping[str, str] | None = None
    ) -> None:
        where.mkdir(parents=True, exist_ok=True)
        self.store = where / "store"
        self.log = where / "log"
        self._command = wheelfs_command("--store", str(self.store), "--json", "serve", "--listen", listen, *options)
        self._environment = {**wheelfs_environment(where / "home"), **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Start it, or once more after `end` or `kill`; it is ready when this returns."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True, stdin=subprocess.DEVNULL
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log.read_text()
        [self.url] = json.loads(line)["urls"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self.end() == 0, self.log.read_text()

    @property
    def pid(self) -> int:
        """The process, or the head where there are workers."""
        assert self._process is not None
        return self._process.pid

    def end(self) -> int:
        """End it as an operator does and return its exit code."""
        assert self._process is not None
        with self._process as process:
            process.send_signal(signal.SIGTERM)
            return process.wait(30)

    def kill(self) -> None:
        """Kill it, as the kernel does when memory is short; nothing happens when it has ended."""
        assert self._process is not None
        with self._process as process:
            process.kill()
            process.wait(30)
