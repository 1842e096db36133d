"""How mount(8), fstab and systemd call a file system: ``SOURCE DIR -o OPTIONS``.

``mount -t fuse.wheelfs SOURCE DIR -o OPTIONS`` runs mount.fuse3, which runs ``wheelfs SOURCE DIR -o OPTIONS`` through a shell;
as ``mount.wheelfs`` or ``mount.fuse.wheelfs`` the same comes straight from mount(8), with flags of its own (mount(8), "External
helpers": ``-s -f -n -v -N -t``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from click.shell_completion import CompletionItem

from wheelfs.config import OPTIONS, Given, redact
from wheelfs.config.suggestions import did_you_mean
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import click

    from wheelfs.config import Option

MOUNT_PROGRAM_NAMES: Final = frozenset({"mount.wheelfs", "mount.fuse.wheelfs", "mount.fuse3.wheelfs"})
EMPTY_SOURCES: Final = frozenset({"none", "wheelfs", "wheelfs#", ""})
"""First fields of an fstab line that name no index."""

_SETTINGS: Final = {option.name: option for option in OPTIONS if option.mount_option}
_OWN: Final = {"config": "FILE", "fsname": "NAME", "nonempty": None}
"""Those that are no settings, with the placeholders of their values."""

# fmt: off
_GENERIC: Final = frozenset({
    "ro", "rw",  # "rw" is what fstab's "defaults" stands for; the mount is read-only whatever is said
    "defaults", "dev", "nodev", "suid", "nosuid", "exec", "noexec", "auto", "noauto", "user", "nouser", "users", "group", "owner",
    "_netdev", "nofail", "async", "sync", "atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime",
    "diratime", "nodiratime", "lazytime", "nolazytime", "silent", "loud", "iversion", "noiversion",
})
"""Those of mount(8) that mean nothing here or are mount(8)'s own business."""
# fmt: on

_KERNEL: Final = frozenset({"default_permissions", "auto_unmount"})
_GENERIC_PREFIXES: Final = ("x-", "X-", "comment=", "user=", "uhelper=", "helper=")
_KERNEL_PREFIXES: Final = ("user_id=", "group_id=", "rootmode=", "fd=", "max_read=", "blksize=", "subtype=")
"""What /proc/mounts shows of a FUSE mount, and scripts copy from there: always so for our mounts, or not for users to choose."""

_SEPARATOR = re.compile(r"(?<!\\),")


class ParsedOptions(msgspec.Struct, frozen=True):
    """What ``-o`` said: values for the configuration, and what only concerns the mount (``source``: None where not said)."""

    given: tuple[Given, ...] = ()
    config_file: Path | None = None
    source: str | None = None
    nonempty: bool = False


class MountCall(msgspec.Struct, frozen=True):
    """A call in mount(8)'s form, turned into arguments of ``wheelfs mount``."""

    arguments: list[str] = msgspec.field(default_factory=list)
    pretend: bool = False


def parse_options(texts: Iterable[str]) -> ParsedOptions:
    r"""Parse the values of all ``-o``; raise `UsageError` that names every unknown option.

    Every setting of a mount is one, under the name of its variable without ``WHEELFS_``; ``_`` and ``-`` are the same.  A comma
    inside a value is written ``\,``.
    """
    given: dict[str, Given] = {}
    own: dict[str, str] = {}
    problems: list[str] = []
    for word in (part.replace("\\,", ",") for text in texts for part in _SEPARATOR.split(text)):
        name, separator, value = word.partition("=")
        plain = name.replace("_", "-")
        if plain in _OWN:
            own[plain] = value
            problems += _misused(name, is_flag=_OWN[plain] is None, value=value, separator=separator)
        elif plain in _SETTINGS:
            option = _SETTINGS[plain]
            # A flag may have a value all the same: that is how one that the configuration sets is taken back.
            problems += [] if option.is_flag else _misused(name, is_flag=False, value=value, separator=separator)
            _add(given, option, value if separator else "true", f"-o {name}")
        elif name == "remount":
            raise UsageError(
                "remount",
                "a running mount cannot change its options",
                "`wheelfs umount DIR`, then mount it again: what is stored stays",
            )
        elif word and not _means_nothing(word):
            problems.append(f"unknown option {name[:80]!r}{did_you_mean(name, [_as_mount_says(known) for known in _names()])}")
    if problems:
        raise UsageError("read the mount options of -o", "; ".join(problems))
    config_file = Path(own["config"]) if "config" in own else None
    return ParsedOptions(tuple(given.values()), config_file, own.get("fsname"), "nonempty" in own)


def _add(given: dict[str, Given], option: Option, value: str, place: str) -> None:
    if not option.is_repeated:
        given[option.field] = Given(option.field, value, place)
        return
    known = given.get(option.field)
    before = known.value if known is not None and isinstance(known.value, list) else []
    given[option.field] = Given(option.field, [*before, value], place)


def _misused(name: str, *, is_flag: bool, value: str, separator: str) -> list[str]:
    if is_flag:
        return [f"{name} takes no value"] if separator else []
    return [] if value else [f"{name} needs a value ({name}=...)"]


def _means_nothing(word: str) -> bool:
    return word in _GENERIC | _KERNEL or word.startswith(_GENERIC_PREFIXES + _KERNEL_PREFIXES)


def _names() -> list[str]:
    return [*_SETTINGS, *_OWN]


def _as_mount_says(name: str) -> str:
    return "allow_other" if name == "allow-other" else name  # libfuse's spelling


def option_texts() -> list[str]:
    """Return all options that ``-o`` understands, as they are written."""
    own = [name if value is None else f"{name}={value}" for name, value in _OWN.items()]
    return [*(_text(option) for option in _SETTINGS.values()), *own]


def _text(option: Option) -> str:
    value = option.metavar or ("|".join(option.choices) if option.choices else "VALUE")
    return _as_mount_says(option.name) if option.is_flag else f"{option.name}={value}"


def complete_options(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return how the last word of ``-o`` may go on."""
    before, comma, last = incomplete.rpartition(",")
    words = [text.partition("=")[0] + ("=" if "=" in text else "") for text in option_texts()]
    return [CompletionItem(f"{before}{comma}{word}") for word in words if word.startswith(last)]


def is_mount_call(program: str, arguments: Sequence[str], commands: Iterable[str]) -> bool:
    """Return whether these are arguments in mount(8)'s form: called by a mount name, or ``SOURCE /DIR ...`` with no command."""
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

    SOURCE is an index (``NAME=URL`` or a URL), or one of `EMPTY_SOURCES`; the mount's list shows it as it is given, since
    ``mount -a`` compares the two, except that credentials are left out.
    """
    direct = Path(program).name in MOUNT_PROGRAM_NAMES
    positional: list[str] = []
    out: list[str] = []
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
            advice = 'wheelfs --help lists the commands; the source of a mount is "none", a URL or NAME=URL'
            raise UsageError("run wheelfs", f"{source[:80]!r} is neither a command nor the source of a mount", advice)
        out += ["--index", source]
    # Before the options given, so that an fsname among them wins.
    shown = ["-o", "fsname=" + redact(source).replace(",", "\\,")] if source else []
    return MountCall(["mount", *shown, *out, "--", directory], pretend)
