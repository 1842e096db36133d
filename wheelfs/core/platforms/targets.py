"""Which machine files are chosen for: its wheel tags in order of preference, its Python, and what markers see of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.version import InvalidVersion, Version

from wheelfs.core.platforms.known import is_minor, is_platform, like_platform, like_python
from wheelfs.errors import UsageError
from wheelfs.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.tags import Tag

_LINUX = re.compile(r"(?P<family>manylinux|musllinux)_(?P<major>[12])_(?P<minor>\d{1,3})_(?P<machine>\w+)")
_MAC = re.compile(r"macosx_(?P<major>\d{1,2})_(?P<minor>\d{1,2})_(?P<machine>\w+)")
_LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Older names of the same platforms (PEP 600)."""
_OLD_NAMES: Final = {name: minor for minor, name in _LEGACY.items()}
_OLD_LINUX = re.compile(rf"(?P<name>{'|'.join(_OLD_NAMES)})_(?P<machine>\w+)")
_MARKERS: Final = {
    "linux": ("linux", "Linux", "posix"),
    "manylinux": ("linux", "Linux", "posix"),
    "musllinux": ("linux", "Linux", "posix"),
    "macosx": ("darwin", "Darwin", "posix"),
    "win": ("win32", "Windows", "nt"),
}
"""What ``sys_platform``, ``platform_system`` and ``os_name`` are, by how a platform tag begins."""
_WINDOWS: Final = {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}
"""What ``platform_machine`` is where it does not stand in the tag.  Like releases, which no tag tells, it is as uv has it."""


@dataclass(frozen=True, slots=True)
class Target:
    """``tags`` in order of preference; ``environment`` is what environment markers are evaluated in.

    ``python`` is a release: what a pre-release is for, as in `of_release`.
    """

    tags: tuple[Tag, ...]
    environment: Mapping[str, str]
    python: Version
    ranks: Mapping[Tag, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ranks: dict[Tag, int] = {}
        for rank, tag in enumerate(self.tags):
            ranks.setdefault(tag, rank)
        object.__setattr__(self, "ranks", ranks)


def this_machine(tags: Iterable[Tag], environment: Mapping[str, str]) -> Target:
    """Return the target that has these tags and this environment."""
    return Target(tuple(tags), of_release(environment), _release(environment["python_full_version"]))


def of_release(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what markers see, where a pre-release of a Python counts as the release that it is for.

    So it does to uv, and to pip where Requires-Python is concerned.  Else neither ``python_full_version >= '3.14'`` nor
    ``< '3.14'`` would hold for 3.14.0rc1.
    """
    return {**environment, "python_full_version": str(_release(environment["python_full_version"]))}


def named(
    python: str | None, platforms: Sequence[str], *, machine_platforms: Sequence[str], environment: Mapping[str, str]
) -> Target:
    """Return a CPython of version ``python`` on ``platforms`` (tags); what is not given is as on this machine.

    A ``manylinux_X_Y``, ``musllinux_X_Y`` or ``macosx_X_Y`` platform stands for all that it can run.  Raises `UsageError`.
    """
    here = _release(environment["python_full_version"])
    version = here if python is None else _python(python, here.minor)
    known = {**environment, "python_full_version": str(version)}
    accepted = list(machine_platforms)
    if platforms:
        accepted = list(dict.fromkeys(one for platform in platforms for one in runs(platform)))
        known |= _described(platforms[0])
    if python is not None:
        known |= {
            "python_version": f"{version.major}.{version.minor}",
            "implementation_version": str(version),
        }
    known |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    pair = (version.major, version.minor)
    tags = (
        *cpython_tags(pair, platforms=accepted),
        *compatible_tags(pair, interpreter=f"cp{version.major}{version.minor}", platforms=accepted),
    )
    return Target(tags, known, version)


def _python(text: str, here: int) -> Version:
    try:
        version = parse_version(text)
    except InvalidVersion:
        version = None
    attempted, meant = f"read --python {text[:40]!r}", like_python(text, here=here)
    advice = "for example --python 3.12" if meant is None or meant == text else f"did you mean {meant}?"
    if version is None or len(version.release) not in (2, 3) or version.major != 3 or version.epoch or version.local:
        raise UsageError(attempted, "it is no version of Python 3", advice)
    if not is_minor(version.minor, here=here):
        raise UsageError(attempted, "there is no such version of Python", advice)
    return _release(text) if len(version.release) == 3 else Version(f"{version.major}.{version.minor}.0")


def _release(text: str) -> Version:
    # A Python built from a checkout calls itself 3.15.0a1+, which is no version.
    return Version(Version(text.removesuffix("+")).base_version)


def runs(platform: str, *, named_by: str = "--platform") -> list[str]:
    """Return the platform tags that a machine of platform tag ``platform`` can run; raises `UsageError`.

    ``named_by`` is the option that it comes from, for the message.
    """
    if not is_platform(platform):
        meant = like_platform(platform)
        advice = (
            "for example manylinux_2_28_x86_64, macosx_11_0_arm64 or win_amd64" if meant is None else f"did you mean {meant}?"
        )
        raise UsageError(f"read {named_by} {platform[:80]!r}", "it is no platform tag of a wheel", advice)
    if old := _OLD_LINUX.fullmatch(platform):
        return runs(f"manylinux_2_{_OLD_NAMES[old['name']]}_{old['machine']}")
    if linux := _LINUX.fullmatch(platform):
        family, machine, minor = linux["family"], linux["machine"], int(linux["minor"])
        names: list[str] = []
        for lower in range(minor, -1, -1):
            names.append(f"{family}_{linux['major']}_{lower}_{machine}")
            if family == "manylinux" and lower in _LEGACY:
                names.append(f"{_LEGACY[lower]}_{machine}")
        return [*names, f"linux_{machine}"]
    if mac := _MAC.fullmatch(platform):
        return list(mac_platforms((int(mac["major"]), int(mac["minor"])), mac["machine"]))
    return [platform]


def _described(platform: str) -> dict[str, str]:
    family = re.match(r"[a-z]*", platform)
    described = _MARKERS.get(family[0] if family else "")
    if described is None:
        return {}
    system, name, kind = described
    # After the family and the numbers: win_amd64, macosx_11_0_arm64, manylinux2014_x86_64.
    machine = re.sub(r"^[a-z]+\d*(_\d+)*_", "", platform)
    return {
        "sys_platform": system,
        "platform_system": name,
        "os_name": kind,
        "platform_machine": _WINDOWS.get(platform, machine),
        "platform_release": "",
        "platform_version": "",
    }
