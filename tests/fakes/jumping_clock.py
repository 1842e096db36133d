"""A wall clock that a test sets forward and back while programs run: those started in `JumpingClock.environment` go by it.

Time that cannot jump (monotonic, of timers and waits) is left alone, as an administrator who sets the clock leaves it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from tests.fakes.processes import ROOT

_VARIABLE: Final = "TESTS_CLOCK"
_OFFSET: Final = struct.Struct("<q")


class JumpingClock:
    """Keeps two files in a new directory: how far the clock is ahead, and what makes interpreters go by it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._file = directory / "ahead"
        self.ahead_s = 0
        self.set(0)
        (directory / "sitecustomize.py").write_text("from tests.fakes.jumping_clock import install\n\ninstall()\n")
        self.environment = {"PYTHONPATH": f"{directory}{os.pathsep}{ROOT}", _VARIABLE: str(self._file)}

    def set(self, ahead_s: int) -> None:
        """Have the clock be so far ahead of the machine's; less than 0 sets it back."""
        self.ahead_s = ahead_s
        packed = _OFFSET.pack(ahead_s * 1_000_000_000)
        if not self._file.exists():
            self._file.write_bytes(packed)
        descriptor = os.open(self._file, os.O_WRONLY)
        os.pwrite(descriptor, packed, 0)  # in place: programs have it mapped
        os.close(descriptor)


def install() -> None:
    """Have this process go by the clock that its environment names."""
    with Path(os.environ[_VARIABLE]).open("rb") as file:
        ahead = mmap.mmap(file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
    right_ns = time.time_ns

    def time_ns() -> int:
        now_ns: int = right_ns() + _OFFSET.unpack(ahead[:])[0]
        return now_ns

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
