"""``completion``: what makes a shell complete commands, flags and their values."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class, shell_complete

from wheelfs.cli.command import Command
from wheelfs.cli.session import session_of

COMPLETE_VARIABLE: Final = "_WHEELFS_COMPLETE"
"""Set by a shell that wants words; click's scripts name it after the program."""

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


def answer_shell(group: click.Command, instruction: str) -> int:
    """Print the words that a shell asks for (click's protocol) and return the exit code."""
    return shell_complete(group, {}, "wheelfs", COMPLETE_VARIABLE, instruction)
