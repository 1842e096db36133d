"""What of a share may go, and when: each rule by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wheelfs.core.share_gc_plan import Plan, ShareContents, plan
from wheelfs.model.condemned import CONDEMNED, LAPSE_S, MARGIN_S, Condemned
from wheelfs.model.share_catalog import record_key, root_key
from wheelfs.model.share_objects import FoundObject, manifest_key, pack_key
from wheelfs.model.shared_environment import object_key

DAY_S = 86_400.0
NOW_S = 1_000 * DAY_S
GRACE_S = 7 * DAY_S
FILE = b"f" * 32
MANIFEST, PACK = manifest_key(FILE), pack_key(b"p" * 16)
OBJECT = object_key(b"o" * 32)


def there(*keys: str, age_s: float = 100 * DAY_S) -> dict[str, FoundObject]:
    return {key: FoundObject(key, 10, NOW_S - age_s) for key in keys}


def condemned(*keys: str, ago_s: float, is_void: bool = False) -> Condemned:
    return Condemned(int((NOW_S - ago_s) * 1e6), int(GRACE_S), keys, is_void)


def seen(
    objects: dict[str, FoundObject], *lists: Condemned, is_needed: bool = False, is_announced: bool = False
) -> ShareContents:
    return ShareContents(
        began_s=NOW_S,
        now_s=NOW_S,
        grace_s=GRACE_S,
        objects=objects,
        needed={FILE.hex()} if is_needed else set(),
        uses={MANIFEST: (PACK,)} if MANIFEST in objects else {},
        superseded=set(),
        announced={OBJECT} if is_announced else set(),
        lists={f"{number:032x}": one for number, one in enumerate(lists)},
    )


def keys(found: list[FoundObject]) -> list[str]:
    return [one.key for one in found]


def deleted(made: Plan) -> list[str]:
    return keys(made.delete)


def test_what_was_condemned_is_deleted_by_a_run_that_began_after_the_grace_period() -> None:
    run = seen(there(PACK), condemned(PACK, ago_s=GRACE_S + 60))
    assert deleted(plan(run)) == [PACK]
    late = plan(replace(run, began_s=NOW_S - 120))
    assert (late.delete, keys(late.waiting)) == ([], [PACK]), "what it has read is older"


def test_a_list_that_has_lapsed_lets_nothing_be_deleted_and_it_is_condemned_anew() -> None:
    lapsed = condemned(PACK, ago_s=GRACE_S + LAPSE_S + 60)
    made = plan(seen(there(PACK), lapsed))
    assert (made.delete, keys(made.condemn)) == ([], [PACK])
    made = plan(seen(there(PACK), lapsed, condemned(PACK, ago_s=60)))
    assert (made.delete, keys(made.waiting)) == ([], [PACK])


def test_a_pack_stays_as_long_as_a_manifest_that_names_it() -> None:
    ago_s = GRACE_S + 60
    made = plan(seen(there(MANIFEST, PACK), condemned(PACK, ago_s=ago_s)))
    assert (made.delete, keys(made.condemn), keys(made.waiting)) == ([], [MANIFEST], [PACK])
    made = plan(seen({**there(MANIFEST, age_s=60), **there(PACK)}, condemned(PACK, ago_s=ago_s)))
    assert (made.delete, made.condemn, made.waiting) == ([], [], []), "a writer may be about to list it"
    assert deleted(plan(seen(there(PACK, MANIFEST), condemned(PACK, MANIFEST, ago_s=ago_s)))) == [MANIFEST, PACK]


def test_what_is_needed_or_young_is_not_condemned() -> None:
    assert plan(seen(there(MANIFEST, PACK), is_needed=True)) == Plan()
    young = plan(seen(there(MANIFEST, PACK, age_s=GRACE_S - 60)))
    assert young == Plan(young=list(there(MANIFEST, PACK, age_s=GRACE_S - 60).values()), old_s=NOW_S + 60)
    assert plan(seen(there(MANIFEST, PACK, age_s=GRACE_S - 60), is_needed=True)) == Plan()
    assert keys(plan(seen(there(MANIFEST, PACK))).condemn) == [MANIFEST, PACK]


@pytest.mark.parametrize("is_needed", [False, True])
def test_a_list_is_made_void_for_what_is_gone_or_needed(is_needed: bool) -> None:
    gone = manifest_key(b"g" * 32)
    run = seen(there(MANIFEST, PACK), condemned(MANIFEST, PACK, gone, ago_s=60), is_needed=is_needed)
    assert plan(run).void == sorted([gone, MANIFEST, PACK] if is_needed else [gone])
    assert not plan(seen(there(MANIFEST), condemned(gone, ago_s=60), condemned(gone, ago_s=30, is_void=True))).void, "once"


def test_records_are_cleared_away_when_everybody_sees_the_newest_root() -> None:
    old = there(record_key(0), root_key(1), root_key(2))
    run = replace(seen(old), superseded={record_key(0)})
    assert deleted(plan(run)) == [record_key(0)]
    assert not deleted(plan(replace(run, objects={**old, **there(root_key(3), age_s=MARGIN_S - 60)})))
    assert not deleted(plan(replace(run, objects={**old, **there(record_key(0), age_s=GRACE_S - 60)})))


def test_a_list_goes_two_hours_after_it_means_nothing_and_what_makes_it_void_behind_it() -> None:
    ends_s = GRACE_S + LAPSE_S + 2 * MARGIN_S
    for ago_s, goes in ((ends_s - 60, False), (ends_s + 60, True)):
        run = seen({}, condemned(PACK, ago_s=ago_s))
        listed = there(*(f"{CONDEMNED}/{name}" for name in run.lists))
        assert bool(deleted(plan(replace(run, objects=listed)))) is goes
    void = condemned(PACK, ago_s=ends_s + 60, is_void=True)
    for before_s, goes in ((90, False), (30, True)):
        # Of a longer grace period, and so not over: it would hold again.
        longer = Condemned(void.at_us + int((60 - before_s) * 1e6), int(GRACE_S + DAY_S), (PACK,))
        run = seen({}, longer, void)
        listed = there(*(f"{CONDEMNED}/{name}" for name in run.lists))
        assert bool(deleted(plan(replace(run, objects=listed)))) is goes


def test_what_killed_processes_left_goes_when_it_is_old() -> None:
    left = (f"packs/ab/.new-{'0' * 32}", f"{CONDEMNED}/clock-{'0' * 32}")
    assert deleted(plan(seen(there(*left)))) == list(left)
    assert not deleted(plan(seen(there(*left, age_s=GRACE_S - 60))))


def test_an_object_of_an_environment_goes_in_two_steps_and_stays_while_it_is_announced() -> None:
    assert keys(plan(seen(there(OBJECT))).condemn) == [OBJECT]
    young = plan(seen(there(OBJECT, age_s=60.0)))
    assert (young.condemn, keys(young.young)) == ([], [OBJECT])
    over = condemned(OBJECT, ago_s=GRACE_S + 60)
    assert keys(plan(seen(there(OBJECT), condemned(OBJECT, ago_s=GRACE_S - 60))).waiting) == [OBJECT]
    assert deleted(plan(seen(there(OBJECT), over))) == [OBJECT]
    kept = plan(seen(there(OBJECT), over, is_announced=True))
    assert (kept.delete, kept.condemn, kept.void) == ([], [], [OBJECT])
    stray = f"environment-objects/ff/{OBJECT.rpartition('/')[2]}"
    assert plan(seen(there(stray))).condemn == [], "no name that objects have"
