"""Shells are answered from the same commands and table of options as help is."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.processes import wheelfs_command, wheelfs_environment
from wheelfs.cli.commands import COMPLETE_VARIABLE
from wheelfs.cli.commands.completion import SHELLS
from wheelfs.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.fake_app import Result


def words_after(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str) -> list[str]:
    """Return what bash would be offered for the last word of ``line``."""
    monkeypatch.setenv(COMPLETE_VARIABLE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    assert main([], program="wheelfs") == 0
    return [word.partition(",")[2] for word in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("wheelfs um", {"umount"}),
        ("wheelfs fetch --no-i", {"--no-index"}),
        ("wheelfs serve --delta ", {"auto", "always", "never"}),
        ("wheelfs mount -o share", {"share=", "share-write"}),
        ("wheelfs completion ", set(SHELLS)),
        ("wheelfs --store /va", {"/va"}),
        ("wheelfs umount /m", {"/m"}),
    ],
)
def test_commands_flags_and_values_are_offered(
    line: str, offered: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(words_after(monkeypatch, capsys, line)) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_calls_us_back(shell: str, run: Callable[..., Result]) -> None:
    script = run("completion", shell)
    assert script.code == 0, script.err
    assert f"{COMPLETE_VARIABLE}={shell}_complete" in script.out
    [as_json] = run("completion", shell, "--json").objects
    assert (as_json["shell"], as_json["script"].splitlines()) == (shell, script.out.splitlines())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script_and_completes_with_it(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "wheelfs"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nexec {} "$@"\n'.format(" ".join(wheelfs_command())))
    program.chmod(0o755)
    script = """
set -e
eval "$(wheelfs completion bash)"
COMP_WORDS=(wheelfs mount --no) COMP_CWORD=2
_wheelfs_completion wheelfs
echo "${COMPREPLY[@]}"
"""
    environment = wheelfs_environment(tmp_path / "home")
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["--no-index"], done
