"""Which processes have to do with a FUSE connection, found in ``/proc``; of other users' only root sees any.

The number of a connection is given to the next mount as soon as its own is gone, while a process may still have the device of the
old one open.  So a number alone does not say who serves a mount: the kernel is asked whether what a process holds is cut off.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.frontends.fuse.kernel import syscalls
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROC: Final = Path("/proc")


def servers_of(minor: int) -> tuple[int, ...]:
    """Return the ids of the processes that serve the mount whose connection is ``minor``.

    Empty on kernels whose fdinfo does not name connections.  Where we may not look into a process (ptrace(2), Yama), one that
    holds an older connection of that number is among them.
    """
    wanted = f"fuse_connection:\t{minor}\n"
    return tuple(pid for pid, directory in _processes() if any(_serves(pid, directory, fd, wanted) for fd in _fds(directory)))


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, by a signal or a debugger, and so does nothing until it is continued."""
    return _state(pid) in ("T", "t")


def wait_for_end(handles: Sequence[int], timeout_s: float) -> bool:
    """Wait until the processes of these pidfds have ended, and return whether they have; blocks."""
    deadline_s = time.monotonic() + timeout_s
    for handle in handles:
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        if not waiting.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
            return False
    return True


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
    for name in names[: FUSE_LIMITS.processes]:
        yield int(name), _PROC / name


def _fds(directory: Path) -> list[str]:
    try:
        return os.listdir(directory / "fd")[: FUSE_LIMITS.descriptors]  # noqa: PTH208
    except OSError:
        return []


def _serves(pid: int, directory: Path, fd: str, wanted: str) -> bool:
    try:
        if os.readlink(directory / "fd" / fd) != "/dev/fuse":  # noqa: PTH115
            return False
        return wanted in (directory / "fdinfo" / fd).read_text("ascii", "replace") and not _is_cut_off(pid, int(fd))
    except OSError:
        return False


def _is_cut_off(pid: int, fd: int) -> bool:
    """Return whether the connection of a process's descriptor is known to have no mount any more (fuse_dev_poll: POLLERR)."""
    try:
        process = os.pidfd_open(pid)
        try:
            copy = syscalls.pidfd_getfd(process, fd)
        finally:
            os.close(process)
    except OSError:
        return False
    try:
        asking = select.poll()
        asking.register(copy, select.POLLIN)
        return any(events & select.POLLERR for _, events in asking.poll(0))
    finally:
        os.close(copy)


def _points_into(link: Path, mountpoint: str) -> bool:
    try:
        target = os.readlink(link)  # noqa: PTH115
    except OSError:
        return False
    return target == mountpoint or target.startswith(mountpoint.rstrip("/") + "/")


def _state(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _name(directory: Path) -> str:
    try:
        return (directory / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
