"""Which wheels a machine or a Python can use, told by filename alone and fast: a page may list thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from packaging.tags import compatible_tags, cpython_tags

from wheelfs.model.names import kind_of, wheel_tags

if TYPE_CHECKING:
    from collections.abc import Iterable


class Machine(msgspec.Struct, frozen=True):
    """A platform and architecture, as the set of platform tags that it accepts (PEP 425, 600, 656)."""

    platforms: frozenset[str]

    def accepts(self, filename: str) -> bool:
        """Return whether ``filename`` is an sdist, a file about variants, or a wheel that can run here under some CPython 3."""
        tags = wheel_tags(filename)
        if tags is None:
            return kind_of(filename) in ("sdist", "variants")
        return any(python.startswith(("cp3", "py3")) for python in tags[0].split(".")) and self._runs(tags[2])

    def runs(self, filename: str) -> bool:
        """Return whether a wheel is for this platform, whatever Python it wants."""
        tags = wheel_tags(filename)
        return tags is not None and self._runs(tags[2])

    def _runs(self, platforms: str) -> bool:
        return any(platform == "any" or platform in self.platforms for platform in platforms.split("."))


class Pythons(msgspec.Struct, frozen=True):
    """Some versions of CPython, as the pairs of Python and ABI tag that one of them accepts."""

    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, versions: Iterable[tuple[int, int]]) -> Pythons:
        """Return those of CPython ``versions`` (major and minor), with the lock that they come with by default."""
        pairs: set[tuple[str, str]] = set()
        for version in versions:
            name = f"cp{version[0]}{version[1]}"
            for tag in (
                *cpython_tags(version, abis=[name], platforms=["any"]),
                *compatible_tags(version, interpreter=name, platforms=["any"]),
            ):
                pairs.add((tag.interpreter, tag.abi))
        return cls(frozenset(pairs))

    def accept(self, filename: str) -> bool:
        """Return whether a wheel is for one of these, whatever platform it wants."""
        tags = wheel_tags(filename)
        if tags is None:
            return False
        return any((python, abi) in self.pairs for python in tags[0].split(".") for abi in tags[1].split("."))
