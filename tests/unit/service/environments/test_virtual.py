"""Where a virtual environment on top of a mounted one can be made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import DestinationError
from wheelfs.service.environments.interpreter import find_interpreter
from wheelfs.service.environments.virtual import check_place, lay

if TYPE_CHECKING:
    from pathlib import Path


def test_a_place_below_a_file_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match=r"nothing can be made in .*file"):
        check_place(tmp_path / "file" / "below" / "venv")


def test_a_place_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DestinationError, match="nothing can be made"):
        check_place(tmp_path / "venv")


def test_what_venv_itself_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    interpreter = find_interpreter(None)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(DestinationError) as raised:
        lay(tmp_path / "gone", interpreter, tmp_path / "env")
    assert raised.value.advice == "name a directory that can be made"
