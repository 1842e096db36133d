"""Versions, specifiers and requirements out of strangers' texts: ``packaging``, through one door.

``packaging`` raises its own errors for what is malformed, but a plain ValueError, now or when two are compared, for a number of
more digits than Python converts (4,300); a number of so many is no version here.
"""

from __future__ import annotations

import re
from typing import Final

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

MAX_VERSION: Final = 1_000
"""A filename has no room for a longer one."""
_ENDLESS = re.compile(r"[0-9]{300}")


def parse_version(text: object) -> Version:
    """Return a version; raise `InvalidVersion` for anything else, what is no text included."""
    if not isinstance(text, str) or len(text) > MAX_VERSION or _ENDLESS.search(text):
        raise InvalidVersion(f"Invalid version: {str(text)[:80]!r}")
    return Version(text)


def parse_specifiers(text: str) -> SpecifierSet:
    """Return a set of specifiers (PEP 440); raise `InvalidSpecifier` for anything else."""
    if _ENDLESS.search(text):
        raise InvalidSpecifier(f"Invalid specifier: {text[:80]!r}")
    return SpecifierSet(text)


def parse_requirement(text: str) -> Requirement:
    """Return a requirement (PEP 508); raise `InvalidRequirement` for anything else."""
    if _ENDLESS.search(text):
        raise InvalidRequirement(f"a number without end: {text[:80]!r}")
    try:
        return Requirement(text)
    except RecursionError:
        raise InvalidRequirement(f"a marker nested too deeply: {text[:80]!r}") from None


def parse_marker(text: str) -> Marker:
    """Return a marker (PEP 508); raise `InvalidMarker` for anything else, one nested too deeply included."""
    if _ENDLESS.search(text):
        raise InvalidMarker(f"a number without end: {text[:80]!r}")
    try:
        return Marker(text)
    except RecursionError:
        raise InvalidMarker(f"a marker nested too deeply: {text[:80]!r}") from None
