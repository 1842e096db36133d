"""The commands, by their names; the module of one is imported when that command is asked for."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPLETE_VARIABLE: Final = "_WHEELFS_COMPLETE"
"""Set by a shell that wants words; click's scripts name it after the program."""

_MODULES: Final = {
    "mount": "mount",
    "umount": "mount",
    "serve": "serve",
    "run": "run",
    "add": "add",
    "fetch": "fetch",
    "check": "fetch",
    "env": "env",
    "track": "track",
    "untrack": "track",
    "push": "shares",
    "pull": "shares",
    "ls": "show",
    "show": "show",
    "status": "inspect",
    "top": "inspect",
    "log": "inspect",
    "doctor": "doctor",
    "rm": "housekeeping",
    "pin": "housekeeping",
    "unpin": "housekeeping",
    "gc": "housekeeping",
    "verify": "housekeeping",
    "stats": "housekeeping",
    "export": "export",
    "config": "config",
    "service": "service",
    "completion": "completion",
    "man": "completion",
}
"""Commands in the order of a first acquaintance, each with its module."""


class _Commands(MutableMapping[str, click.Command]):
    """What click takes for the commands of a group: a process runs one, and importing all takes as long as importing click."""

    def __init__(self) -> None:
        self._modules = dict(_MODULES)

    def __getitem__(self, name: str) -> click.Command:
        module = vars(import_module(f"{__name__}.{self._modules[name]}"))
        return next(found for found in module.values() if isinstance(found, click.Command) and found.name == name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise TypeError(f"{name}: a command is a line of _MODULES")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: commands are not taken away")


COMMANDS: Final = _Commands()
"""All of them."""
