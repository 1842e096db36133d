"""Which kinds of files and which releases of a project may be taken, as installers' options say it.

Source: pip's ``--only-binary``, ``--no-binary``, ``--prefer-binary``, ``--pre``, ``--all-releases`` and ``--only-final``: names
separated by commas, ``:all:`` or ``:none:``; what comes later wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from wheelfs.model.wanted import WHEELS_AND_SDISTS, Wanted

if TYPE_CHECKING:
    from wheelfs.model.names import Kind, ProjectName

_ALL: Final = ":all:"
_NONE: Final = ":none:"

OPTIONS: Final = ("--only-binary", "--no-binary", "--prefer-binary", "--pre", "--all-releases", "--only-final")


@dataclass(frozen=True, slots=True)
class AllowedFiles:
    """What has been said so far: names of projects, or ``:all:`` for those that are not named."""

    only_binary: frozenset[str] = frozenset()
    no_binary: frozenset[str] = frozenset()
    prefers_wheels: bool = False
    all_releases: frozenset[str] = frozenset()
    only_final: frozenset[str] = frozenset()

    def after(self, option: str, value: str = "") -> AllowedFiles:
        """Return what is allowed when ``option``, one of `OPTIONS`, has been said, too."""
        match option:
            case "--only-binary":
                only, no = _named(value, self.only_binary, self.no_binary)
                return replace(self, only_binary=only, no_binary=no)
            case "--no-binary":
                no, only = _named(value, self.no_binary, self.only_binary)
                return replace(self, only_binary=only, no_binary=no)
            case "--all-releases":
                every, final = _named(value, self.all_releases, self.only_final)
                return replace(self, all_releases=every, only_final=final)
            case "--only-final":
                final, every = _named(value, self.only_final, self.all_releases)
                return replace(self, all_releases=every, only_final=final)
            case "--pre":
                return replace(self, all_releases=self.all_releases | {_ALL})
            case _:
                return replace(self, prefers_wheels=True)

    def kinds(self, project: ProjectName) -> frozenset[Kind]:
        """Return the kinds of files that may be taken of a project; none where both are excluded."""
        for names in (frozenset({str(project)}), frozenset({_ALL})):
            if names <= self.only_binary:
                return frozenset({"wheel"})
            if names <= self.no_binary:
                return frozenset({"sdist"})
        return WHEELS_AND_SDISTS

    def prereleases(self, project: ProjectName) -> bool | None:
        """Return whether pre-releases of a project are as good as other versions; None: nothing is said of it."""
        for name in (str(project), _ALL):
            if name in self.all_releases:
                return True
            if name in self.only_final:
                return False
        return None

    def applied(self, wanted: Wanted) -> Wanted:
        """Return ``wanted`` with what is said of its project."""
        return replace(
            wanted,
            kinds=self.kinds(wanted.project),
            prereleases=self.prereleases(wanted.project),
            prefers_wheels=self.prefers_wheels,
        )


def _named(value: str, said: frozenset[str], opposite: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return what an option's names and those of its opposite are once it has this value."""
    names, others = set(said), set(opposite)
    words = value.split(",")
    if _ALL in words:
        # It covers what was said before it in either of the two; what follows it counts only where it is taken back.
        names, others = {_ALL}, set()
        words = words[len(words) - words[::-1].index(_ALL) :]
        if _NONE not in words:
            words = []
    for word in words:
        if word == _NONE:
            names.clear()
        elif word:
            names.add(canonicalize_name(word))
            others.discard(canonicalize_name(word))
    return frozenset(names), frozenset(others)
