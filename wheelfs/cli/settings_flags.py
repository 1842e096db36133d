"""The flags of settings, made from the table of options: their help, completion, and the collecting of what was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from wheelfs.cli.paths import DIRECTORY, FILE
from wheelfs.cli.session import session_of
from wheelfs.config import OPTIONS, Given
from wheelfs.config.values import PathKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from wheelfs.config import Option

THE_GROUP: Final = ""
"""The name under which `flags_of` returns the flags that may stand before a command's name."""


def flags_of(command: str) -> list[click.Parameter]:
    """Return the flags that a command takes, in the order of the table; they fill the session, not the command's parameters."""
    return [_flag(option) for option in OPTIONS if option.is_taken_by(command)]


def _flag(option: Option) -> click.Option:
    return click.Option(
        [option.flag or "", option.field],
        type=click.Choice(option.choices) if option.choices else None,
        # Completed like a path, but passed on as text: the table's kind parses it, as from all other sources.
        shell_complete=_completion_of(option),
        metavar=None if option.choices else option.metavar,
        is_flag=option.is_flag,
        multiple=option.is_repeated,
        default=None,
        expose_value=False,
        callback=_collect(option),
        help=option.help,
    )


def _completion_of(option: Option) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    if not isinstance(option.kind, PathKind):
        return None
    return (DIRECTORY if option.metavar == "DIR" else FILE).shell_complete


def _collect(option: Option) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False, ()):
            raw = list(value) if option.is_repeated else value
            session_of(context).given[option.field] = Given(option.field, raw, option.flag or "")

    return callback
