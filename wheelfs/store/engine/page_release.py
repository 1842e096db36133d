"""LMDB's maps in this process' memory: pages that were read count as its own until they are given back."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MADV_DONTNEED: Final = 4


def mapped_bytes() -> int:
    """Return the bytes of files' pages in this process' memory (proc(5), ``status``, in kB: RssShmem for files on a tmpfs)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssFile:", "RssShmem:")))


def release(data: Path) -> None:
    """Drop the pages of a mapped file from this process' resident set; they stay in the kernel's page cache.

    Safe at any time, in the middle of a read too: the map is shared and file-backed, so a page that is touched again comes
    back from the cache.  Only page-table entries go.
    """
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _mapped(data):
        madvise(start, end - start, _MADV_DONTNEED)


def _mapped(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the address ranges at which this process maps a file."""
    status = path.stat()
    with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            # address perms offset dev inode path; dev is not compared: btrfs reports another one here than stat does.
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and int(fields[4]) == status.st_ino and fields[5].rstrip("\n").endswith("/data.mdb"):
                start, _, end = fields[0].partition("-")
                yield int(start, 16), int(end, 16)
