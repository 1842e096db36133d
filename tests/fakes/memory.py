"""How much memory another process takes at most, as the kernel counts it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Taken:
    """In bytes: ``anonymous`` is the process's own, ``resident`` counts the pages of files that it maps just now, too."""

    anonymous: int
    resident: int


def taken_by(pid: int) -> Taken:
    """Return what a process takes now; nothing when it has ended."""
    amounts: dict[str, int] = {}
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, amount = line.partition(":")
            if amount.endswith(" kB"):
                amounts[name] = int(amount.split()[0]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return Taken(amounts.get("RssAnon", 0), amounts.get("VmRSS", 0))


def most_taken_by(process: subprocess.Popen[str], *, timeout_s: float) -> tuple[Taken, str]:
    """Wait for a process to end, and return the most that it took of each kind, looked at often, with its standard output.

    Raises ``subprocess.TimeoutExpired``, having killed it, when it takes longer than ``timeout_s``.
    """
    anonymous = resident = 0
    for _ in range(int(timeout_s / _POLL_S)):
        now = taken_by(process.pid)
        anonymous, resident = max(anonymous, now.anonymous), max(resident, now.resident)
        try:
            printed, _ = process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            continue
        return Taken(anonymous, resident), printed
    process.kill()
    process.communicate()
    raise subprocess.TimeoutExpired(process.args, timeout_s)
