"""Manual pages: one for each command, with all its options, in which groff finds nothing wrong."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import click
import pytest

from wheelfs.cli.command import all_commands
from wheelfs.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.fake_app import Result


@pytest.fixture
def pages(run: Callable[..., Result], tmp_path: Path) -> dict[str, Path]:
    written = run("man", str(tmp_path / "man1"))
    assert written.code == 0
    return {path.name: path for path in (tmp_path / "man1").iterdir()}


def test_every_command_has_its_page_with_all_its_options(pages: dict[str, Path]) -> None:
    assert pages.keys() == {"wheelfs.1", *(f"wheelfs-{name.replace(' ', '-')}.1" for name in all_commands(cli))}
    program = pages["wheelfs.1"].read_text().replace("\\-", "-")
    common = {option.name for option in cli.params}
    for whole, command in all_commands(cli).items():
        name = whole.replace(" ", "-")
        text = pages[f"wheelfs-{name}.1"].read_text().replace("\\-", "-")
        assert f".BR wheelfs-{name} (1)" in program
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                shown = text if option.name not in common else program
                assert all(f"\\fB{flag}\\fR" in shown for flag in option.opts), (name, option.opts)
        assert all(section in text for section in (".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXAMPLES"))
    assert ".B 130\n" in program
    assert ".B 46\n" in program


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_finds_nothing_wrong_and_shows_what_help_says(pages: dict[str, Path]) -> None:
    for name, path in pages.items():
        command = ["groff", "-man", "-ww", "-K", "utf8", "-T", "utf8", "-z", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == "", name
    mount = subprocess.run(
        ["groff", "-man", "-K", "utf8", "-T", "ascii", "-P", "-cbou", str(pages["wheelfs-mount.1"])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mount -t fuse.wheelfs none /mnt/wheels -o allow_other" in mount.stdout


def test_a_directory_that_cannot_be_written_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run("man", str(tmp_path / "file" / "man1")).code == 12
