"""Taking a mount away at once, whatever still uses it."""

from __future__ import annotations

import os

from wheelfs.errors import MountPointError
from wheelfs.frontends.fuse.kernel import syscalls
from wheelfs.frontends.fuse.kernel.fusermount import fusermount_umount


def detach_lazily(target: str) -> None:
    """Detach the mount at ``target`` (a dead one, usually); raise `MountPointError` or `FuseUnavailable` when it cannot be.

    Blocks for the system call, or for fusermount3 when we are not root.
    """
    if os.geteuid() == 0:
        try:
            syscalls.umount(target, lazy=True)
        except OSError as error:
            raise MountPointError(f"clear the dead mount on {target}", error.strerror or str(error)) from None
        return
    words = fusermount_umount(target, lazy=True)
    if words is not None:
        raise MountPointError(f"clear the dead mount on {target}", words, f"as root: umount -l {target}")
