"""Configuration files that cannot be read, or that those can read who should not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wheelfs.config import load
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from wheelfs.config import Settings

NOWHERE = Path("/nonexistent/wheelfs.toml")


def with_password(path: Path) -> Path:
    path.write_text('[[index]]\nname = "lab"\nurl = "https://me:secret@index.example/simple"\n')
    path.chmod(0o644)
    return path


def loaded(*, config: Path | None = None, system: Path = NOWHERE, home: str = "/nonexistent") -> Settings:
    return load(environ={"HOME": home}, config_file=config, system_file=system)


def test_a_home_that_is_no_directory_has_no_configuration() -> None:
    assert loaded(home="/dev/null").provenance["indexes"] == "default"


def test_a_file_of_ones_own_with_a_password_is_to_be_closed_to_others(tmp_path: Path) -> None:
    mine = with_password(tmp_path / "mine.toml")
    [warning] = loaded(config=mine).warnings
    assert warning.endswith(f"run chmod o-r {mine}")
    mine.chmod(0o600)
    assert loaded(config=mine).warnings == ()


def test_the_one_of_all_users_is_not_to_be_closed_to_them(tmp_path: Path) -> None:
    system = with_password(tmp_path / "etc.toml")
    [warning] = loaded(system=system).warnings
    assert "~/.netrc or WHEELFS_INDEX_NAME_PASSWORD" in warning
    assert f"chgrp GROUP {system} && chmod 640 {system}" in warning
    assert "secret" not in warning


def test_where_a_file_may_not_be_read_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = with_password(tmp_path / "etc.toml")
    opened = Path.open

    def forbidden(path: Path, *words: Any, **more: Any) -> Any:  # root, as whom tests may run, may read everything
        if path == system:
            raise PermissionError(13, "Permission denied")
        return opened(path, *words, **more)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(UsageError, match=r"Permission denied .ask its owner to let you read it, or name another file by"):
        loaded(system=system)
