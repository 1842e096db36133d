"""A gateway as its operator runs it: the command, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Self, TextIO

from tests.fakes.processes import spawn, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes.processes import Process


_END_S = 120.0


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
        self._process: Process | None = None
        self._output: TextIO | None = None
        self.url = ""

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Start it, or once more after `end` or `kill`; it is ready when this returns."""
        output, theirs = os.pipe()
        self._output = os.fdopen(output)
        try:
            with self.log.open("a") as log:
                self._process = spawn(self._command, environment=self._environment, stdout=theirs, stderr=log.fileno())
        finally:
            os.close(theirs)
        line = self._output.readline()
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

    def has_ended(self) -> bool:
        """Tell whether it has ended by itself."""
        assert self._process is not None
        return self._process.poll() is not None

    def end(self) -> int:
        """End it as an operator does and return its exit code."""
        return self._ended_by(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, as the kernel does when memory is short; nothing happens when it has ended."""
        self._ended_by(signal.SIGKILL)

    def _ended_by(self, number: signal.Signals) -> int:
        assert self._process is not None
        assert self._output is not None
        with self._output:
            self._process.send_signal(number)
            return self._process.wait(_END_S)
