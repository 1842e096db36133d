"""``wheelfs`` alone, and commands that only other programs have."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fake_app import Result
from wheelfs.cli.first_steps import POINTERS, next_steps
from wheelfs.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("word", sorted(POINTERS))
def test_a_command_of_other_programs_gets_a_pointer(word: str, run: Callable[..., Result]) -> None:
    expected = f"wheelfs: run wheelfs {word}: there is no such command ({POINTERS[word]})\n"
    assert run(word, "/mnt/wheels").err == expected, "which is no call in the form of mount(8)"
    assert run(word, "numpy") == Result(2, "", expected)
    [answer] = run("--json", word).objects
    assert answer["error"]["exit_code"] == 2
    assert POINTERS[word] in answer["error"]["message"]


def test_pointers_point_at_commands_that_exist_and_hide_none() -> None:
    assert not POINTERS.keys() & cli.commands.keys()
    named = [text.split("wheelfs ")[1:] for text in POINTERS.values()]
    words = {part.split()[0].rstrip(":") for parts in named for part in parts}
    assert words - cli.commands.keys() == {"--help", "--version", "COMMAND", "alone"}


def test_wheelfs_alone_shows_what_to_do_next(run: Callable[..., Result], tmp_path: Path) -> None:
    shown = run()
    assert (shown.code, shown.out) == (2, "")
    first, *steps = shown.err.splitlines()
    assert first == f"nothing is mounted from {tmp_path / 'store'}"
    assert any(line.strip().startswith("wheelfs mount /mnt/wheels ") for line in steps)
    assert not (tmp_path / "store").exists()
    [answer] = run("--json").objects
    assert answer["error"]["class"] == "UsageError"


@pytest.mark.parametrize("mount", [None, Path("/mnt/wheels of mine")])
def test_the_next_steps_are_commands_that_exist(mount: Path | None) -> None:
    _, *steps = next_steps(mount, Path("/s"))
    for step in steps:
        command, _, meaning = step.strip().partition("  ")
        assert meaning.strip()
        words = shlex.split(command)
        if words[0] == "wheelfs" and not words[1].startswith("-"):
            cli.commands[words[1]].make_context(words[1], words[2:])
        assert "/mnt/wheels of mine" not in command or "'" in command or "%20" in command
