"""Which files a view hides, and why: some comparisons a file, and the sentences that tell a reader of a page what is not on it.

What a user's policy hides is hidden by the same comparisons: a policy is only another reason.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.version import InvalidVersion

from wheelfs.core.formatting import counted
from wheelfs.core.times import rfc3339
from wheelfs.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wheelfs.core.platforms.machine import Machine, Pythons
    from wheelfs.core.views.view import View
    from wheelfs.model.links import FileLink

STEP_US: Final = 60_000_000
"""Ages are taken by whole minutes, so that a page is not rendered again at each look though nothing changed."""


class ExclusionReason(Enum):
    """Why a file is not shown, in the order in which that is looked for."""

    WITHHELD = "that no index in charge of their names lists; the setting no-index, or [[share]] projects, would show a share's"
    NOT_STORED = "not stored"
    OTHER_MACHINE = "for other machines"
    UNDATED = "without an upload time"
    LATER = "uploaded later"
    TOO_YOUNG = "younger than min-age"
    SEEN_LATER = "first seen here later"
    SEEN_LATELY = "first seen here less than min-age ago"
    OTHER_PLATFORM = "for other platforms than [flat] platforms"
    OTHER_PYTHON = "for other versions than [flat] pythons"
    PRERELEASE = "of pre-releases"
    YANKED = "yanked"


class FlatPolicy(msgspec.Struct, frozen=True):
    """What flat directories show of what their view lets through; None: everything."""

    platforms: Machine | None = None
    pythons: Pythons | None = None
    prereleases: bool = True
    yanked: bool = True

    def hides(self, link: FileLink) -> ExclusionReason | None:
        """Return why a wheel is hidden, or None when it is shown."""
        if self.platforms is not None and not self.platforms.runs(link.filename):
            return ExclusionReason.OTHER_PLATFORM
        if self.pythons is not None and not self.pythons.accept(link.filename):
            return ExclusionReason.OTHER_PYTHON
        if not self.prereleases and _is_prerelease(link.filename):
            return ExclusionReason.PRERELEASE
        return ExclusionReason.YANKED if not self.yanked and link.yanked is not None else None


class Policy(msgspec.Struct, frozen=True):
    """What is hidden in every view: files uploaded less than ``min_age_us`` ago; and what flat directories hide besides.

    ``of_index`` has the ages, by name, of indexes with an age of their own.  ``first_seen``: of files of an index that gives no
    upload times, the time counts at which they were first seen; ``first_seen_of`` has the word of indexes with one of their own.
    """

    min_age_us: int = 0
    of_index: Mapping[str, int] = msgspec.field(default_factory=dict)
    flat: FlatPolicy = FlatPolicy()
    first_seen: bool = False
    first_seen_of: Mapping[str, bool] = msgspec.field(default_factory=dict)


class ViewFilter(msgspec.Struct, frozen=True):
    """What a view lets through.  Equal sieves show the same of the same files.

    ``machine`` is None where files for any are shown, ``before_us`` (from the view) and ``settled_us`` (from the policy) where
    those uploaded at any time are, ``flat`` on pages of projects.  ``of_index`` is the policy's time for indexes with their own.
    ``first_seen`` and ``first_seen_of`` are the policy's.
    """

    stored: bool = False
    machine: Machine | None = None
    before_us: int | None = None
    settled_us: int | None = None
    of_index: Mapping[str, int | None] = msgspec.field(default_factory=dict)
    flat: FlatPolicy | None = None
    first_seen: bool = False
    first_seen_of: Mapping[str, bool] = msgspec.field(default_factory=dict)

    def hides(self, link: FileLink, *, origin: str, is_stored: bool, is_private: bool) -> ExclusionReason | None:
        """Return why a file of ``origin`` is hidden, or None when it is shown.

        One without an upload time is hidden wherever time matters, as ``uv --exclude-newer`` does, unless the user lets the time
        count at which it was first seen.  Files added by hand (``is_private``) have none and are shown: the user put them there,
        and an index cannot have slipped them in.
        """
        if self.stored and not is_stored:
            return ExclusionReason.NOT_STORED
        if self.machine is not None and not self.machine.accepts(link.filename):
            return ExclusionReason.OTHER_MACHINE
        settled_us = self.of_index.get(origin, self.settled_us)
        if self.before_us is not None or settled_us is not None:
            time_us, later, too_young = link.upload_time_us, ExclusionReason.LATER, ExclusionReason.TOO_YOUNG
            if time_us is None and not is_private and self.first_seen_of.get(origin, self.first_seen):
                time_us, later, too_young = link.first_seen_us, ExclusionReason.SEEN_LATER, ExclusionReason.SEEN_LATELY
            if time_us is None:
                if not is_private:
                    return ExclusionReason.UNDATED
            elif self.before_us is not None and time_us >= self.before_us:
                return later
            elif settled_us is not None and time_us >= settled_us:
                return too_young
        return None if self.flat is None else self.flat.hides(link)

    def explain(self, counts: Mapping[ExclusionReason, int]) -> Iterator[str]:
        """Yield a sentence for each reason for which files are hidden."""
        for reason in ExclusionReason:
            if count := counts.get(reason, 0):
                yield f"hidden here: {counted(count, 'file')} {self._told(reason)}"

    def _told(self, reason: ExclusionReason) -> str:
        came = "first seen here" if reason in (ExclusionReason.SEEN_LATER, ExclusionReason.SEEN_LATELY) else "uploaded"
        match reason:
            case ExclusionReason.LATER | ExclusionReason.SEEN_LATER if self.before_us is not None:
                return f"{came} at or after {rfc3339(self.before_us)}"
            case ExclusionReason.TOO_YOUNG | ExclusionReason.SEEN_LATELY if self.settled_us is not None and not self.of_index:
                return f"{came} at or after {rfc3339(self.settled_us)}, so younger than min-age"
        return reason.value


def filter_of(view: View, policy: Policy, *, machine: Machine, now_us: int, flat: bool = False) -> ViewFilter:
    """Return what ``view`` lets through on this machine at this time; ``flat``: in a flat directory."""

    def settled_us(min_age_us: int) -> int | None:
        return (now_us - min_age_us) // STEP_US * STEP_US if min_age_us else None

    return ViewFilter(
        view.stored,
        machine if view.here else None,
        None if view.asof is None else view.asof.before_us,
        settled_us(policy.min_age_us),
        {name: settled_us(min_age_us) for name, min_age_us in policy.of_index.items()},
        policy.flat if flat else None,
        policy.first_seen,
        policy.first_seen_of,
    )


@lru_cache(maxsize=20_000)
def _prerelease(version: str) -> bool:
    try:
        return parse_version(version).is_prerelease
    except InvalidVersion:
        return False


def _is_prerelease(filename: str) -> bool:
    parts = filename.split("-", 2)
    return len(parts) == 3 and _prerelease(parts[1])
