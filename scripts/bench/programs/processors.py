"""Processor time: of servers that go on running, and of programs that were waited for."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """Return the processor seconds that a process and all below it have used so far, in user and kernel mode."""
    process = Path("/proc") / str(pid)
    # Behind the name, which may hold anything, the 12th and 13th fields (proc(5): utime, stime).
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    below = [int(child) for task in (process / "task").iterdir() for child in (task / "children").read_text().split()]
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S + sum(used_s(child) for child in below)


def waited_for_s() -> float:
    """Return the processor seconds of all programs that this process has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
