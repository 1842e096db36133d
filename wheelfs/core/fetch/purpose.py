"""What a program is about to do with the wheels that it opens, as its command line says: a hint, and it decides bytes alone.

An installer that has a wheel's METADATA wants the rest of it a moment later; one that only resolves never does.  Neither shows in
what it opens and reads before that moment.
"""

from __future__ import annotations

import enum
import re
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


class Purpose(enum.Enum):
    """Whether the whole wheels will be wanted."""

    UNKNOWN = enum.auto()
    RESOLVING = enum.auto()
    INSTALLING = enum.auto()


_PROGRAM: Final = re.compile(r"(uvx?|pip|__pip-runner__)[0-9.]*(\.py|\.exe)?")
_COMMANDS: Final = {
    "uv": {
        **dict.fromkeys(("sync", "run", "add", "remove", "tool", "build"), Purpose.INSTALLING),
        **dict.fromkeys(("lock", "export", "tree"), Purpose.RESOLVING),
    },
    "pip": {
        **dict.fromkeys(("install", "sync", "download", "wheel"), Purpose.INSTALLING),
        **dict.fromkeys(("compile", "lock", "index", "tree"), Purpose.RESOLVING),
    },
}
_ONLY_RESOLVING: Final = frozenset({"--dry-run", "--no-sync"})
_RUN_PROGRAMS: Final = frozenset({"run", "tool"})
"""Commands of uv after which options may be those of the program that is run: `uv run migrate.py --dry-run`."""
_BEFORE_NAMES: Final = frozenset({"--directory", "--project", "--cache-dir", "--config-file", "--python", "--log"})
"""Options before a command whose values users choose, and may have called like a command: `uv --directory build lock`."""


def purpose_of(command: Sequence[str]) -> Purpose:
    """Return what the command line of a process says; of a program that is neither pip nor uv, `Purpose.UNKNOWN`."""
    for number, word in enumerate(command):
        name = _PROGRAM.fullmatch(word.rpartition("/")[2])
        if name is not None:
            words = takewhile(lambda word: word != "--", command[number + 1 :])
            return Purpose.INSTALLING if name[1] == "uvx" else _of_words(list(words), is_uv=name[1] == "uv")
    return Purpose.UNKNOWN


def _of_words(words: Sequence[str], *, is_uv: bool) -> Purpose:
    """Return the purpose of the first word that is a command; what stands before it are options and their values."""
    commands = _COMMANDS["uv" if is_uv else "pip"]
    for before, word in pairwise(["", *words]):
        if before in _BEFORE_NAMES:
            continue
        if is_uv and word == "pip":
            commands = _COMMANDS["pip"]
        elif word in commands:
            resolves = word not in _RUN_PROGRAMS and not _ONLY_RESOLVING.isdisjoint(words)
            return Purpose.RESOLVING if resolves else commands[word]
    return Purpose.UNKNOWN
