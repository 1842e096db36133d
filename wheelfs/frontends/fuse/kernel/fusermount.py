"""The one foreign program we use: fusermount3, with which users other than root mount and unmount."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wheelfs.errors import FuseUnavailable
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_fusermount() -> str | None:
    """Return the path of fusermount3, or None."""
    return shutil.which("fusermount3") or shutil.which("fusermount3", path="/usr/bin:/bin:/usr/local/bin:/sbin:/usr/sbin")


def fusermount_umount(target: str, *, lazy: bool) -> str | None:
    """Unmount as a user; return None when done, else fusermount3's own words; raise `FuseUnavailable` when it is missing."""
    program = find_fusermount()
    if program is None:
        raise FuseUnavailable(
            f"unmount {target}", "fusermount3 is not installed", "install the package fuse3, or unmount as root"
        )
    command = [program, "-u", *(["-z"] if lazy else []), "--", target]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=FUSE_LIMITS.fusermount_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {FUSE_LIMITS.fusermount_s:.0f} s"
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


@contextmanager
def device_ends_first() -> Iterator[None]:
    """Around mounting with ``auto_unmount``: let a kill of this process close /dev/fuse before libfuse's socket.

    At the socket's end fusermount3 wakes and takes the mount away if it is dead, which it is not while the device is open
    (libfuse 3.14: 10 of 30 kills left a dead mount, in this order none of 40).  The kernel closes the files of a process that has
    ended from the highest number down, so the socket has to have a lower one than the device.
    """
    lower = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    before = _nameless_sockets()
    try:
        yield
        made = list(_nameless_sockets() - before)
        if len(made) == 1:  # another thread may have made one, too: then all stay as they are
            os.dup2(made[0], lower, inheritable=False)
            os.close(made[0])
            lower = -1
    finally:
        if lower >= 0:
            os.close(lower)


def _nameless_sockets() -> set[int]:
    """Return the descriptors of this process that are one end of a socketpair(2)."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with suppress(OSError):  # closed by another thread, or not connected
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            with socket.socket(fileno=os.dup(int(name))) as looked_at:
                if looked_at.family == socket.AF_UNIX and not (looked_at.getsockname() or looked_at.getpeername()):
                    found.add(int(name))
    return found
