"""Whether a path answers at all: on a mount whose process is stopped or hangs, even ``stat`` waits without end."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, TypeVar, cast

from wheelfs.errors import MountPointError
from wheelfs.frontends.fuse.kernel.connections import is_stopped, servers_of
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import mount_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry

T = TypeVar("T")


def bounded(look: Callable[[], T], timeout_s: float) -> T:
    """Return what ``look`` returns, or raise what it raises, `TimeoutError` after ``timeout_s``; blocks.

    The thread that still looks then ends with the process: a request that no server has read yet can be killed.
    """
    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((look(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="look", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise TimeoutError
    value, error = outcome[0]
    if error is not None:
        raise error
    return cast("T", value)


def is_dead(place: str, timeout_s: float = FUSE_LIMITS.dead_s) -> bool:
    """Return whether the mount at ``place`` has no server any more; one that does not answer in time is not dead."""
    try:
        # Not stat: the kernel answers that from its cache for a while.
        bounded(lambda: os.statvfs(place), timeout_s)
    except TimeoutError:
        return False
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def stopped_servers(mounted: MountEntry) -> tuple[int, ...]:
    """Return the ids of the processes that serve a mount, where all of them are stopped (SIGSTOP, Ctrl-Z, a debugger)."""
    if not mounted.is_fuse:
        return ()
    servers = servers_of(mounted.minor)
    return servers if all(is_stopped(pid) for pid in servers) else ()


def refuse_silent(path: Path, *, timeout_s: float = FUSE_LIMITS.answer_s) -> None:
    """Return when ``path`` answers, be it with an error; raise `MountPointError` when it does not within ``timeout_s``.

    At once, where the process that serves it is stopped.
    """
    attempted = f"look at {path}"
    mounted = mount_over(os.path.abspath(path))  # noqa: PTH100
    if mounted is not None and (pids := stopped_servers(mounted)):
        raise silence(attempted, mounted, pids)
    try:
        bounded(lambda: os.stat(path), timeout_s)  # noqa: PTH116
    except TimeoutError:
        where = "" if mounted is None else f" ({mounted.source} at {mounted.mountpoint}, {mounted.fstype})"
        raise MountPointError(
            attempted, f"it does not answer within {timeout_s:.0f} s{where}", "a mount there hangs: unmount it (umount -l)"
        ) from None
    except OSError:
        return


def silence(attempted: str, mounted: MountEntry, pids: tuple[int, ...]) -> MountPointError:
    """Return the error for a mount whose servers are stopped."""
    numbers = " ".join(map(str, pids))
    return MountPointError(
        attempted,
        f"the mount at {mounted.mountpoint} does not answer: its process is stopped ({numbers})",
        f"`kill -CONT {numbers}` lets it go on; `wheelfs umount --lazy {mounted.mountpoint}` takes the mount away",
    )
