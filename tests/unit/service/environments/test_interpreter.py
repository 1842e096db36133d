"""What is no Python is told in its own words, without the question that it was asked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment
from packaging.version import Version

from wheelfs.core.platforms.targets import named
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import Interpreter
from wheelfs.service.environments.interpreter import Present, find_interpreter, shown

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}


def test_the_question_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as raised:
        find_interpreter("/bin/ls")
    assert raised.value.happened == "/bin/ls does not behave like Python: it is another program"


def test_what_is_no_program_is_told_without_the_number_of_the_error() -> None:
    with pytest.raises(InvalidInput) as raised:
        find_interpreter("/etc/passwd")
    assert raised.value.happened == "it cannot be run: Permission denied"


def test_what_cannot_be_looked_at_is_told_in_words() -> None:
    path = f"/{'x' * 300}"
    with pytest.raises(InvalidInput, match="it cannot be run: File name too long"):
        find_interpreter(path)
    assert "which cannot be used: it cannot be run" in shown(Interpreter(path, "3.11.7", "cpython-311", b"abcd")).problem


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link away")
def test_a_link_in_a_directory_of_another_user_is_not_run(tmp_path: Path) -> None:
    place = tmp_path / "theirs"
    place.mkdir()
    (place / "python3").symlink_to(sys.executable)
    made_for = Interpreter(str(place / "python3"), "3.1.0", "cpython-31", b"abcd")
    assert shown(made_for).found is not None
    os.chown(place, 12_345, 12_345)
    assert shown(made_for) == Present(None, "")


@pytest.mark.parametrize(("name", "owner", "is_run"), [("python3", 0, True), ("reboot", 0, False), ("python3", 12_345, False)])
def test_what_another_user_or_a_share_could_have_named_is_not_run_to_show_it(
    tmp_path: Path, name: str, owner: int, is_run: bool
) -> None:
    program, ran = tmp_path / name, tmp_path / "ran"
    program.write_text(f"#!/bin/sh\n: >{ran}\n")
    program.chmod(0o755)
    if owner:
        if os.getuid():
            pytest.skip("only root can give a file away")
        os.chown(program, owner, owner)
    found = shown(Interpreter(str(program), "3.11.7", "cpython-311", b"abcd"))
    assert ran.exists() == is_run
    assert is_run or found == Present(None, "")


def _answering(program: Path, version: str) -> None:
    """Write a program that calls itself Python, at the path by which it was run."""
    program.parent.mkdir(parents=True, exist_ok=True)
    minor = version.rpartition(".")[0]
    answer = f'["%s", "{version}", "cpython", "cpython-{minor.replace(".", "")}", "00000000", false, "linux"]'
    program.write_text(f"#!/bin/sh\nprintf '{answer}' \"$0\"\n")
    program.chmod(0o755)


def test_a_python_of_a_checkout_has_the_version_that_it_will_be(tmp_path: Path) -> None:
    _answering(tmp_path / "python3.13", "3.13.2+")
    found = find_interpreter(str(tmp_path / "python3.13"))
    assert (found.version, found.minor) == ("3.13.2", "3.13")
    assert named(found.version, [], machine_platforms=[], environment=ENVIRONMENT).python == Version("3.13.2")


@pytest.mark.parametrize("has_library", [True, False])
def test_a_link_to_a_python_is_followed_to_where_its_library_is(tmp_path: Path, has_library: bool) -> None:
    program, link = tmp_path / "of-uv" / "bin" / "python3.13", tmp_path / "home" / "bin" / "python3.13"
    _answering(program, "3.13.2")
    if has_library:
        library = tmp_path / "of-uv" / "lib" / "python3.13"
        library.mkdir(parents=True)
        (library / "os.py").touch()
    link.parent.mkdir(parents=True)
    link.symlink_to("python3")
    (link.parent / "python3").symlink_to("../../of-uv/bin/python3.13")
    assert find_interpreter(str(link)).executable == str(program if has_library else link)
    assert find_interpreter(str(program)).executable == str(program)
