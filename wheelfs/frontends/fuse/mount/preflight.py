"""May we mount here, and what has to be done first?  One plain decision over facts gathered at the edge."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final, Literal

import msgspec

from wheelfs.errors import FuseUnavailable, MountPointError
from wheelfs.frontends.fuse.kernel.connections import servers_of
from wheelfs.frontends.fuse.kernel.fusermount import find_fusermount
from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry, canonical, mount_at

_FUSE_DEVICE: Final = Path("/dev/fuse")
_FUSE_CONF: Final = Path("/etc/fuse.conf")
_STATUS: Final = Path("/proc/self/status")

Place = Literal["missing", "empty directory", "full directory", "no directory", "dead mount", "forbidden"]
Step = Literal["create", "clear dead mount", "mount"]


class Facts(msgspec.Struct, frozen=True):
    """What the decision rests on.  ``device``: /dev/fuse; ``servers``: process ids that serve ``mounted``.

    ``is_users_own``: fusermount3 lets the user mount on the directory.
    """

    mountpoint: str
    place: Place
    mounted: MountEntry | None
    servers: tuple[int, ...]
    device: Literal["usable", "missing", "forbidden"]
    is_root: bool
    has_fusermount: bool
    user_allow_other: bool
    is_users_own: bool = True
    may_gain_privileges: bool = True


def decide(facts: Facts, *, allow_other: bool, nonempty: bool) -> Step:
    """Return the next step; raise `MountPointError` or `FuseUnavailable` with what to do about it."""
    _check_machine(facts, allow_other=allow_other)
    attempted = f"mount on {facts.mountpoint}"
    if facts.place == "dead mount" and facts.mounted is not None and facts.mounted.is_wheelfs:
        return "clear dead mount"
    if facts.mounted is not None and not facts.mounted.is_automount:
        who = f" by process {', '.join(map(str, facts.servers))}" if facts.servers else ""
        advice = f"`wheelfs umount {facts.mountpoint}` first" if facts.mounted.is_wheelfs else "choose another directory"
        state = "a dead mount of" if facts.place == "dead mount" else "in use by"
        raise MountPointError(attempted, f"it is {state} {facts.mounted.source} ({facts.mounted.fstype}){who}", advice)
    if facts.place in ("empty directory", "full directory") and not (facts.is_root or facts.is_users_own):
        raise MountPointError(
            attempted,
            "the directory is not yours to write to, so fusermount3 lets only root mount there",
            "choose a directory of your own, or as root: chown it, or mount with --allow-other",
        )
    match facts.place:
        case "missing":
            return "create"
        case "empty directory":
            return "mount"
        case "full directory":
            if nonempty:
                return "mount"
            raise MountPointError(
                attempted, "the directory is not empty", "what is in it would be hidden: -o nonempty to mount all the same"
            )
        case "no directory":
            raise MountPointError(attempted, "it is not a directory", "give the path of an empty or a new directory")
        case "forbidden":
            raise MountPointError(attempted, "the directory cannot be read", "check its permissions and those of its parents")
        case "dead mount":
            raise MountPointError(
                attempted, "the directory does not answer", "it belongs to a file system that has ended; unmount that first"
            )


def _check_machine(facts: Facts, *, allow_other: bool) -> None:
    attempted = f"mount on {facts.mountpoint}"
    if facts.device == "missing":
        raise FuseUnavailable(
            attempted, "there is no /dev/fuse", "as root: modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN"
        )
    if facts.device == "forbidden":  # fusermount3 opens it as its caller, too
        raise FuseUnavailable(
            attempted,
            "/dev/fuse may not be opened",
            "in a container: --device /dev/fuse --cap-add SYS_ADMIN; else check its permissions (as root: chmod a+rw /dev/fuse)",
        )
    if not facts.is_root and not facts.has_fusermount:
        raise FuseUnavailable(attempted, "fusermount3 is not installed", "install the package fuse3, or mount as root")
    if not facts.is_root and not facts.may_gain_privileges:
        raise FuseUnavailable(
            attempted,
            "this process may not gain privileges (no_new_privs), so fusermount3, which is set-user-ID root, cannot mount",
            "outside of the sandbox it works (systemd: NoNewPrivileges=no, docker: without --security-opt no-new-privileges), "
            "and so does root",
        )
    if allow_other and not facts.is_root and not facts.user_allow_other:
        raise FuseUnavailable(
            attempted,
            "allow_other is not allowed to users on this machine",
            "an administrator adds the line user_allow_other to /etc/fuse.conf",
        )


def gather(mountpoint: Path) -> Facts:
    """Look at the machine and the mount point.

    May block on a mount that hangs, so run it in a thread; a live wheelfs mount is not asked anything beyond one stat.
    """
    place = canonical(mountpoint)
    # First, since looking at an automount mounts it, unless we are what it has called.
    found = _look_at(mountpoint)
    mounted = mount_at(place)
    return Facts(
        mountpoint=place,
        place=found,
        mounted=mounted,
        servers=servers_of(mounted.minor) if mounted is not None and mounted.is_wheelfs else (),
        device=_look_at_device(),
        is_root=os.geteuid() == 0,
        has_fusermount=find_fusermount() is not None,
        user_allow_other=_users_may_allow_other(),
        is_users_own=_is_users_own(mountpoint),
        may_gain_privileges=_may_gain_privileges(),
    )


def make_mountpoint(mountpoint: Path) -> None:
    """Create a missing mount point with its parents; raise `MountPointError`."""
    try:
        mountpoint.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MountPointError(f"create mount point {mountpoint}", error.strerror or str(error), "check its parents") from None


def _look_at(mountpoint: Path) -> Place:
    try:
        if not stat.S_ISDIR(mountpoint.stat().st_mode):
            return "no directory"
        with os.scandir(mountpoint) as entries:
            return "empty directory" if next(entries, None) is None else "full directory"
    except OSError as error:
        match error.errno:
            case errno.ENOENT:
                # A dangling symbolic link is there and is no directory.
                return "no directory" if mountpoint.is_symlink() else "missing"
            case errno.ENOTDIR:
                return "no directory"
            case errno.ENOTCONN | errno.ECONNABORTED:
                return "dead mount"
            case errno.EACCES | errno.EPERM:
                return "forbidden"
        raise MountPointError(f"look at mount point {mountpoint}", error.strerror or str(error)) from None


def _is_users_own(mountpoint: Path) -> bool:
    """Return what fusermount3 asks of a directory: that the user may write to it, and owns it where it is sticky as /tmp is."""
    try:
        status = mountpoint.stat()
    except OSError:
        return True  # what else is wrong with it is said
    return os.access(mountpoint, os.W_OK) and not (status.st_mode & stat.S_ISVTX and status.st_uid != os.getuid())


def _may_gain_privileges() -> bool:
    try:
        return "\nNoNewPrivs:\t1\n" not in _STATUS.read_text("utf-8", "replace")
    except OSError:
        return True


def _look_at_device() -> Literal["usable", "missing", "forbidden"]:
    try:
        os.close(os.open(_FUSE_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return "missing" if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else "forbidden"
    return "usable"


def _users_may_allow_other() -> bool:
    try:
        lines = _FUSE_CONF.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.strip() == "user_allow_other" for line in lines)
