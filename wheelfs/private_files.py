"""Files that other users of the machine are not to read: the store, logs, sockets.  Their group may, where the user names one.

Wheels may be private, and logs say who installs what.
"""

from __future__ import annotations

import grp
import os
import stat
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Readers(msgspec.Struct, frozen=True):
    """Who may read besides the owner: the group of this number, or no one else."""

    group: int | None = None

    @property
    def directory_mode(self) -> int:
        """The mode of directories; with the bit that makes new files the group's."""
        return 0o700 if self.group is None else 0o2750

    @property
    def file_mode(self) -> int:
        return 0o600 if self.group is None else 0o640


OWNER_ALONE: Final = Readers()


def readers_of(group: str | None) -> Readers:
    """Return the readers that a group's name, or its number, means; raises `UsageError` for an unknown one."""
    if group is None:
        return OWNER_ALONE
    try:
        return Readers(int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid)
    except KeyError:
        raise UsageError("use store-group", f"there is no group {group!r} on this machine", "see: getent group") from None


def is_open_to_others(status: os.stat_result, readers: Readers) -> bool:
    """Tell whether what is ours may be used by others than these readers; what is not ours is not judged."""
    return os.geteuid() in (0, status.st_uid) and bool(stat.S_IMODE(status.st_mode) & 0o077 & ~_wanted(status, readers))


def is_as_wanted(status: os.stat_result, readers: Readers) -> bool:
    """Tell whether these readers, and no others, may read what is ours; what is not ours is not judged."""
    has_group = readers.group in (None, status.st_gid)
    is_same = stat.S_IMODE(status.st_mode) & 0o077 == _wanted(status, readers) & 0o077
    return os.geteuid() not in (0, status.st_uid) or (has_group and is_same)


def _wanted(status: os.stat_result, readers: Readers) -> int:
    return readers.directory_mode if stat.S_ISDIR(status.st_mode) else readers.file_mode


def restrict(path: Path, readers: Readers) -> None:
    """Let only these read a file or directory of ours; links are not followed.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        restrict_open(descriptor, readers)
    finally:
        os.close(descriptor)


def restrict_open(descriptor: int, readers: Readers) -> None:
    """As `restrict`, for what is open; sockets, pipes and devices, and what is another user's, stay as they are."""
    status = os.fstat(descriptor)
    is_dir = stat.S_ISDIR(status.st_mode)
    if not (is_dir or stat.S_ISREG(status.st_mode)) or os.geteuid() not in (0, status.st_uid):
        return
    if readers.group is not None and status.st_gid != readers.group:
        os.fchown(descriptor, -1, readers.group)
    own = stat.S_IMODE(status.st_mode) & 0o700
    os.fchmod(descriptor, own | ((readers.directory_mode if is_dir else readers.file_mode) & ~0o700))


def restrict_tree(path: Path, readers: Readers) -> None:
    """Restrict a directory and all in it, the directory itself first; raises OSError."""
    restrict(path, readers)
    for one in _below(path):
        restrict(one, readers)


def _below(path: Path) -> Iterator[Path]:
    for directory, directories, files in os.walk(path):
        for name in (*directories, *files):
            one = path.__class__(directory) / name
            if not one.is_symlink() and (one.is_dir() or one.is_file()):
                yield one
