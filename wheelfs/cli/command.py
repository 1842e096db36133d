"""What all commands have in common: the options that may stand before or behind the command's name, and help with examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wheelfs.cli.output import Output
from wheelfs.config import Given, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.config import Settings


Function = TypeVar("Function", bound="Callable[..., Any]")


@dataclass(slots=True)
class Session:
    """What the common options said."""

    json: bool = False
    verbosity: int = 0
    config_file: Path | None = None
    store: str | None = None

    @property
    def output(self) -> Output:
        return Output(json=self.json)

    def settings(self, given: Sequence[Given] = ()) -> Settings:
        """Return the effective configuration, with what the command's own options said; raise `UsageError`."""
        store = [] if self.store is None else [Given("store", self.store, "--store")]
        return load([*given, *store], config_file=self.config_file)


def session_of(context: click.Context) -> Session:
    """Return the session of a running command."""
    return context.ensure_object(Session)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(session_of(context), name, value)

    return callback


def common_options() -> list[click.Parameter]:
    """Return the options that the group and every command take."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            expose_value=False,
            callback=_set("config_file"),
            help="Read this configuration file instead of the user's and the system's.",
        ),
        click.Option(
            ["--store"],
            metavar="DIR",
            expose_value=False,
            callback=_set("store"),
            help="The directory of the store.",
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
    """A command with examples in its help, and the common options."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self.params.extend(common_options())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write_text(example)


def requirement_files(meaning: str) -> Callable[[Function], Function]:
    """Return the option ``-r FILE``, which may be repeated; ``meaning`` is its help."""
    file = click.Path(path_type=Path)
    return click.option("-r", "--requirement", "files", type=file, metavar="FILE", multiple=True, help=meaning)
