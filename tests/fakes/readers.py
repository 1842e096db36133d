"""Programs that open and read files, all at the same moment."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PROGRAM = """
import hashlib, sys
print("ready", flush=True)
sys.stdin.readline()
try:
    with open(sys.argv[1], "rb") as file:
        print(hashlib.file_digest(file, "sha256").hexdigest())
except OSError as error:
    print(error)
"""


def read_at_once(paths: Sequence[Path], *, within_s: float = 60.0) -> list[str]:
    """Read each of ``paths`` in a process of its own and return the sha256 of what was read, or the error, in their order.

    None of them opens its file before all of them run.  Raises `subprocess.TimeoutExpired` when one has not ended ``within_s``.
    """
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    readers: list[subprocess.Popen[str]] = []
    try:
        for path in paths:
            pipe = subprocess.PIPE
            readers.append(subprocess.Popen([*command, str(path)], stdin=pipe, stdout=pipe, text=True))
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for reader in readers:
            assert reader.stdin is not None
            reader.stdin.write("\n")
            reader.stdin.flush()
        end_s = time.monotonic() + within_s
        return [reader.communicate(timeout=max(0.0, end_s - time.monotonic()))[0].strip() for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()
