"""Unmounting from outside: clean, also of a dead mount, and of nothing but our own mounts."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Final

from wheelfs.errors import MountPointError, NotKnown
from wheelfs.frontends.fuse.kernel import syscalls
from wheelfs.frontends.fuse.kernel.connections import holders_of, users_of
from wheelfs.frontends.fuse.kernel.fusermount import fusermount_umount
from wheelfs.frontends.fuse.kernel.mountinfo import canonical, mount_at

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry

_DAEMON_END_S: Final = 10.0
_POLL_S: Final = 0.02
_SHOWN_USERS: Final = 5


def unmount(path: Path, *, lazy_if_busy: bool = False) -> bool:
    """Unmount the wheelfs mount at ``path`` and wait for its daemon to end; return whether the daemon has ended.

    Waits up to 10 s for the daemon (with a lazy unmount it ends when the last open file is closed).  Raises `NotKnown` when no
    wheelfs mount is there, `MountPointError` when it is busy or may not be unmounted.
    """
    place = canonical(path)
    mounted = mount_at(place)
    if mounted is None or not mounted.is_wheelfs:
        found = "nothing is mounted there" if mounted is None else f"a {mounted.fstype} is mounted there, which is not ours"
        raise NotKnown(f"unmount {place}", found, "`wheelfs status` lists the mounts")
    daemons = holders_of(mounted.minor)
    error = _umount(place, lazy=False)
    if error == "busy" and (lazy_if_busy or (not daemons and _is_dead(place))):
        error = _umount(place, lazy=True)
    if error == "busy":
        users = users_of(place)
        who = ", ".join(users[:_SHOWN_USERS]) or "a process that is not visible to this user"
        raise MountPointError(f"unmount {place}", f"it is in use by {who}", "end that first, or use --lazy")
    if error is not None:
        raise MountPointError(f"unmount {place}", error, "only the user who mounted it, or root, may unmount it")
    return _wait_for_end(mounted, daemons)


def _umount(place: str, *, lazy: bool) -> str | None:
    """Return None when done, ``busy``, or the reason for the failure."""
    if os.geteuid() == 0:
        try:
            syscalls.umount(place, lazy=lazy)
        except OSError as error:
            # EINVAL: its daemon's own unmounter was faster.
            if error.errno == errno.EINVAL:
                return None
            return "busy" if error.errno == errno.EBUSY else (error.strerror or str(error))
        return None
    words = fusermount_umount(place, lazy=lazy)
    return "busy" if words is not None and "busy" in words else words


def _is_dead(place: str) -> bool:
    try:
        # Not stat: the kernel answers that from its cache for a while.
        os.statvfs(place)
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def _wait_for_end(mounted: MountEntry, daemons: tuple[int, ...]) -> bool:
    deadline = time.monotonic() + _DAEMON_END_S
    while time.monotonic() < deadline:
        # A process id may be taken again, so the question is who serves this connection; the number is not reused while one does.
        if not any(_is_alive(pid) for pid in daemons):
            return True
        time.sleep(_POLL_S)
    return not holders_of(mounted.minor)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            state = file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"
