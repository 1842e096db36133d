"""What is mounted where, read from ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)); reading it asks no file system anything."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import FuseUnavailable

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

FSTYPE: Final = "fuse.wheelfs"

_MOUNTINFO: Final = Path("/proc/self/mountinfo")
_MAX_LINKS: Final = 40
"""As the kernel has it (path_resolution(7))."""

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


class MountEntry(msgspec.Struct, frozen=True):
    """One mount.  For FUSE, ``minor`` is also the number of the connection under ``/sys/fs/fuse/connections``."""

    major: int
    minor: int
    mountpoint: str
    fstype: str
    source: str

    @property
    def is_wheelfs(self) -> bool:
        return self.fstype == FSTYPE

    @property
    def is_fuse(self) -> bool:
        return self.fstype in ("fuse", "fuseblk") or self.fstype.startswith("fuse.")

    @property
    def is_automount(self) -> bool:
        """Whether it is there to be mounted over: autofs, also systemd's."""
        return self.fstype == "autofs"


def parse_mountinfo(text: str) -> list[MountEntry]:
    """Return the mounts in the kernel's order (later ones lie on top); lines of an unknown shape are left out."""
    entries = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        major, colon, minor = fields[2].partition(":") if len(fields) >= 6 else ("", "", "")
        if not (separator and colon and major.isdecimal() and minor.isdecimal() and len(tail) >= 2):
            continue
        entries.append(MountEntry(int(major), int(minor), _unescape(fields[4]), tail[0], _unescape(tail[1])))
    return entries


def mounts_now() -> list[MountEntry]:
    """Return all mounts that this process sees; raises `FuseUnavailable` where ``/proc`` is not mounted."""
    try:
        text = _MOUNTINFO.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        raise FuseUnavailable("see what is mounted", "/proc is not mounted", "mount -t proc proc /proc") from None
    return parse_mountinfo(text)


def mount_at(place: str) -> MountEntry | None:
    """Return the topmost mount whose mount point is exactly ``place`` (from `canonical`), or None."""
    return next((entry for entry in reversed(mounts_now()) if entry.mountpoint == place), None)


def is_detached(place: str, pid: int) -> bool:
    """Return whether the mount at ``place`` that process ``pid`` serves was detached lazily: the process sees it no more.

    False where that cannot be seen: the process is another user's, or in another container.
    """
    try:
        entries = parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_text("utf-8", "surrogateescape"))
    except OSError:
        return False
    return canonical(Path(place)) not in {entry.mountpoint for entry in entries if entry.is_wheelfs}


def mount_over(path: str) -> MountEntry | None:
    """Return the topmost mount that a normalized, absolute path lies on, as far as no link in it leads elsewhere."""
    over = [entry for entry in mounts_now() if path == entry.mountpoint or path.startswith(entry.mountpoint.rstrip("/") + "/")]
    return max(reversed(over), key=lambda entry: len(entry.mountpoint), default=None)


def canonical(path: Path) -> str:
    """Return ``path`` as mountinfo writes it, symbolic links resolved.

    A mount point at its end is not touched, also where links lead to it: an lstat of it would go to its daemon, which may be
    dead, hung, or the thread that asks.
    """
    place = os.path.normpath(path.absolute())
    for _ in range(_MAX_LINKS):
        parent, name = os.path.split(place)
        if not name:
            break
        parent = os.path.realpath(parent)
        place = os.path.join(parent, name)  # noqa: PTH118
        if mount_at(place) is not None or not os.path.islink(place):  # noqa: PTH114
            break
        target = os.readlink(place)  # noqa: PTH115
        lexical = os.path.normpath(os.path.join(parent, target))  # noqa: PTH118
        # With "..", the directories before it have to be looked at.
        place = os.path.realpath(place) if ".." in target.split("/") else lexical
    return place


def place_on_way(path: Path, places: AbstractSet[str]) -> str | None:
    """Return the first of ``places`` (mount points, as mountinfo writes them) that ``path`` leads to or through, else None.

    Links are followed; a place that is reached is not touched, nor anything below it.
    """
    rest, place, links = [part for part in reversed(path.absolute().parts) if part != "/"], "/", 0
    while rest:
        name = rest.pop()
        step = os.path.dirname(place) if name == ".." else os.path.join(place, name)  # noqa: PTH118, PTH120
        if step in places:
            return step
        try:
            target = os.readlink(step)  # noqa: PTH115
        except OSError:  # no link, or nothing there
            place = step
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        rest.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        place = "/" if target.startswith("/") else place
    return None


def _unescape(field: str) -> str:
    def byte(match: re.Match[str]) -> str:
        return chr(int(match[1], 8))

    return _ESCAPE.sub(byte, field)
