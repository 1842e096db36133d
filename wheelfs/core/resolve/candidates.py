"""Which file of a project to take for a target: installers' own rules, as a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import InvalidSpecifier

from wheelfs.core.hashes import has_one_of
from wheelfs.core.versions import names_one_version
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName, kind_of, variant_of, versions_of
from wheelfs.model.versions import parse_specifiers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.version import Version

    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.links import FileLink
    from wheelfs.model.wanted import Wanted


class NothingFits(msgspec.Struct, frozen=True):
    """No file can be taken; ``reason`` says how far the best ones came.  ``is_mismatch``: only their hashes were other ones."""

    reason: str
    is_mismatch: bool = False


class _Candidate(msgspec.Struct, frozen=True):
    """A file that the target can use.  ``rank``: the smallest is preferred among the files of a version."""

    link: FileLink
    version: Version
    rank: tuple[int, int, str, str]

    @property
    def is_wheel(self) -> bool:
        return kind_of(self.link.filename) == "wheel"


def choose(wanted: Wanted, links: Iterable[FileLink], target: Target) -> FileLink | NothingFits:
    """Return the file that an installer on ``target`` would take.

    The newest version that fits and has one that can be used; of it the wheel with the most preferred tags and the highest
    build, else an sdist.  Files that are known to have a hash that was asked for go before all others, and so does any wheel
    where wheels are preferred; but of the files that a lock names the best one has to have its hash, as uv has it.  Pre-releases
    are taken when they are wanted, by a version or at all, or when nothing else that can be used fits (PEP 440), yanked files
    only when a lock names them, or a single version is asked for and nothing else of it is left (PEP 592).
    """
    # Variants (PEP 825, draft) are passed on to installers, and none is chosen here.
    plain = (link for link in links if kind_of(link.filename) != "variants" and variant_of(link.filename) is None)
    named = [link for link in plain if not wanted.filenames or link.filename in wanted.filenames]
    versions = versions_of((link.filename for link in named), wanted.project)
    listed = [link for link in named if link.filename in versions]
    if not listed:
        return NothingFits("it has none of the files that the lock names" if wanted.filenames else "it has no files")
    # Before tags are looked at, since a page may list thousands: what no pre-release could change is left out.
    inside = set(wanted.specifier.filter(set(versions.values()), prereleases=True))
    fitting = [link for link in listed if versions[link.filename] in inside]
    if not fitting:
        return NothingFits("no version fits")
    usable = [one for link in fitting if (one := _usable(link, versions[link.filename], wanted, target)) is not None]
    if not usable:
        return _none_usable(fitting, wanted)
    allowed = set(wanted.specifier.filter({one.version for one in usable}, prereleases=wanted.prereleases))
    usable = [one for one in usable if one.version in allowed]
    if not usable:
        return NothingFits("what fits is a pre-release")
    return _best(usable, wanted)


def _best(usable: Sequence[_Candidate], wanted: Wanted) -> FileLink | NothingFits:
    if wanted.filenames:
        return _of_lock(usable, wanted)
    verdicts = {one.link.filename: link_has_one_of(one.link, wanted.hashes) for one in usable}
    hashed = [one for one in usable if verdicts[one.link.filename] is not False]
    if not hashed:
        return NothingFits("none of its files has a hash that was asked for", is_mismatch=True)
    kept = [one for one in hashed if one.link.yanked is None] or (hashed if names_one_version(wanted.specifier) else [])
    if not kept:
        return NothingFits("what fits is yanked")

    def order(one: _Candidate) -> tuple[bool, bool, Version]:
        return verdicts[one.link.filename] is True, one.is_wheel and wanted.prefers_wheels, one.version

    best = max(map(order, kept))
    return min((one for one in kept if order(one) == best), key=lambda one: one.rank).link


def _of_lock(usable: Sequence[_Candidate], wanted: Wanted) -> FileLink | NothingFits:
    """Return the best of the files that a lock names, yanked or not.

    Another hash than the lock's means that the file was replaced or the lock altered, and is no reason to take the next best.
    """
    best = min(usable, key=lambda one: one.rank).link
    if link_has_one_of(best, wanted.hashes) is False:
        return NothingFits(f"{best.filename} has none of the hashes that the lock gives", is_mismatch=True)
    return best


def _none_usable(fitting: Sequence[FileLink], wanted: Wanted) -> NothingFits:
    kinds = {kind_of(link.filename) for link in fitting}
    if not wanted.kinds & kinds:
        excluded = "--only-binary" if "sdist" in kinds else "--no-binary"
        return NothingFits(f"what fits is excluded by {excluded}")
    if wanted.kinds != {"wheel", "sdist"}:
        excluded = "--only-binary" if "wheel" in wanted.kinds else "--no-binary"
        return NothingFits(f"none of its files that {excluded} allows is for this Python and platform")
    return NothingFits("none of its files is for this Python and platform")


def link_has_one_of(link: FileLink, hashes: frozenset[str]) -> bool | None:
    """Return whether a file has one of ``hashes``; None: its index does not tell, so that has to be compared when it is here."""
    return has_one_of(hashes, (link.other_hashes or {}) | ({} if link.sha256 is None else {"sha256": link.sha256.hex()}))


def why_an_sdist(chosen: FileLink, wanted: Wanted, links: Iterable[FileLink]) -> str | None:
    """Return what to say of an sdist that was taken because no wheel could be; None for others, and where it was asked for."""
    if kind_of(chosen.filename) != "sdist" or "wheel" not in wanted.kinds:
        return None
    versions = versions_of((link.filename for link in links), wanted.project)
    version = versions[chosen.filename]
    has_wheels = any(name.endswith(".whl") and of == version for name, of in versions.items())
    why = f"no wheel of version {version} is for this Python and platform" if has_wheels else f"version {version} has no wheel"
    advice = "--only-binary takes wheels alone" if any(name.endswith(".whl") for name in versions) else "no version has one"
    return f"it is an sdist, which is built where it is installed: {why} ({advice})"


def _usable(link: FileLink, version: Version, wanted: Wanted, target: Target) -> _Candidate | None:
    kind = kind_of(link.filename)
    if kind not in wanted.kinds:
        return None
    # uv takes no upper bound of a dependency's Requires-Python for one, and does not look at it where a lock is installed: what
    # it has chosen is for this Python.
    if link.requires_python is not None and not (wanted.filenames or wanted.is_resolved):
        try:
            if not parse_specifiers(link.requires_python).contains(target.python, prereleases=True):
                return None
        except InvalidSpecifier:
            pass  # as in pip: what cannot be read forbids nothing
    if kind != "wheel":
        return _Candidate(link, version, (len(target.ranks), 0, "", link.filename))
    try:
        wheel = WheelName(link.filename)
    except InvalidInput:
        return None
    ranks = [target.ranks[tag] for tag in wheel.tags if tag in target.ranks]
    build = wheel.build or (0, "")
    # A build's letters go upwards like its number; there are few, so the largest is told apart by what it lacks to the end.
    return _Candidate(link, version, (min(ranks), -build[0], _descending(build[1]), link.filename)) if ranks else None


def _descending(text: str) -> str:
    """Return a text that sorts the other way round among texts of one length."""
    return "".join(chr(0x10FFFF - ord(letter)) for letter in text)
