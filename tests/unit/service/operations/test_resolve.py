"""Finding uv."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import ProgramMissing
from wheelfs.service.operations.resolve import find_uv

if TYPE_CHECKING:
    from pathlib import Path


def test_the_uv_beside_wheelfs_comes_first_then_that_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    with pytest.raises(ProgramMissing, match="pip install uv"):
        find_uv({"PATH": str(tmp_path / "bin")})
    for directory in ("bin", "venv"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "uv").touch(mode=0o755)
        assert find_uv({"PATH": str(tmp_path / "bin")}) == str(tmp_path / directory / "uv")
