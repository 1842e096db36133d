"""Reading what is asked for: paths that cannot be looked at."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment

from wheelfs.core.platforms.targets import this_machine
from wheelfs.core.resolve.lock_files import words_by_kind
from wheelfs.errors import InvalidInput, UsageError
from wheelfs.model.wanted import Chosen, Synced
from wheelfs.service.operations.add_pip_cache import bodies
from wheelfs.service.operations.requirements import read_wants

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = this_machine([], {key: str(value) for key, value in default_environment().items()})


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what makes a directory one that only another user may search (for root, too)."""
    real = Path.stat

    def forbid(directory: Path) -> None:
        def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            if directory in path.parents:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, follow_symlinks=follow_symlinks)

        monkeypatch.setattr(Path, "stat", stat)

    return forbid


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("theirs/a-1.0-py3-none-any.whl", "it cannot be looked at: Permission denied (looked for at "),
        ("circle/a-1.0-py3-none-any.whl", "it cannot be looked at: Too many levels of symbolic links (looked for at "),
        ("a\0b.whl", "it cannot be looked at: embedded null byte (looked for at "),
        (f"{'a' * 300}.whl", "it cannot be looked at: File name too long (looked for at "),
        ("none.whl", "there is no such file or directory (looked for at "),
    ],
    ids=["forbidden", "circle", "nul", "long", "none"],
)
def test_a_path_that_cannot_be_looked_at_is_reported_and_the_rest_is_wanted(
    forbid: Callable[[Path], None], tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{tmp_path}/{name}\nlib\n")
    forbid(tmp_path / "theirs")
    wants = read_wants((), [requirements], (), TARGET)
    assert [one.project for one in wants.wanted] == ["lib"]
    [lacking] = wants.unfetchable
    assert lacking.reason.startswith(reason + str(tmp_path))
    assert not lacking.is_own_tree


@pytest.mark.parametrize(
    ("name", "is_built"),
    [("source.zip", True), ("main.tar.bz2", True), ("notes.txt", False), ("lib-1.0-py3.wheel", False)],
)
def test_what_nothing_can_install_is_not_skipped_as_what_is_built(tmp_path: Path, name: str, *, is_built: bool) -> None:
    (tmp_path / name).write_bytes(b"")
    [file] = read_wants((str(tmp_path / name),), [], (), TARGET).unfetchable
    assert file.is_own_tree is is_built


@pytest.mark.parametrize("word", ["requirements.txt", "../lab/requirements.in", "requirements-dev.txt"])
def test_a_requirements_file_is_not_looked_up_as_a_project(word: str) -> None:
    with pytest.raises(UsageError, match=f"-r {word}"):
        words_by_kind(("demo", word))


def test_other_words_are_told_apart() -> None:
    words = ("demo.txt-tools>1", "demo @ https://files.example/demo.txt", "requirements.lock", "uv.lock[docs]")
    assert words_by_kind(words) == (words[:2], words[2:3], words[3:])


@pytest.mark.parametrize("name", ["circle", "a\0b"])
def test_a_requirements_file_that_cannot_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"-r {name}\n")
    with pytest.raises(InvalidInput, match="no file can be called so"):
        read_wants((), [requirements], (), TARGET)


def test_a_project_beside_a_lock_that_may_not_be_looked_at_is_named(forbid: Callable[[Path], None], tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text('version = 1\n[[package]]\nname = "mine"\nsource = { editable = "theirs" }\n')
    forbid(tmp_path / "theirs")
    chosen = Chosen(as_synced=Synced(packages=("mine",)))
    with pytest.raises(InvalidInput, match=r"theirs/pyproject\.toml: Permission denied"):
        read_wants((), (), [str(lock)], TARGET, chosen=chosen)


def test_a_cache_of_pip_that_may_not_be_looked_at_is_named(forbid: Callable[[Path], None], tmp_path: Path) -> None:
    forbid(tmp_path / "theirs")
    with pytest.raises(InvalidInput, match="Permission denied"):
        bodies(tmp_path / "theirs")
