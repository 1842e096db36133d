"""Asking uv for a resolution, and reading its answer: what it is given, which of our targets it knows, what it said.

Source: "uv pip compile" in uv's command reference.  uv resolves for one platform at a time, and knows platforms by names of
its own, each of which stands for a set of wheel tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.pylock import Pylock

from wheelfs.core.resolve import toml
from wheelfs.core.resolve.merge import as_one
from wheelfs.core.resolve.requirements_txt import parse
from wheelfs.errors import InternalError, UsageError
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelfs.core.resolve.allowed_files import AllowedFiles

_LINUX = re.compile(r"manylinux_2_(?P<minor>\d+)_(?P<machine>x86_64|aarch64)")
_LEGACY = re.compile(r"manylinux2014_(?P<machine>x86_64|aarch64)")
_MAC = re.compile(r"macosx_(?P<version>\d+_\d+)_(?P<machine>arm64|x86_64)")
_MINORS: Final = frozenset({17, 28, *range(31, 41)})
"""Versions of glibc for which uv has names."""
_OTHERS: Final = {
    "musllinux_1_2_x86_64": "x86_64-unknown-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-unknown-linux-musl",
    "win_amd64": "x86_64-pc-windows-msvc",
    "win_arm64": "aarch64-pc-windows-msvc",
    "win32": "i686-pc-windows-msvc",
}
_KNOWN: Final = (
    "manylinux_2_17, 2_28 and 2_31 to 2_40 and manylinux2014 for x86_64 and aarch64, musllinux_1_2 for the same, macosx_X_Y for "
    "arm64 and x86_64, win_amd64, win_arm64 and win32"
)

_SHOWN_LINES: Final = 60
"""Of what uv says: its explanations of a conflict may be long, and their ends say it all."""
_OF_OFFLINE: Final = ("not found in the cache", "not found in the index")
_HINT_OF_OFFLINE: Final = "hint: Packages were unavailable because the network was disabled"
"""What uv says of a project that the index does not have, since we run it with ``--offline``: it would mislead."""
_INDEX = re.compile(r"[A-Za-z0-9._-]+")
"""Names of indexes: uv takes no others, and would read others as addresses."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def platform_options(platforms: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return uv's options and environment for wheel platform tags; raises `UsageError` for what uv has no name for."""
    if not platforms:
        return [], {}
    if len(platforms) > 1:
        raise UsageError(
            f"resolve for {' and '.join(platforms)}", "uv resolves for one platform at a time", "give one --platform for each run"
        )
    [platform] = platforms
    environment = {}
    if (linux := _LINUX.fullmatch(platform)) and int(linux["minor"]) in _MINORS:
        name = f"{linux['machine']}-manylinux_2_{linux['minor']}"
    elif legacy := _LEGACY.fullmatch(platform):
        name = f"{legacy['machine']}-manylinux2014"
    elif mac := _MAC.fullmatch(platform):
        name = f"{'aarch64' if mac['machine'] == 'arm64' else mac['machine']}-apple-darwin"
        environment["MACOSX_DEPLOYMENT_TARGET"] = mac["version"].replace("_", ".")
    elif platform in _OTHERS:
        name = _OTHERS[platform]
    else:
        happened = "uv has no name for this platform, so --with-deps cannot be used with it"
        raise UsageError(f"resolve for {platform[:80]}", happened, f"it has for {_KNOWN}")
    return ["--python-platform", name], environment


def requirements_text(wanted: Iterable[Wanted], *, extras: bool = True) -> str:
    """Return a requirements file; markers were evaluated before, and hashes are compared when files are fetched."""
    return "".join(f"{one if extras else replace(one, extras=frozenset())}\n" for one in wanted)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a ``pyproject.toml`` names by which uv finds things: indexes, paths, and members of its workspace as patterns."""

    indexes: frozenset[str]
    paths: tuple[str, ...]
    members: tuple[str, ...]


def sources(text: str) -> Sources:
    """Return what a ``pyproject.toml`` has in ``[tool.uv]``; nothing of one that cannot be read, about which uv itself speaks."""
    try:
        table = toml.loads(text).get("tool", {}).get("uv", {})
        listed = (one if isinstance(one, list) else [one] for one in table.get("sources", {}).values())
        named = [one for some in listed for one in some]
        return Sources(
            frozenset(one["index"] for one in named if "index" in one and _INDEX.fullmatch(one["index"])),
            tuple(str(one["path"]) for one in named if "path" in one),
            tuple(map(str, table.get("workspace", {}).get("members", ()))),
        )
    except (ValueError, AttributeError, TypeError):
        return Sources(frozenset(), (), ())


def index_options(url: str, names: Iterable[str]) -> list[str]:
    """Return uv's options for its one index, which stands for those of ``names``, too, wherever a project says that they are."""
    return ["--default-index", url, *(f"--index={name}={url}" for name in sorted(names))]


def choice_options(allowed: AllowedFiles) -> list[str]:
    """Return uv's options for the kinds of files and releases that may be taken; it has none that prefers wheels."""
    options = [f"--only-binary={name}" for name in sorted(allowed.only_binary)]
    options += [f"--no-binary={name}" for name in sorted(allowed.no_binary)]
    named = [(name, "allow") for name in sorted(allowed.all_releases)] + [
        (name, "disallow") for name in sorted(allowed.only_final)
    ]
    for name, mode in named:
        options += [f"--prerelease={mode}"] if name == ":all:" else [f"--prerelease-package={name}={mode}"]
    return options


def pins(text: str, asked: Iterable[Wanted], allowed: AllowedFiles, environment: Mapping[str, str]) -> list[Wanted]:
    """Return what uv has chosen of the index, with the hashes that were asked for where any were; raises `InternalError`.

    What else stands in its answer is what `elsewhere` returns.
    """
    known: dict[str, Wanted] = {one.project: one for one in as_one(list(asked))}
    found: list[Wanted] = []
    for entry in parse(text, environment):
        if isinstance(entry, LocalPath | Unfetchable):
            continue
        if not isinstance(entry, Wanted) or not entry.specifier:
            raise InternalError("read what uv has resolved", f"{entry} is no version of a project")
        one = known.get(entry.project)
        hashes, places = (frozenset[str](), ()) if one is None else (one.hashes, one.places)
        found.append(allowed.applied(replace(entry, extras=frozenset(), hashes=hashes, places=places, is_resolved=True)))
    return found


def elsewhere(text: str, environment: Mapping[str, str]) -> list[LocalPath | Unfetchable]:
    """Return what uv's answer has that is not of the index: at paths, what it was given included, and out of repositories.

    A path is as it was written, for example in the ``pyproject.toml`` of a directory that uv was given, and counts from there.
    """
    return [entry for entry in parse(text, environment) if isinstance(entry, LocalPath | Unfetchable)]


def at_paths(text: str) -> list[LocalPath]:
    """Return what uv's answer has at paths, which count from where it was written as a ``pylock.toml`` (PEP 751)."""
    found = []
    for package in Pylock.from_dict(toml.loads(text)).packages:
        place = package.directory or package.archive
        if place is not None and place.path is not None:
            pin = str(package.name) if package.version is None else f"{package.name}=={package.version}"
            is_editable = package.directory is not None and bool(package.directory.editable)
            found.append(LocalPath(pin, place.path, ProjectName(package.name), is_editable=is_editable))
    return found


def said(text: str, index_url: str) -> str:
    """Return what uv said on stderr, without colours, warnings, our passing address of the index, and our ``--offline``."""
    plain = _COLOURS.sub("", text).replace(index_url, "the index").replace(*_OF_OFFLINE)
    kept = [line.rstrip() for line in plain.splitlines() if line.strip() and not line.startswith(("warning:", _HINT_OF_OFFLINE))]
    return "\n".join(kept[-_SHOWN_LINES:]).removeprefix("error: ").strip()


def warnings(text: str) -> list[str]:
    """Return the warnings among what uv said."""
    lines = _COLOURS.sub("", text).splitlines()
    return [line.removeprefix("warning:").strip() for line in lines if line.startswith("warning:")][:_SHOWN_LINES]
