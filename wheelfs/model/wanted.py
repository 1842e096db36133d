"""What a user wants to have here: a project, which versions of it, and which bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from wheelfs.model.names import ProjectName


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of a project.

    ``hashes`` are "ALGORITHM:HEX", any of which its file must have; none: any file will do.  ``extras`` matter only to what it
    depends on.  ``prereleases``: they are as good as other versions.
    """

    project: ProjectName
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    hashes: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()
    prereleases: bool = False

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.project}{extras}{self.specifier}"


@dataclass(frozen=True, slots=True)
class Unfetchable:
    """Something that is wanted and that no index has, in the user's words, and why.

    ``is_own_tree``: it is the user's own directory, which needs no fetching to be installed.
    """

    text: str
    reason: str
    is_own_tree: bool = False
