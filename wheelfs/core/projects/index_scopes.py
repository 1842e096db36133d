"""Which indexes are in charge of a name: who may be asked for it at all (docs/design/decisions/0014-tied-names.md).

A name that matches a pattern of an index belongs to that index (or those) only, and is never asked of any other; an index with
patterns is never asked for other names.  So neither does a public index hear of private names, nor does a private one decide
about public ones.  Among those in charge the first that has the project owns it (`wheelfs.core.projects.ownership`).

A share may be tied to names as well, and then stands in for an index of them; any other one is the last index for the names that
it is not kept from (docs/design/decisions/0043-shares-own-no-names.md).
"""

from __future__ import annotations

import fnmatch
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.projects.ownership import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelfs.config import Settings
    from wheelfs.core.projects.ownership import TiedTo


class ShareScope(msgspec.Struct, frozen=True):
    """The names that a share may give to files that no index lists: those tied to it, else those that match ``names``."""

    projects: tuple[str, ...] = ()
    names: tuple[str, ...] = ("*",)


def share_scopes(settings: Settings) -> dict[str, ShareScope]:
    """Return the scopes of the configured shares, by name."""
    any_name = ("*",)
    return {one.name: ShareScope(one.projects, any_name if one.names is None else one.names) for one in settings.shares}


class IndexScopes:
    """The names of the configured indexes, in order of priority, and the names of projects that each is tied to."""

    def __init__(self, patterns: Mapping[str, Sequence[str]], shares: Mapping[str, ShareScope] = MappingProxyType({})) -> None:
        """``patterns`` by index, in order of priority: normalized names, ``*`` for anything; none: a general index."""
        self.names = tuple(patterns)
        self._general = tuple(index for index, some in patterns.items() if not some)
        self._tied = [(index, _matching(some)) for index, some in patterns.items() if some]
        self._tied_shares = [(share, _matching(scope.projects)) for share, scope in shares.items() if scope.projects]
        others = [(share, scope.names) for share, scope in shares.items() if not scope.projects]
        self._other_shares = [(share, _matching(names)) for share, names in others if names]
        self._has_shares = bool(shares)

    def of(self, project: str) -> tuple[str, ...]:
        """Return the names of the indexes in charge of a project (its normalized name), by priority; there may be none."""
        tied = _fitting(self._tied, project)
        return tied or (() if self.tied_shares(project) else self._general)

    def tied_to(self, project: str) -> TiedTo | None:
        """Return what a project's name is tied to: an index goes before a share."""
        if _fitting(self._tied, project):
            return "index"
        return "share" if self.tied_shares(project) else None

    def tied_shares(self, project: str) -> tuple[str, ...]:
        """Return the names of the shares that a project is tied to."""
        return _fitting(self._tied_shares, project)

    def may_show(self, project: str, origin: str) -> bool:
        """Return whether a stored file of that origin may be shown without asking who owns the project.

        Not one of a configured index that the name is not routed to; nor, where the name is tied, one of an index that is not
        configured any more.
        """
        if origin == LOCAL:
            return True
        return origin in self.of(project) if origin in self.names else self.tied_to(project) is None

    def naming_shares(self, project: str) -> tuple[str, ...]:
        """Return the names of the shares whose files may be shown under a name when its indexes have no such project."""
        tied = self.tied_shares(project)
        return tied or (() if self.tied_to(project) == "index" else _fitting(self._other_shares, project))

    def may_own_stored(self, project: str) -> bool:
        """Do what `naming_shares` does for a stored file of which only some share said what it is called."""
        return bool(self.naming_shares(project)) or (not self._has_shares and self.tied_to(project) is None)


def _fitting(patterns: Sequence[tuple[str, re.Pattern[str]]], project: str) -> tuple[str, ...]:
    return tuple(name for name, pattern in patterns if pattern.fullmatch(project))


def _matching(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))
