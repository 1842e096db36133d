"""Unmounting from outside: clean, also of a dead or a stopped mount, and of nothing but our own mounts."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelfs.errors import MountPointError, NotKnown
from wheelfs.frontends.fuse.kernel import syscalls
from wheelfs.frontends.fuse.kernel.answers import is_dead
from wheelfs.frontends.fuse.kernel.connections import is_stopped, servers_of, users_of, wait_for_end
from wheelfs.frontends.fuse.kernel.fusermount import fusermount_umount
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import canonical, mount_at

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.frontends.fuse.kernel.limits import FuseLimits


@dataclass(frozen=True, slots=True)
class Unmounted:
    """The mount is gone from its place.

    ``left`` are the processes that served it and have not ended, ``stopped`` those of them that cannot, and ``in_use`` says that
    it was detached while it was in use: its process ends when the last open file is closed.
    """

    left: tuple[int, ...] = ()
    stopped: tuple[int, ...] = ()
    in_use: bool = False

    @property
    def ended(self) -> bool:
        return not self.left


def unmount(path: Path, *, lazy_if_busy: bool = False, only_dead: bool = False, limits: FuseLimits = FUSE_LIMITS) -> Unmounted:
    """Unmount the wheelfs mount at ``path`` and wait for its process to end.

    Waits up to ``limits.daemon_end_s``, and for no process that is stopped.  Raises `NotKnown` when no wheelfs mount is there,
    `MountPointError` when it is busy or may not be unmounted, and with ``only_dead`` when it is alive.
    """
    place = canonical(path)
    mounted = mount_at(place)
    if mounted is None or not mounted.is_wheelfs:
        found = "nothing is mounted there" if mounted is None else f"a {mounted.fstype} is mounted there, which is not ours"
        raise NotKnown(f"unmount {place}", found, "`wheelfs status` lists the mounts")
    if only_dead and not is_dead(place):
        raise MountPointError(f"clear {place}", "the mount there is alive", f"`wheelfs umount {place}` ends it")
    servers = servers_of(mounted.minor)
    stopped = tuple(filter(is_stopped, servers))
    with ExitStack() as closing:
        # From before the unmount: both a process' number and a connection's may mean another one afterwards.
        handles = {pid: handle for pid in servers if (handle := _handle(pid, closing)) is not None}
        in_use = False
        error = _umount(place, lazy=False)
        if error == "busy" and (lazy_if_busy or (not servers and is_dead(place))):
            in_use = bool(servers)
            error = _umount(place, lazy=True)
        if error == "busy":
            users = users_of(place)
            who = ", ".join(users[: limits.shown_users]) or "a process that is not visible to this user"
            raise MountPointError(f"unmount {place}", f"it is in use by {who}", "end that first, or use --lazy")
        if error is not None:
            raise MountPointError(f"unmount {place}", error, "only the user who mounted it, or root, may unmount it")
        running = [handle for pid, handle in handles.items() if pid not in stopped]
        wait_for_end(running, limits.daemon_end_s)
        left = tuple(pid for pid, handle in handles.items() if not wait_for_end([handle], 0))
    return Unmounted(left, tuple(pid for pid in left if pid in stopped), in_use)


def _handle(pid: int, closing: ExitStack) -> int | None:
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # it has ended
        return None
    closing.callback(os.close, handle)
    return handle


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
