"""Processor time: of servers that go on running, of programs that were waited for, and of all together."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """Return the processor seconds that a process and all below it have used so far, in user and kernel mode."""
    process = Path("/proc") / str(pid)
    fields = _fields(process)
    below = [int(child) for task in (process / "task").iterdir() for child in (task / "children").read_text().split()]
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S + sum(used_s(child) for child in below)


def waited_for_s() -> float:
    """Return the processor seconds of all programs that this process has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def all_s() -> float:
    """Return the processor seconds of all processes in this process namespace, those that have ended included."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, and is counted with its parent
            ticks += sum(map(int, _fields(process)[11:15]))
    return ticks / _TICKS_PER_S


def machine_s() -> float:
    """Return the processor seconds that the machine has been busy for anyone: who else has it at work shows in the difference.

    The first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal.
    """
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS_PER_S


def _fields(process: Path) -> list[str]:
    """Return what follows the name, which may hold anything: the 12th and on are utime, stime, cutime, cstime (proc(5))."""
    return (process / "stat").read_text().rpartition(")")[2].split()
