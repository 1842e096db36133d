"""Which files of a project's page a flat directory lists because the project is tracked: a pure function, and a fast one.

A page may list 5,000 files, so names are taken apart by hand (PEP 427: five or six parts between dashes) and each version is read
once, not once for each of its files.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelfs.core.versions import names_one_version
from wheelfs.model.names import variant_of
from wheelfs.model.versions import parse_specifiers, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelfs.core.platforms.machine import Machine
    from wheelfs.model.links import FileLink
    from wheelfs.model.tracked import Tracked

_OLDEST: Final = Version("0.dev0")


def chosen(tracked: Tracked, links: Iterable[FileLink], machine: Machine) -> list[FileLink]:
    """Return the wheels that ``tracked`` is about, in the order of ``links``.

    Pre-releases are left out unless a range or ``prereleases`` asks for them or there is nothing else (PEP 440), yanked files
    unless a range names their version alone (PEP 592).
    """
    found: list[tuple[FileLink, str]] = []
    # By what stands before the version and after it: of that a project has little that differs, and thousands of versions.
    fitting: dict[tuple[str, str], bool] = {}
    for link in links:
        parts = link.filename.split("-", 2)
        if len(parts) < 3 or not parts[1]:
            continue
        shape = parts[0], parts[2]
        if shape not in fitting:
            is_ours = _version_text(link.filename, tracked.project) is not None
            fitting[shape] = is_ours and (tracked.every_platform or machine.accepts(link.filename))
        if fitting[shape]:
            found.append((link, parts[1]))
    wanted, named = _wanted_versions(tracked, {version for link, version in found if link.yanked is None or _is_single(tracked)})
    return [link for link, version in found if (version in wanted if link.yanked is None else version in named)]


def _wanted_versions(tracked: Tracked, versions: set[str]) -> tuple[set[str], set[str]]:
    """Return those of ``versions`` that are in a range, and those that a range names alone."""
    parsed = {text: version for text in versions if (version := _version(text)) is not None}
    wanted: set[str] = set()
    named: set[str] = set()
    for one in _specifiers(tracked.ranges):
        fitting = set(one.filter(parsed.values(), prereleases=True if tracked.prereleases else None))
        texts = {text for text, version in parsed.items() if version in fitting}
        wanted |= texts
        if names_one_version(one):
            named |= texts
    return wanted, named


def newest_first(links: Iterable[FileLink]) -> list[FileLink]:
    """Return wheels by version, the newest first; what has none that can be read comes last."""

    def age(link: FileLink) -> Version:
        parts = link.filename.split("-", 2)
        return (_version(parts[1]) if len(parts) == 3 else None) or _OLDEST

    return sorted(links, key=age, reverse=True)


def _is_single(tracked: Tracked) -> bool:
    return any(names_one_version(one) for one in _specifiers(tracked.ranges))


@lru_cache(maxsize=1_024)
def _specifiers(ranges: tuple[str, ...]) -> tuple[SpecifierSet, ...]:
    # They were checked at the door; what another build wrote and this one cannot read chooses nothing.
    found = []
    for text in ranges:
        try:
            found.append(parse_specifiers(text))
        except InvalidSpecifier:
            continue
    return tuple(found)


@lru_cache(maxsize=20_000)
def _version(text: str) -> Version | None:
    try:
        return parse_version(text)
    except InvalidVersion:
        return None


def _version_text(filename: str, project: str) -> str | None:
    """Return the version in a wheel's filename; None when it is no wheel of ``project``."""
    if not filename.endswith(".whl"):
        return None
    parts = filename[:-4].split("-")
    if variant_of(filename) is not None:  # none is chosen: PEP 825 is a draft
        return None
    if len(parts) not in (5, 6) or not all(parts) or _normalized(parts[0]) != project:
        return None
    return parts[1]


@lru_cache(maxsize=4_096)
def _normalized(name: str) -> str:
    return canonicalize_name(name)
