"""Whether a view's bytes are in memory, asked of a real file on a real disk."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import pytest

from wheelfs.store.chunks.residency import is_resident

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 * mmap.PAGESIZE


def test_pages_that_were_dropped_are_not_resident_until_they_are_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as view:
        assert is_resident(view)
        assert is_resident(view[5000:9000])
        os.fsync(file.fileno())
        mapped.madvise(mmap.MADV_DONTNEED)
        mapped.madvise(mmap.MADV_RANDOM)  # or touching one page would bring its neighbours, too
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if is_resident(view[:1]):
            pytest.skip("this file system keeps its files in memory")
        assert not is_resident(view)
        view[40 * mmap.PAGESIZE]
        assert is_resident(view[40 * mmap.PAGESIZE + 10 : 41 * mmap.PAGESIZE])
        assert not is_resident(view[30 * mmap.PAGESIZE : 41 * mmap.PAGESIZE])


def test_more_than_a_mebibyte_is_not_asked_about() -> None:
    with mmap.mmap(-1, 300 * mmap.PAGESIZE) as mapped, memoryview(mapped) as view:
        mapped.write(bytes(300 * mmap.PAGESIZE))
        assert is_resident(view[: 256 * mmap.PAGESIZE])
        assert not is_resident(view)
