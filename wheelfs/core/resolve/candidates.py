"""Which file of a project to take for a target: installers' own rules, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from wheelfs.core.versions import names_one_version
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName, kind_of, project_and_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.links import FileLink
    from wheelfs.model.wanted import Wanted


@dataclass(frozen=True, slots=True)
class NothingFits:
    """No file can be taken; ``reason`` says how far the best ones came.  ``is_mismatch``: only their hashes were other ones."""

    reason: str
    is_mismatch: bool = False


def choose(wanted: Wanted, links: Iterable[FileLink], target: Target) -> FileLink | NothingFits:
    """Return the file that an installer on ``target`` would take.

    The newest version that fits and has one; of it the wheel with the most preferred tags and the highest build, else an
    sdist.  Pre-releases are taken when they are wanted, by a version or at all, or when there is nothing else (PEP 440), yanked
    files only when a single version is asked for (PEP 592).
    """
    by_version: dict[Version, list[FileLink]] = {}
    for link in links:
        told = project_and_version(link.filename)
        if told is not None:
            by_version.setdefault(told[1], []).append(link)
    if not by_version:
        return NothingFits("it has no files")
    versions = sorted(wanted.specifier.filter(by_version, prereleases=wanted.prereleases or None), reverse=True)
    if not versions:
        return NothingFits("no version fits")
    is_single = names_one_version(wanted.specifier)
    fitting = [link for version in versions for link in by_version[version] if is_single or link.yanked is None]
    if not fitting:
        return NothingFits("what fits is yanked")
    named = [link for link in fitting if has_one_of(link, wanted.hashes)]
    if not named:
        return NothingFits("none of its files has a hash that was asked for", is_mismatch=True)
    usable = [(rank, link) for link in named if (rank := _rank(link, target)) is not None]
    if not usable:
        return NothingFits("none of its files is for this Python and platform")
    newest = {version: place for place, version in enumerate(versions)}
    return min(usable, key=lambda one: (newest[_version(one[1])], one[0]))[1]


def has_one_of(link: FileLink, hashes: frozenset[str]) -> bool:
    """Return whether a file has one of ``hashes``, or may have: what its index does not tell is checked when it is here."""
    told = {f"{algorithm}:{digest}".lower() for algorithm, digest in (link.other_hashes or {}).items()}
    if link.sha256 is not None:
        told.add(f"sha256:{link.sha256.hex()}")
    return not hashes or not told or not hashes.isdisjoint(told)


def _rank(link: FileLink, target: Target) -> tuple[int, int, str] | None:
    """Return how preferred a file is, the smallest most, or None when it cannot be used."""
    if link.requires_python is not None:
        try:
            if not SpecifierSet(link.requires_python).contains(target.python, prereleases=True):
                return None
        except InvalidSpecifier:
            pass  # as in pip: what cannot be read forbids nothing
    if kind_of(link.filename) != "wheel":
        return len(target.ranks), 0, ""
    try:
        wheel = WheelName(link.filename)
    except InvalidInput:
        return None
    ranks = [target.ranks[tag] for tag in wheel.tags if tag in target.ranks]
    return (min(ranks), -(wheel.build[0] if wheel.build else 0), link.filename) if ranks else None


def _version(link: FileLink) -> Version:
    told = project_and_version(link.filename)
    assert told is not None
    return told[1]
