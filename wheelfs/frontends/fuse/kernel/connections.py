"""Which processes have to do with a FUSE connection, found in ``/proc``; of other users' only root sees any."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC: Final = Path("/proc")
_MAX_PROCESSES: Final = 65_536
_MAX_FDS: Final = 4096
"""Per process: a bound on looking, not on what processes may have open."""


def holders_of(minor: int) -> tuple[int, ...]:
    """Return the ids of the processes that serve the connection ``minor`` (empty on kernels whose fdinfo does not name it)."""
    wanted = f"fuse_connection:\t{minor}\n"
    return tuple(pid for pid, directory in _processes() if any(_serves(directory, fd, wanted) for fd in _fds(directory)))


def users_of(mountpoint: str) -> list[str]:
    """Return who works in or has something open under ``mountpoint``, as "NAME (PID)"; never asks the mount itself."""
    return [
        f"{_name(directory)} ({pid})"
        for pid, directory in _processes()
        if any(_points_into(link, mountpoint) for link in (directory / "cwd", directory / "root"))
        or any(_points_into(directory / "fd" / fd, mountpoint) for fd in _fds(directory))
    ]


def children() -> frozenset[int]:
    """Return the ids of this process's children (of all its threads)."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            with suppress(OSError):
                found.update(map(int, Path(f"/proc/self/task/{thread}/children").read_text("ascii").split()))
    return frozenset(found)


def end_unmounter(pid: int) -> None:
    """Kill and reap libfuse's ``auto_unmount`` child, which blocks every other signal.

    After a clean unmount it would still wake when we exit, look whether any FUSE file system is mounted at the place, and
    unmount it:
    also one that a next daemon has mounted there in the meantime.
    """
    with suppress(OSError):
        if _name(_PROC / str(pid)) == "fusermount3":
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _processes() -> Iterator[tuple[int, Path]]:
    names = [name for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208
    for name in names[:_MAX_PROCESSES]:
        yield int(name), _PROC / name


def _fds(directory: Path) -> list[str]:
    try:
        return os.listdir(directory / "fd")[:_MAX_FDS]  # noqa: PTH208
    except OSError:
        return []


def _serves(directory: Path, fd: str, wanted: str) -> bool:
    try:
        if os.readlink(directory / "fd" / fd) != "/dev/fuse":  # noqa: PTH115
            return False
        return wanted in (directory / "fdinfo" / fd).read_text("ascii", "replace")
    except OSError:
        return False


def _points_into(link: Path, mountpoint: str) -> bool:
    try:
        target = os.readlink(link)  # noqa: PTH115
    except OSError:
        return False
    return target == mountpoint or target.startswith(mountpoint.rstrip("/") + "/")


def _name(directory: Path) -> str:
    try:
        return (directory / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
