"""What all commands have in common: the options that may stand before or after the command's name, and help with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from wheelfs.cli.paths import FILE
from wheelfs.cli.session import session_of
from wheelfs.cli.settings_flags import THE_GROUP, flags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Function = TypeVar("Function", bound="Callable[..., Any]")


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(session_of(context), name, value)

    return callback


def common_options() -> list[click.Parameter]:
    """Return the options of the group, which every command takes, too."""
    return [*flags_of(THE_GROUP), *_options_of_the_call()]


def _options_of_the_call() -> list[click.Parameter]:
    """Return the options that are no settings: they are about this call alone."""
    return [
        click.Option(
            ["--config"],
            type=FILE,
            metavar="FILE",
            expose_value=False,
            callback=_set("config_file"),
            help="Read this configuration file instead of the user's and the system's.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_set("json"),
            help="Print one JSON object a line on stdout, and nothing else there.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_set("verbosity"),
            help="Say more on stderr; twice for debugging.",
        ),
    ]


class Command(click.Command):
    """A command with examples in its help, the flags of the settings that it takes, and the common options.

    ``table_name`` is what the table of options calls it, where that is not its own name (``env create``).
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), table_name: str | None = None, **settings: Any) -> None:
        self._params: list[click.Parameter] = []
        self._has_all_params = True
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self._table_name = table_name or self.name or ""
        self._has_all_params = False

    @property
    def params(self) -> list[click.Parameter]:
        """All options and arguments; made when first asked for, since a process runs one command, and all of them have 230."""
        if not self._has_all_params:
            self._has_all_params = True
            self._params += [*flags_of(self._table_name), *_options_of_the_call()]
        return self._params

    @params.setter
    def params(self, own: list[click.Parameter]) -> None:
        self._params = own

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write_text(example)


def all_commands(group: click.Group) -> dict[str, click.Command]:
    """Return the commands by their whole names: ``ls``, ``env ls``."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        below = {f"{name} {one}": each for one, each in command.commands.items()} if isinstance(command, click.Group) else {}
        found |= below or {name: command}
    return found


def requirement_files(meaning: str) -> Callable[[Function], Function]:
    """Return the option ``-r FILE``, which may be repeated; ``meaning`` is its help."""
    return click.option("-r", "--requirement", "files", type=FILE, metavar="FILE", multiple=True, help=meaning)
