"""What of a share nothing needs, and what of that may be deleted now: decided from listings, without IO.

A pack is needed by manifests, a manifest by its file, that the catalog lists, and an object of an environment by an announcement
in force.  A pusher may be about to need one that
nothing needs yet; so what is old enough is only condemned, and deleted by a later run, a grace period after.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wheelfs.model.condemned import CONDEMNED, MARGIN_S, Condemnations
from wheelfs.model.share_catalog import ROOTS
from wheelfs.model.share_objects import MANIFESTS, PACKS, is_object_name
from wheelfs.model.shared_environment import is_object_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from wheelfs.model.condemned import Condemned
    from wheelfs.model.share_objects import FoundObject

CLOCK_PREFIX: Final = "clock-"
"""Names of objects that a run writes to learn the place's time, and deletes."""
_LEFT_OVER: Final = (".new-", CLOCK_PREFIX)
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareContents:
    """What a run has read, from ``began_s`` on, and the ``lists`` (by name) at ``now_s``: both by the place's clock.

    ``objects`` by key; ``needed``: the sha256, in hex, of all files in the catalog; ``uses``: for every manifest's key,
    those included that are needed and not listed (yet), the keys of its packs; ``superseded``: the keys of what the catalog needs
    no more; ``announced``: the keys of the objects of all environments.
    """

    began_s: float
    now_s: float
    grace_s: float
    objects: Mapping[str, FoundObject]
    needed: Set[str]
    uses: Mapping[str, tuple[str, ...]]
    superseded: Set[str]
    announced: Set[str]
    lists: Mapping[str, Condemned]


@dataclass(slots=True)
class Plan:
    """What a run does: ``delete`` in this order, ``condemn``, and say that what earlier lists say of ``void`` holds no more.

    ``waiting`` is condemned already; ``next_s`` is when the first of it, and of ``condemn``, may be deleted.  ``young`` is what
    nothing needs and is too young to be condemned; ``old_s`` is when the first of it is old enough.
    """

    delete: list[FoundObject] = field(default_factory=list)
    condemn: list[FoundObject] = field(default_factory=list)
    waiting: list[FoundObject] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    next_s: float | None = None
    young: list[FoundObject] = field(default_factory=list)
    old_s: float | None = None


def plan(seen: ShareContents) -> Plan:
    """Decide."""
    made = Plan()
    condemnations = Condemnations(seen.lists.values())
    is_old = _Old(seen)
    # A reader that does not see the newest roots yet needs what is before them.
    if all(found.modified_s <= seen.began_s - MARGIN_S for key, found in seen.objects.items() if key.startswith(f"{ROOTS}/")):
        made.delete += [found for key, found in seen.objects.items() if key in seen.superseded and is_old(found)]

    manifests = {key: found for key, found in seen.objects.items() if is_manifest(key)}
    unneeded = [found for key, found in manifests.items() if not _is_needed(key, seen) and is_old(found)]
    going = {found.key for found in unneeded if condemnations.may_delete(found.key, began_s=seen.began_s, now_s=seen.now_s)}
    # What this run does not delete may become needed yet, so its packs stay; those of what is to go may be condemned with it.
    staying = {pack for key in seen.uses.keys() - going for pack in seen.uses[key]}
    kept = {pack for key in seen.uses.keys() - {found.key for found in unneeded} for pack in seen.uses[key]}
    packs = [found for key, found in seen.objects.items() if _is_pack(key) and key not in kept and is_old(found)]

    objects = [found for key, found in seen.objects.items() if _is_unannounced(key, seen) and is_old(found)]
    for found in (*unneeded, *packs, *objects):
        at_s = condemnations.deletable_s(found.key, seen.now_s)
        if at_s is None or at_s > seen.now_s + seen.grace_s:
            made.condemn.append(found)
            at_s = seen.now_s + seen.grace_s
        elif condemnations.may_delete(found.key, began_s=seen.began_s, now_s=seen.now_s) and found.key not in staying:
            made.delete.append(found)
            continue
        else:
            made.waiting.append(found)
        made.next_s = at_s if made.next_s is None else min(at_s, made.next_s)

    made.delete += _left_over(seen, is_old, {found.key for found in made.delete})
    needed_packs = {pack for key, packs in seen.uses.items() if _is_needed(key, seen) for pack in packs}
    made.young = [
        found
        for key, found in seen.objects.items()
        if not is_old(found)
        and (
            (key in manifests and not _is_needed(key, seen))
            or (_is_pack(key) and key not in needed_packs)
            or _is_unannounced(key, seen)
        )
    ]
    made.old_s = min((found.modified_s + seen.grace_s for found in made.young), default=None)
    made.void = sorted(
        key
        for key in condemnations.standing()
        if key not in seen.objects or key in needed_packs or key in seen.announced or (is_manifest(key) and _is_needed(key, seen))
    )
    return made


def _is_needed(manifest: str, seen: ShareContents) -> bool:
    return manifest.rpartition("/")[2] in seen.needed


def _is_unannounced(key: str, seen: ShareContents) -> bool:
    return is_object_key(key) and key not in seen.announced


class _Old:
    def __init__(self, seen: ShareContents) -> None:
        self._before_s = seen.began_s - seen.grace_s

    def __call__(self, found: FoundObject) -> bool:
        return found.modified_s <= self._before_s


def _left_over(seen: ShareContents, is_old: _Old, planned: Set[str]) -> list[FoundObject]:
    """Return what killed processes have left, and lists that mean nothing any more."""
    found: list[FoundObject] = []
    for key, one in seen.objects.items():
        name = key.rpartition("/")[2]
        if key in planned or not is_old(one):
            continue
        if name.startswith(_LEFT_OVER):
            found.append(one)
    oldest_us = min(
        (one.at_us for one in seen.lists.values() if one.keys and not one.is_void and not _is_over(one, seen.now_s)), default=None
    )
    for name, one_list in seen.lists.items():
        # What makes others void goes after them: they would hold again.
        is_over = _is_over(one_list, seen.now_s) and (not one_list.is_void or oldest_us is None or one_list.at_us < oldest_us)
        if is_over and f"{CONDEMNED}/{name}" in seen.objects:
            found.append(seen.objects[f"{CONDEMNED}/{name}"])
    return found


def _is_over(one: Condemned, now_s: float) -> bool:
    """Tell whether no reader, by any clock, still observes a list."""
    return now_s > one.ends_s + 2 * MARGIN_S


def _is_pack(key: str) -> bool:
    name = key.rpartition("/")[2]
    return is_object_name(name) and key == f"{PACKS}/{name[:2]}/{name}"


def is_manifest(key: str) -> bool:
    """Tell whether a manifest can have this key."""
    name = key.rpartition("/")[2]
    return _SHA256.match(name) is not None and key == f"{MANIFESTS}/{name[:2]}/{name}"
