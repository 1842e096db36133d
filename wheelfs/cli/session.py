"""What the command line said besides a command's own parameters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from wheelfs.cli.logs import log_to
from wheelfs.cli.output import Output
from wheelfs.cli.paths import must_answer
from wheelfs.config import OPTIONS, Given, load
from wheelfs.config.values import PathKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import click

    from wheelfs.config import Settings


class Session(msgspec.Struct):
    """What the common options and the flags of settings said; ``given`` is keyed by the field of `Settings`."""

    json: bool = False
    verbosity: int = 0
    config_file: Path | None = None
    given: dict[str, Given] = msgspec.field(default_factory=dict)

    @property
    def output(self) -> Output:
        return Output(json=self.json)

    @property
    def config_path(self) -> str | None:
        """The whole path of the configuration file that a flag, an option of a mount or a variable names: for other processes."""
        given = self.config_file or os.environ.get("WHEELFS_CONFIG")
        return os.path.abspath(os.path.expanduser(given)) if given else None  # noqa: PTH100, PTH111 - as `load` expands it

    def add_mount_options(self, given: Sequence[Given]) -> None:
        """Add what ``mount -o`` said: a flag goes before it, except that lists are joined."""
        for value in given:
            flag = self.given.get(value.field)
            if flag is None:
                self.given[value.field] = value
            elif isinstance(flag.value, list) and isinstance(value.value, list):
                self.given[value.field] = Given(value.field, [*flag.value, *value.value], flag.place)

    def settings(self) -> Settings:
        """Return the effective configuration.  From then on is logged at the level that a flag asked for.

        Raises `UsageError`, and `MountPointError` for a path on a file system that does not answer.
        """
        settings = load(tuple(self.given.values()), config_file=self.config_file)
        for option in OPTIONS:
            if isinstance(option.kind, PathKind) and (path := getattr(settings, option.field)) is not None:
                must_answer(path)
        for warning in settings.warnings:
            self.output.talk(f"wheelfs: {warning}")
        if "log_level" in self.given:
            log_to(settings, self.verbosity, None)
        return settings

    def reread(self, log_file: Path | None) -> Settings:
        """Return the configuration as it is now, and log by it, to ``log_file`` (None: stderr); raises as `settings`."""
        settings = self.settings()
        log_to(settings, self.verbosity, log_file)
        return settings


def session_of(context: click.Context) -> Session:
    """Return the session of a running command."""
    return context.ensure_object(Session)
