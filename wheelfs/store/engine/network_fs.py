"""Refusing file systems on which a live LMDB file gets corrupted.

LMDB maps its file and keeps locks in shared memory: both need one kernel.  On a network file system two machines would each
believe that they hold the lock.  FUSE is refused as a whole because nothing tells a local one from sshfs or a cluster's client.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Final

from wheelfs.errors import StoreError, StoreOnNetwork

if TYPE_CHECKING:
    from pathlib import Path

# f_type values: statfs(2), linux/magic.h, and the clients' own sources for those outside the kernel tree.
_NETWORK: Final = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x0BD00BD0: "Lustre",
    0x01021997: "9p",
    0x47504653: "GPFS",
    0x00C36400: "Ceph",
    0x65735546: "FUSE",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x7461636F: "OCFS2",
    0x01161970: "GFS2",
    0x19830326: "BeeGFS",
    0x20030528: "OrangeFS",
    0xAAD7AAEA: "PanFS",
    0x786F4256: "VirtualBox shared folder",
    0x61636673: "ACFS",
}
_ADVICE: Final = "keep the store on a local disk (--store DIR) and share wheels between machines with --share URL"
_STATFS_BYTES: Final = 512
"""More than struct statfs needs on any architecture (120 on x86-64); only its first word is read."""


def refusal(f_type: int) -> str | None:
    """Return the name of the network file system that ``f_type`` of statfs(2) stands for, or None when a store may live there."""
    return _NETWORK.get(f_type & 0xFFFFFFFF)


def file_system_type(path: Path) -> int:
    """Return ``f_type`` of the file system that holds ``path``, or would hold it once created; raise OSError when unknown."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    for candidate in (path, *path.parents):
        if libc.statfs(os.fsencode(candidate), buffer) == 0:
            # f_type is the first member and one C long wide everywhere that pyfuse3 runs.
            return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
        code = ctypes.get_errno()
        if not isinstance(OSError(code, ""), FileNotFoundError):
            raise OSError(code, os.strerror(code), str(candidate))
    raise FileNotFoundError(str(path))


def refuse_network(path: Path) -> None:
    """Raise `StoreOnNetwork` when ``path`` is, or would be created, on a network file system."""
    attempted = f"open store {path}"
    try:
        name = refusal(file_system_type(path.absolute()))
    except OSError as error:
        raise StoreError(attempted, f"its file system cannot be examined: {error.strerror or error}") from error
    if name is not None:
        raise StoreOnNetwork(attempted, f"it is on a network file system ({name}), where LMDB corrupts data", _ADVICE)
