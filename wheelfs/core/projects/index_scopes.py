"""Which indexes are in charge of a name: who may be asked for it at all (docs/design/decisions/0014-tied-names.md).

A name that matches a pattern of an index belongs to that index (or those) only, and is never asked of any other; an index with
patterns is never asked for other names.  So neither does a public index hear of private names, nor does a private one decide
about public ones.  Among those in charge the first that has the project owns it (`wheelfs.core.projects.ownership`).
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class IndexScopes:
    """The names of the configured indexes, in order of priority, and the names of projects that each is tied to."""

    def __init__(self, patterns: Mapping[str, Sequence[str]]) -> None:
        """``patterns`` by index, in order of priority: normalized names, ``*`` for anything; none: a general index."""
        self.names = tuple(patterns)
        self._general = tuple(index for index, some in patterns.items() if not some)
        self._tied = [(index, _matching(some)) for index, some in patterns.items() if some]

    def of(self, project: str) -> tuple[str, ...]:
        """Return the names of the indexes in charge of a project (its normalized name), by priority; there may be none."""
        tied = tuple(index for index, pattern in self._tied if pattern.fullmatch(project))
        return tied or self._general


def _matching(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))
