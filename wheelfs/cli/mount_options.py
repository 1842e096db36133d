"""How mount(8), fstab and systemd call a file system: ``SOURCE DIR -o OPTIONS``.

``mount -t fuse.wheelfs SOURCE DIR -o OPTIONS`` runs mount.fuse3, which runs ``wheelfs SOURCE DIR -o OPTIONS`` through a shell;
as ``mount.wheelfs`` or ``mount.fuse.wheelfs`` the same comes straight from mount(8), with flags of its own (mount(8), "External
helpers": ``-s -f -n -v -N -t``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.config import Given
from wheelfs.config.suggestions import did_you_mean
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOUNT_PROGRAM_NAMES: Final = frozenset({"mount.wheelfs", "mount.fuse.wheelfs", "mount.fuse3.wheelfs"})
EMPTY_SOURCES: Final = frozenset({"none", "wheelfs", "wheelfs#", ""})
"""First fields of an fstab line that say nothing."""

_SETTINGS: Final = {"store": "store", "quota": "quota_bytes", "delta": "delta", "min-age": "min_age_s"}
_WITH_VALUE: Final = ("index", "config", *_SETTINGS)
_FLAGS: Final = ("offline", "allow_other", "nonempty")
# "rw" is what fstab's "defaults" stands for; the mount is read-only whatever is said.
_IGNORED: Final = frozenset(
    {
        "ro",
        "rw",
        "defaults",
        "dev",
        "nodev",
        "suid",
        "nosuid",
        "exec",
        "noexec",
        "auto",
        "noauto",
        "user",
        "nouser",
        "users",
        "group",
        "owner",
        "_netdev",
        "nofail",
        "async",
        "sync",
        "atime",
        "noatime",
        "relatime",
        "norelatime",
        "strictatime",
        "nostrictatime",
        "diratime",
        "nodiratime",
        "lazytime",
        "nolazytime",
        "silent",
        "loud",
        "iversion",
        "noiversion",
    }
)
_IGNORED_PREFIXES: Final = ("x-", "X-", "comment=", "user=", "uhelper=", "helper=")
_SEPARATOR = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class MountOptions:
    """What ``-o`` said: values for the configuration, and what only concerns the mount."""

    given: tuple[Given, ...] = ()
    indexes: tuple[str, ...] = ()
    config_file: Path | None = None
    nonempty: bool = False


@dataclass(frozen=True, slots=True)
class MountCall:
    """A call in mount(8)'s form, turned into arguments of ``wheelfs mount``."""

    arguments: list[str] = field(default_factory=list)
    pretend: bool = False


def parse_options(texts: Iterable[str]) -> MountOptions:
    r"""Parse the values of all ``-o``; raise `UsageError` that names every unknown option.

    A comma inside a value is written ``\,``.
    """
    given: list[Given] = []
    indexes: list[str] = []
    config_file: Path | None = None
    nonempty = False
    problems: list[str] = []
    for word in (part.replace("\\,", ",") for text in texts for part in _SEPARATOR.split(text)):
        name, separator, value = word.partition("=")
        if name in _WITH_VALUE:
            if not value:
                problems.append(f"{name} needs a value ({name}=...)")
            elif name == "index":
                indexes.append(value)
            elif name == "config":
                config_file = Path(value)
            else:
                given.append(Given(_SETTINGS[name], value, f"-o {name}"))
        elif name in _FLAGS:
            if separator:
                problems.append(f"{name} takes no value")
            elif name == "nonempty":
                nonempty = True
            else:
                given.append(Given(name, True, f"-o {name}"))
        elif word and word not in _IGNORED and not word.startswith(_IGNORED_PREFIXES):
            problems.append(f"unknown option {name[:80]!r}{did_you_mean(name, [*_WITH_VALUE, *_FLAGS])}")
    if problems:
        raise UsageError("read the mount options of -o", "; ".join(problems))
    return MountOptions(tuple(given), tuple(indexes), config_file, nonempty)


def is_mount_call(program: str, arguments: Sequence[str], commands: Iterable[str]) -> bool:
    """Tell whether these are arguments in mount(8)'s form: called by a mount name, or ``SOURCE /DIR ...`` with no command."""
    if Path(program).name in MOUNT_PROGRAM_NAMES:
        return True
    return (
        len(arguments) >= 2
        and not arguments[0].startswith("-")
        and arguments[0] not in set(commands)
        and arguments[1].startswith("/")
    )


def translate(program: str, arguments: Sequence[str]) -> MountCall:
    """Return the arguments of ``wheelfs`` for a call in mount(8)'s form; raise `UsageError`.

    SOURCE is an index (``NAME=URL`` or a URL), or one of `EMPTY_SOURCES`.
    """
    direct = Path(program).name in MOUNT_PROGRAM_NAMES
    positional: list[str] = []
    out = ["mount"]
    pretend = False
    remaining = list(arguments)
    while remaining:
        word = remaining.pop(0)
        if word in ("-o", "-t", "-N"):
            if not remaining:
                raise UsageError("mount", f"{word} needs a value")
            value = remaining.pop(0)
            out += ["-o", value] if word == "-o" else []
        elif direct and re.fullmatch(r"-[sfnv]+", word):
            # Here -f is mount(8)'s "fake": do everything but the mount.
            pretend = pretend or "f" in word
            out += ["-v"] if "v" in word else []
        elif word.startswith("-"):
            raise UsageError("mount", f"unknown option {word!r}", "the form is: wheelfs SOURCE DIR -o OPTIONS")
        else:
            positional.append(word)
    if len(positional) != 2:
        raise UsageError("mount", "not exactly one source and one directory were given", "wheelfs SOURCE DIR -o OPTIONS")
    source, directory = positional
    if source not in EMPTY_SOURCES:
        if "://" not in source:
            advice = "wheelfs --help lists the commands; the source of a mount is none, a URL or NAME=URL"
            raise UsageError("run wheelfs", f"{source[:80]!r} is neither a command nor the source of a mount", advice)
        out += ["--index", source]
    return MountCall([*out, "--", directory], pretend)
