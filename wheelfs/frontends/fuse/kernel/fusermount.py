"""The one foreign program we use: fusermount3, with which users other than root mount and unmount."""

from __future__ import annotations

import shutil
import subprocess

from wheelfs.errors import FuseUnavailable
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS


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
