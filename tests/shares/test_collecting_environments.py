"""Collecting what environments of a share were made of: what is announced stays, the rest goes as other garbage does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.later import LaterObjects, collect_later
from tests.shares.test_collecting import keys
from wheelfs.errors import OriginFault, OriginMissing
from wheelfs.model.shared_environment import SharedEnvironment, announcement_key, object_key
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.environments.sharing import announce, withdraw_environments
from wheelfs.service.shares.condemned_view import CondemnedView

if TYPE_CHECKING:
    from tests.shares.conftest import Place
    from wheelfs.remote.share.objects import Objects


def publish(objects: Objects, name: str, tree: bytes, profile: bytes | None = None, *, days: float = 0.0) -> SharedEnvironment:
    share = WrittenShare(LaterObjects(objects, days))
    share.catalog.prepare()
    condemned = CondemnedView(share)
    condemned.begin()
    parts = [None if part is None else share.add_environment_object(part) for part in (tree, profile)]
    made = SharedEnvironment(name, parts[0] or b"", parts[1], None, 1)
    announce(share, made, condemned)
    return made


def kept(objects: Objects) -> set[str]:
    return keys(objects, "environment-objects")


def test_what_no_announcement_in_force_names_goes_a_grace_period_after_it_was_condemned(place: Place) -> None:
    objects = place.open()
    publish(objects, "it", b"tree", b"old profile")
    current = publish(objects, "it", b"tree", b"new profile")
    gone = publish(objects, "other", b"other tree")
    everything = kept(objects)
    assert collect_later(objects, 6).young == 1
    withdraw_environments(WrittenShare(objects), ["other"])
    assert collect_later(objects, 8).condemned == 2
    assert (collect_later(objects, 14).deleted, kept(objects)) == (0, everything)
    assert collect_later(objects, 16).deleted == 2
    assert kept(objects) == set(current.keys)
    assert WrittenShare(objects).environment_object(current.tree) == b"tree"
    again = publish(objects, "other", b"other tree", days=17)
    assert again == gone
    collect_later(objects, 40)
    assert kept(objects) == {*current.keys, *gone.keys}, "its earlier list is void"


def test_what_is_condemned_may_be_announced_again_until_shortly_before_it_may_be_deleted(place: Place) -> None:
    objects = place.open()
    publish(objects, "it", b"tree")
    withdraw_environments(WrittenShare(objects), ["it"])
    collect_later(objects, 8)
    with pytest.raises(OriginFault, match="about to be deleted"):
        publish(objects, "it", b"tree", days=15.5)
    assert WrittenShare(objects).environments() == {}
    made = publish(objects, "it", b"tree", days=14)
    assert collect_later(objects, 16).deleted == 0
    assert kept(objects) == set(made.keys)


def test_nothing_is_condemned_while_not_all_is_seen_that_environments_need(place: Place) -> None:
    objects = place.open()
    for version in range(3):
        publish(objects, "it", b"tree %d" % version)
    first, _, last = sorted(keys(objects, "environments"))
    encoded = {key: objects.read(key, limit_bytes=1_000) or b"" for key in (first, last)}
    objects.delete(first)
    with pytest.raises(OriginMissing, match=f"read {announcement_key(0)}.*later ones"):
        collect_later(objects, 8)
    objects.create(first, b"damaged")
    with pytest.raises(OriginFault, match="it is not known what it needs"):
        collect_later(objects, 8)
    objects.delete(first)
    objects.create(first, encoded[first])
    assert collect_later(objects, 8).condemned == 2
    objects.delete(last)
    with pytest.raises(OriginMissing, match=f"read {announcement_key(2)}.*later ones"):
        collect_later(objects, 16)
    objects.create(last, encoded[last])
    [needed] = {object_key(one.tree) for one in WrittenShare(objects).environments().values()}
    content = objects.read(needed, limit_bytes=1_000) or b""
    objects.delete(needed)
    with pytest.raises(OriginMissing, match="push the environment again"):
        collect_later(objects, 16)
    objects.create(needed, content)
    assert len(kept(objects)) == 3
    assert collect_later(objects, 16).deleted == 2
    assert kept(objects) == {needed}
