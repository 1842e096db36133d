"""What the machine's set-up is for FUSE, as far as it can be read: for ``wheelfs doctor``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from wheelfs.frontends.fuse.kernel.answers import bounded, is_dead
from wheelfs.frontends.fuse.kernel.control import BDI, FUSECTL, USER_LIMIT, read_int
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import FSTYPE, mounts_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry

FSTAB: Final = Path("/etc/fstab")
_HELPERS: Final = ("mount.fuse.wheelfs", "mount.fuse3", "mount.fuse")
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SeenMount(NamedTuple):
    """A mount of wheelfs of this machine, whichever store it is on; limits are None where they cannot be read."""

    path: str
    state: Literal["answers", "dead", "silent"]
    background: int | None
    read_ahead_kb: int | None


class SeenFstab(NamedTuple):
    """The mount points that fstab has for wheelfs, those among them that are mounted when first used, and what they need."""

    mounts: tuple[str, ...]
    automounts: tuple[str, ...]
    has_autofs: bool
    has_helper: bool
    is_in_system_path: bool


def has_fusectl() -> bool:
    """Return whether limits of connections can be read and set."""
    return any(entry.fstype == "fusectl" for entry in mounts_now())


def user_background() -> int | None:
    """Return how far users other than root may raise the bound on background requests of their mounts."""
    return read_int(USER_LIMIT / "max_user_bgreq")


def seen_mounts() -> Iterator[SeenMount]:
    """Yield all mounts of wheelfs that this process sees; each is asked for one thing, for a bounded time."""
    for entry in mounts_now():
        if entry.is_wheelfs:
            background = read_int(FUSECTL / str(entry.minor) / "max_background")
            read_ahead_kb = read_int(BDI / f"{entry.major}:{entry.minor}" / "read_ahead_kb")
            yield SeenMount(entry.mountpoint, _state(entry), background, read_ahead_kb)


def _state(entry: MountEntry) -> Literal["answers", "dead", "silent"]:
    if is_dead(entry.mountpoint):
        return "dead"
    try:
        bounded(lambda: os.statvfs(entry.mountpoint), FUSE_LIMITS.dead_s)
    except TimeoutError:
        return "silent"
    except OSError:
        return "answers"  # that we may not look, for instance
    return "answers"


def seen_fstab(fstab: Path = FSTAB) -> SeenFstab:
    """Return what fstab has of wheelfs."""
    try:
        lines = fstab.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    rows = [row for line in lines if len(row := line.split()) >= 4 and not row[0].startswith("#")]
    ours = [row for row in rows if row[2] == FSTYPE or (row[2] == "fuse" and "wheelfs#" in row[0])]
    return SeenFstab(
        mounts=tuple(row[1] for row in ours),
        automounts=tuple(row[1] for row in ours if "x-systemd.automount" in row[3].split(",")),
        has_autofs="autofs" in Path("/proc/filesystems").read_text("ascii", "replace").split(),
        has_helper=any(shutil.which(name, path=_SYSTEM_PATH) for name in _HELPERS),
        is_in_system_path=shutil.which("wheelfs", path=_SYSTEM_PATH) is not None or all(row[2] == "fuse" for row in ours),
    )
