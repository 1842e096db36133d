"""Looking at an LMDB data file without LMDB, which trusts what it follows: whether it is whole, and its tree sound.

Touching a page of LMDB's map that lies beyond the end of the file raises SIGBUS, so a file that was cut off must be recognised
before it is opened.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from wheelfs.errors import StoreDamaged, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START_ANEW: Final = "restore the whole store from one copy; or move it away and fetch or add its files again into a new one"

_MAGIC: Final = 0xBEEFC0DE
_META: Final = struct.Struct("<16xLL16xL92xQQ")
"""A meta page of the 0.9 engine: page header, magic, version, address, map size, page size (first field of the free list's
record), the rest of both records, last page, transaction."""
_NEWBORN_BYTES: Final = 64 << 10
"""More than the first transaction of an environment writes."""
_VERIFY_S: Final = 3_600.0
"""The check of the structure reads every page's header: minutes for a terabyte."""
_PROBLEMS: Final = 5
"""A broken tree has thousands of symptoms; the first ones tell the cause."""


def is_unborn(data: Path) -> bool:
    """Tell whether a data file is missing, or was cut short in its creation: an environment begins as two pages.

    They are on the disk for certain with the first transaction, so after a loss of power one or both may be blank or missing, in
    a small file in which nothing was ever committed.  A larger one is not taken for new, whatever it has lost.
    """
    try:
        with data.open("rb") as file:
            metas = [file.read(mmap.PAGESIZE) for _ in range(2)]
            size_bytes = file.seek(0, 2)
    except FileNotFoundError:
        return True
    if size_bytes < 2 * mmap.PAGESIZE:
        return True
    blank = [not any(page) for page in metas]
    return size_bytes <= _NEWBORN_BYTES and any(blank) and not any(transaction for _, _, transaction in _read(metas))


def refuse_cut_off(data: Path) -> None:
    """Raise `StoreDamaged` when a data file is shorter than what it says of itself; OSError when it cannot be read.

    Free pages may lie beyond the end of a sound file, so one that is too short is verified.
    """
    missing_bytes = _missing_bytes(data)
    if missing_bytes <= 0 or not (found := problems(data.parent)):
        return
    raise StoreDamaged(
        f"open store {data.parent}",
        f"{data.name} was cut off: {missing_bytes} bytes are missing at its end ({found[0]})",
        START_ANEW,
    )


def _missing_bytes(data: Path) -> int:
    """Return how many bytes the file lacks of what the newer of its two meta pages says; what has none is left to LMDB."""
    with data.open("rb") as file:
        metas = [file.read(mmap.PAGESIZE) for _ in range(2)]
        size_bytes = file.seek(0, 2)
    newest, end = -1, 0
    for page_bytes, last_page, transaction in _read(metas):
        if transaction > newest:
            newest, end = transaction, (last_page + 1) * page_bytes
    return end - size_bytes


def _read(metas: Sequence[bytes]) -> Iterator[tuple[int, int, int]]:
    """Yield page size, last page and transaction of each meta page that is one."""
    for page in metas:
        if len(page) >= _META.size:
            magic, _, page_bytes, last_page, transaction = _META.unpack_from(page)
            if magic == _MAGIC:
                yield page_bytes, last_page, transaction


def problems(environment: Path) -> list[str]:
    """Return what py-lmdb's offline verifier finds wrong with an environment, the first few; raises `StoreError`.

    It wants a file at rest, or that the caller holds a read transaction: then no page that its snapshot (this one or a later one)
    reaches is used again.  It runs in a process of its own, since an environment's files must not be opened twice in one.
    """
    command = [sys.executable, "-P", "-m", "lmdb", "verify", str(environment)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_VERIFY_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"verify {environment}", f"the check of its structure did not end: {error}") from error
    if done.returncode == 0:
        return []
    said = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return said[:_PROBLEMS] or [f"the verifier ended with {done.returncode}"]
