"""``completion`` and ``man``: what makes a shell complete commands, flags and their values, and what man(1) shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import get_completion_class, shell_complete

import wheelfs
from wheelfs.cli.command import Command
from wheelfs.cli.commands import COMPLETE_VARIABLE
from wheelfs.cli.man_pages import man_pages
from wheelfs.cli.paths import DIRECTORY
from wheelfs.cli.session import session_of
from wheelfs.errors import DestinationError, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS: Final = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    short_help="Print the completion script of a shell.",
    examples=(
        'eval "$(wheelfs completion bash)"',
        "wheelfs completion zsh > ~/.zfunc/_wheelfs",
        "wheelfs completion fish > ~/.config/fish/completions/wheelfs.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes commands, flags and their values.

    bash (4.4 or later) and zsh read it with eval, from a start-up file; zsh and fish also find it as a file in their own
    directories.
    """
    session = session_of(context)
    made = get_completion_class(shell)
    assert made is not None, "click knows these shells"
    script = made(context.find_root().command, {}, "wheelfs", COMPLETE_VARIABLE).source()
    if session.json:
        session.output.record({"shell": shell, "script": script})
    else:
        for line in script.splitlines():
            session.output.line(line)


@click.command(
    cls=Command,
    short_help="Write the manual pages.",
    examples=("wheelfs man /usr/local/share/man/man1", "wheelfs man ~/.local/share/man/man1"),
)
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.pass_context
def man(context: click.Context, directory: Path) -> None:
    """Write the manual pages of this version into DIR: wheelfs(1), and one for each command, such as wheelfs-mount(1)."""
    session = session_of(context)
    group = context.find_root().command
    assert isinstance(group, click.Group)
    codes = {one.exit_code: " ".join((one.__doc__ or "").split()) for one in _error_classes(WheelfsError)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in man_pages(group, wheelfs.__version__, codes):
            (directory / name).write_text(text, "utf-8")
            if session.json:
                session.output.record({"page": name, "path": str(directory / name)})
            else:
                session.output.line(f"written {directory / name}")
    except OSError as error:
        advice = "name a directory that you may write to"
        raise DestinationError(f"write manual pages to {directory}", error.strerror or str(error), advice) from None


def _error_classes(base: type[WheelfsError]) -> Iterator[type[WheelfsError]]:
    for below in base.__subclasses__():
        yield below
        yield from _error_classes(below)


def answer_shell(group: click.Command, instruction: str) -> int:
    """Print the words that a shell asks for (click's protocol) and return the exit code."""
    return shell_complete(group, {}, "wheelfs", COMPLETE_VARIABLE, instruction)
