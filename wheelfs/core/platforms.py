"""Which wheels one machine can use, told by filename alone and fast: a page may list thousands."""

from __future__ import annotations

from dataclasses import dataclass

from wheelfs.model.names import kind_of


@dataclass(frozen=True, slots=True)
class Machine:
    """A platform and architecture, as the set of platform tags that it accepts (PEP 425, 600, 656)."""

    platforms: frozenset[str]

    def accepts(self, filename: str) -> bool:
        """Return whether ``filename`` is an sdist, or a wheel that can run here under some CPython 3.

        Only the three last dash-separated parts are read (python, abi, platform tag; PEP 427), each a dot-separated set.
        """
        if not filename.endswith(".whl"):
            return kind_of(filename) == "sdist"
        parts = filename[:-4].rsplit("-", 3)
        if len(parts) != 4:
            return False
        _, pythons, _, platforms = parts
        if not any(python.startswith(("cp3", "py3")) for python in pythons.split(".")):
            return False
        return any(platform == "any" or platform in self.platforms for platform in platforms.split("."))
