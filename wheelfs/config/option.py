"""What one option is: an entry of the table in `wheelfs.config.options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.config.indexes import IndexesKind
from wheelfs.config.values import ChoiceKind, FlagKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelfs.config.values import Kind

EVERY: Final = ("*",)
"""Taken by all commands, before or after the command's name."""

RUNNING: Final = ("mount", "serve")
"""The commands that run until they are ended."""
FETCHING: Final = (*RUNNING, "fetch", "env create", "run")
"""The commands that fetch what others ask them for."""
ASKING: Final = (*FETCHING, "track", "verify", "doctor")
"""The commands that ask indexes and shares."""
STORING: Final = (*ASKING, "add", "pull")
"""The commands that may enlarge the store."""
REMOTE: Final = (*STORING, "push")
"""The commands that may use the network."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option: the field of `Settings`, its place in TOML, its variable, its flag and who takes that, and what it means.

    ``metavar`` is the placeholder of its value in help.  ``mount_option``: whether ``mount -o`` takes it, also one without a
    flag.  The first sentence of ``meaning`` is the flag's help.
    """

    field: str
    toml: tuple[str, ...]
    variable: str
    kind: Kind
    meaning: str
    flag: str | None = None
    commands: tuple[str, ...] = ()
    metavar: str | None = None
    mount_option: bool = True
    default: Callable[[Mapping[str, str]], object] | None = None
    default_text: str = ""

    @property
    def name(self) -> str:
        """What ``mount -o`` calls it: its variable without the prefix, in lower case and with dashes."""
        return self.variable.removeprefix("WHEELFS_").lower().replace("_", "-")

    @property
    def help(self) -> str:
        """What ``--help`` says of the flag."""
        return self.meaning.partition(". ")[0].rstrip(".") + "."

    @property
    def is_flag(self) -> bool:
        return isinstance(self.kind, FlagKind)

    @property
    def is_repeated(self) -> bool:
        """Whether each use adds a value."""
        return isinstance(self.kind, IndexesKind)

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values it may have; empty where there is no such list."""
        return self.kind.choices if isinstance(self.kind, ChoiceKind) else ()

    def is_taken_by(self, command: str) -> bool:
        """Return whether a command has the flag (``""``: ``wheelfs`` itself, before the command's name)."""
        return self.flag is not None and (self.commands == EVERY or command in self.commands)
