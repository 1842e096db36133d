"""Writing goes on where the system took less than it was given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheelfs.file_io import write_all

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_all_is_written_at_its_offset_whatever_the_system_takes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: whole(descriptor, data[:3], offset))
    with (tmp_path / "file").open("w+b") as file:
        write_all(file.fileno(), b"0123456789", 2)
        write_all(file.fileno(), memoryview(b"abc"), 0)
        write_all(file.fileno(), b"", 100)
    assert (tmp_path / "file").read_bytes() == b"abc123456789"
