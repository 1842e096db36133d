"""What the kernel lets us read and set of a FUSE connection: fusectl, sysctl and the backing device's read-ahead."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.frontends.fuse.kernel import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.frontends.fuse.kernel.limits import FuseLimits
    from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry

log = logging.getLogger(__name__)

FUSECTL: Final = Path("/sys/fs/fuse/connections")
SYSCTL: Final = Path("/proc/sys/fs/fuse")
USER_LIMIT: Final = Path("/sys/module/fuse/parameters")
BDI: Final = Path("/sys/class/bdi")


class Tuning(msgspec.Struct, frozen=True):
    """What was reached: ``max_background`` is None when it could not be read or set, ``read_ahead_kb`` when left alone."""

    max_background: int | None
    read_ahead_kb: int | None


def tune(connection: MountEntry, limits: FuseLimits) -> Tuning:
    """Raise the limits of a connection whose INIT is done (INIT resets them); log once what could not be had and what it means.

    Blocks for a few file operations on sysfs; asks nothing of the mount itself.
    """
    return Tuning(
        max_background=_raise_background(connection.minor, limits),
        read_ahead_kb=_raise_read_ahead(connection, limits.read_ahead_kb),
    )


def request_bound_s(sysctl: Path = SYSCTL) -> float | None:
    """Return half of the time after which the kernel aborts a connection over one slow request, or None when it never does.

    ``fs.fuse.default_request_timeout`` and ``max_request_timeout`` (Linux 6.14 and later, in seconds, 0 for none): every bound of
    ours has to stay below what is returned here.
    """
    timeouts = [timeout for name in ("default_request_timeout", "max_request_timeout") if (timeout := read_int(sysctl / name))]
    return min(timeouts) / 2 if timeouts else None


@contextmanager
def cutting_off(minor: int) -> Iterator[Callable[[], None]]:
    """Yield what cuts a connection off: every request under way fails at once, and the mount is dead until it is detached.

    The file is opened now, while the number is known to be the connection's: a descriptor means this connection and no other,
    while the number may be the next mount's as soon as this one's is gone (fuse_ctl_remove_conn).
    """
    _mount_fusectl(FUSECTL / str(minor))
    try:
        descriptor = os.open(FUSECTL / str(minor) / "abort", os.O_WRONLY)
    except OSError as error:
        reason = str(error)
        yield lambda: log.warning("cannot abort FUSE connection %d: %s", minor, reason)
        return
    try:
        yield lambda: _abort(descriptor, minor)
    finally:
        os.close(descriptor)


def _abort(descriptor: int, minor: int) -> None:
    try:
        os.write(descriptor, b"1")
    except OSError as error:
        log.warning("cannot abort FUSE connection %d: %s", minor, error)


def _mount_fusectl(directory: Path) -> None:
    if directory.is_dir():
        return
    with suppress(OSError):  # what cannot be reached then is said by those who need it
        syscalls.mount("fusectl", str(FUSECTL), "fusectl")


def _raise_background(minor: int, limits: FuseLimits) -> int | None:
    directory = FUSECTL / str(minor)
    consequence = (
        "reads of all files, cached ones too, will wait while 12 read-ahead requests wait on the network; "
        "mount fusectl on /sys/fs/fuse/connections (it usually is: your distribution's systemd does it)"
    )
    try:
        reached = _write_bounded(directory / "max_background", limits.background)
        _write_bounded(directory / "congestion_threshold", min(limits.congestion_threshold, reached))
    except OSError as error:
        log.warning("cannot raise max_background of the mount (%s): %s", error, consequence)
        return None
    if reached < limits.background:
        log.warning(
            "max_background of the mount is only %d (wanted %d): %s", reached, limits.background, consequence.split(";")[0]
        )
    return reached


def _write_bounded(path: Path, wanted: int) -> int:
    """Write ``wanted``, or what /sys/module/fuse/parameters/max_user_* allows to a user without privilege; return it."""
    try:
        path.write_text(str(wanted))
    except OSError as error:
        name = "max_user_bgreq" if path.name == "max_background" else "max_user_congthresh"
        allowed = read_int(USER_LIMIT / name)
        if error.errno != errno.EINVAL or not allowed or allowed >= wanted:
            raise
        path.write_text(str(allowed))
        return allowed
    return wanted


def _raise_read_ahead(connection: MountEntry, wanted_kb: int) -> int | None:
    path = BDI / f"{connection.major}:{connection.minor}" / "read_ahead_kb"
    if not os.access(path, os.W_OK):
        return None
    present = read_int(path)
    if present is not None and present >= wanted_kb:
        return present
    try:
        path.write_text(str(wanted_kb))
    except OSError as error:
        # Only speed is at stake, and containers show sysfs read-only.
        log.debug("read-ahead left at %s KiB: %s", present, error)
        return None
    return wanted_kb


def read_int(path: Path) -> int | None:
    """Return the number that a file of the kernel has, or None where it cannot be read."""
    try:
        text = path.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
