"""The room that is kept for deleting."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from wheelfs.store.engine.reserve import Reserve

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_system_that_cannot_allocate_has_blocks_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_glibc_does(descriptor: int, offset: int, length: int) -> None:
        """What posix_fallocate(3) does there: a byte of every block is read, which needs a descriptor for that, and written."""
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
        for at in range(offset, offset + length, 4_096):
            os.pwrite(descriptor, os.pread(descriptor, 1, at) or b"\0", at)

    monkeypatch.setattr(os, "posix_fallocate", as_glibc_does)
    reserve = Reserve(tmp_path / "reserve")
    reserve.keep(64 << 10)
    assert reserve.size_bytes >= 64 << 10
    assert reserve.give_up()
    assert reserve.size_bytes == 0


def test_it_lends_what_it_has(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    assert not reserve.lend(16 << 10), "it has nothing"
    reserve.keep(64 << 10)
    before_bytes = reserve.size_bytes
    assert reserve.lend(16 << 10)
    assert reserve.size_bytes == before_bytes - (16 << 10)
    reserve.keep(64 << 10)
    assert reserve.size_bytes >= 64 << 10, "it grows again"
    assert reserve.lend(1 << 20), "all of it"
    assert not reserve.lend(1)
