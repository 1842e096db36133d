"""A user's policy, made of what the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.config.policies import age_s
from wheelfs.core.platforms.machine import Machine, Pythons
from wheelfs.core.platforms.targets import runs
from wheelfs.core.views.visibility import FlatPolicy, Policy

if TYPE_CHECKING:
    from wheelfs.config import Settings


def policy_of(settings: Settings, machine: Machine) -> Policy:
    """Return what ``settings`` hide; ``machine`` is what ``here`` stands for."""
    of_index = {index.name: age_s(index.min_age) * 1_000_000 for index in settings.indexes if index.min_age is not None}
    flat = FlatPolicy(
        _platforms(settings.flat_platforms, machine),
        Pythons.of((3, int(text.partition(".")[2])) for text in settings.flat_pythons) if settings.flat_pythons else None,
        prereleases=settings.flat_prereleases == "show",
        yanked=settings.flat_yanked == "show",
    )
    first_seen_of = {index.name: index.first_seen for index in settings.indexes if index.first_seen is not None}
    return Policy(settings.min_age_s * 1_000_000, of_index, flat, settings.first_seen, first_seen_of)


def _platforms(words: tuple[str, ...], machine: Machine) -> Machine | None:
    if not words:
        return None
    tags: set[str] = set()
    for word in words:
        tags.update(machine.platforms if word == "here" else runs(word, named_by="[flat] platforms"))
    return Machine(frozenset(tags))
