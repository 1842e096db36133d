"""What a resolver will ask for next: the requirements in a wheel's METADATA, and the file of each that it will look at first.

A guess that costs a small question when it is wrong; so nothing here raises, and nothing is read beyond a bound.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.version import InvalidVersion, Version

from wheelfs.core.resolve.candidates import NothingFits, choose
from wheelfs.errors import InvalidInput
from wheelfs.model.names import parse_project_name
from wheelfs.model.versions import parse_requirement, parse_version
from wheelfs.model.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.links import FileLink

MAX_HEADER_BYTES: Final = 256 * 1024
"""How much of METADATA is looked at: its headers come first, and hold some kilobytes."""
MAX_REQUIREMENTS: Final = 64
"""The largest applications have some fifty; a wheel that names thousands makes no flood of questions."""
VERSIONS: Final = 3
"""How many of the newest versions are looked at for a wheel that fits."""

_REQUIRES = re.compile(rb"^Requires-Dist:[ \t]*([^\r\n]{1,1000})", re.IGNORECASE | re.MULTILINE)
_BODY = re.compile(rb"\r?\n\r?\n")
_PYTHON = re.compile(r"-cp(3)(\d{1,2})-cp\d+\w*-[^-]+\.whl\Z")


def requirements(metadata: bytes, environment: Mapping[str, str], extras: Iterable[str] = ()) -> list[Wanted]:
    """Return what a wheel with this METADATA needs in ``environment`` when ``extras`` of it are wanted, each project once."""
    headers = _BODY.split(metadata[:MAX_HEADER_BYTES], maxsplit=1)[0]
    found: dict[str, Wanted] = {}
    for match in _REQUIRES.finditer(headers):
        wanted = _wanted(match[1].decode(errors="replace"), environment, ("", *extras))
        if wanted is not None:
            found.setdefault(wanted.project, wanted)
        if len(found) == MAX_REQUIREMENTS:
            break
    return list(found.values())


def _wanted(text: str, environment: Mapping[str, str], extras: tuple[str, ...]) -> Wanted | None:
    try:
        one = parse_requirement(text)
        if one.url or (
            one.marker is not None and not any(one.marker.evaluate({**environment, "extra": extra}) for extra in extras)
        ):
            return None
        return Wanted(parse_project_name(one.name), one.specifier, extras=frozenset(one.extras))
    except (InvalidRequirement, InvalidInput, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return None


def likely(wanted: Wanted, links: Iterable[FileLink], target: Target) -> Iterator[FileLink]:
    """Yield the wheels that a resolver on ``target`` will look at first, the likeliest first; a page may list thousands."""
    by_version: dict[str, list[FileLink]] = {}
    for link in links:
        parts = link.filename.split("-", 2)
        if len(parts) == 3 and link.filename.endswith(".whl") and link.yanked is None:
            by_version.setdefault(parts[1], []).append(link)
    texts = {version: text for text in by_version if (version := _version(text)) is not None}
    for version in sorted(wanted.specifier.filter(texts), reverse=True)[:VERSIONS]:
        chosen = choose(Wanted(wanted.project), by_version[texts[version]], target)
        if not isinstance(chosen, NothingFits):
            yield chosen


def python_of(filename: str) -> str | None:
    """Return the version of CPython that a wheel is made for; None where it is for many."""
    match = _PYTHON.search(filename)
    return None if match is None or "-abi3-" in filename else f"{match[1]}.{match[2]}"


@lru_cache(maxsize=4_096)
def _version(text: str) -> Version | None:
    try:
        return parse_version(text)
    except InvalidVersion:
        return None
