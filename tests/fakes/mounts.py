"""Real mounts, made by the real command in a process of its own, and always cleaned up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.fakes.processes import spawn, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.fakes.processes import Process

_READY_S = 120.0
_STOP_S = 120.0
_POLL_S = 0.02


def mount_points(below: Path) -> list[Path]:
    """Return what is mounted at or below ``below``, dead mounts too, deepest first (asks the kernel's table, touches none)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        path = Path(line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape"))
        if path.is_relative_to(below):
            found.append(path)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def unmount_lazily(path: Path) -> None:
    """Take a mount away, dead or alive, in use or not."""
    # fusermount3 is what an ordinary user may use; umount needs root but also knows what fusermount3 has forgotten.
    if subprocess.run(["fusermount3", "-u", "-z", str(path)], capture_output=True, check=False).returncode:
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


class Mounted:
    """``wheelfs mount -f`` at ``path``: alive from `start` to `stop` or `kill`."""

    def __init__(self, path: Path, store: Path, options: Sequence[str], home: Path, environment: Mapping[str, str]) -> None:
        self.path = path
        self.store = store
        self._command = wheelfs_command("--store", str(store), "mount", str(path), "-f", *options)
        self._environment = {**wheelfs_environment(home), **environment}
        self._log_path = home / f"{path.name}.log"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running command."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def log(self) -> str:
        """Everything the command has printed so far, on both streams, over all restarts."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def status(self) -> dict[str, Any]:
        """Return what the mount says of itself in ``.wheelfs/status.json``."""
        told: dict[str, Any] = json.loads((self.path / ".wheelfs" / "status.json").read_bytes())
        return told

    def is_all_up(self) -> bool:
        """Tell whether the mount takes none of its indexes and shares for down."""
        return all(origin["state"] != "down" for origin in self.status()["origins"])

    def start(self) -> Self:
        """Start the command and return when the mount answers; a command that ends before fails the test with its log."""
        with self._log_path.open("ab") as log:
            self._process = spawn(self._command, environment=self._environment, stdout=log.fileno(), stderr=log.fileno())
        deadline_s = time.monotonic() + _READY_S
        while not self._answers():
            assert self.process.poll() is None, f"mount ended with {self.process.returncode}\n{self.log}"
            assert time.monotonic() < deadline_s, f"no mount after {_READY_S} s\n{self.log}"
            time.sleep(_POLL_S)
        return self

    def _answers(self) -> bool:
        # A dead mount of before is still in the table until the new process clears it.  Not stat: the kernel answers that from
        # its cache for a while, of a dead mount too.
        try:
            os.statvfs(self.path)
            return self.path.is_mount()
        except OSError:
            return False

    def stop(self) -> int:
        """End it as a service manager would (SIGTERM) and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)

    def kill(self) -> None:
        """End it as a crash would; a dead mount stays."""
        self.process.kill()
        self.process.wait(_STOP_S)

    def restart(self) -> Self:
        """Start the same command again (after `stop` or `kill`; while it runs, it is stopped first)."""
        if self.process.poll() is None:
            self.stop()
        return self.start()

    def clean_up(self) -> None:
        """Leave neither process nor mount, whatever has happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                # A mount that still has callers blocked ends when it is taken away under the process.
                unmount_lazily(self.path)
                self._process.kill()
                self._process.wait(_STOP_S)
        for left in mount_points(self.path):
            unmount_lazily(left)
