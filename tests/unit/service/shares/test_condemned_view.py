"""A push looks for new lists of what is condemned before it lists anything, however long it has slept."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from wheelfs.errors import OriginTimeout
from wheelfs.model.condemned import FRESH_S, LAPSE_S, MARGIN_S, Condemned
from wheelfs.model.share_objects import manifest_key, pack_key
from wheelfs.service.shares.condemned_view import CondemnedView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.remote.share.share import WrittenShare

PACK, FILE = b"p" * 16, b"f" * 32
DAY_S = 86_400


class Share:
    url = "memory:///lab"

    def __init__(self) -> None:
        self.now_s = 1e9
        self.takes_s = 0.0
        self.lists: dict[str, Condemned] = {}

    def condemned(self, known: Mapping[str, Condemned]) -> dict[str, Condemned]:
        self.now_s += self.takes_s
        return dict(self.lists)

    def clock_s(self) -> float:
        return self.now_s

    def condemn(self, name: str, *, is_void: bool = False) -> None:
        keys = (pack_key(PACK), manifest_key(FILE))
        self.lists[name] = Condemned(int(self.now_s * 1e6), 7 * DAY_S, keys, is_void)


@pytest.fixture
def share() -> Share:
    return Share()


@pytest.fixture(params=[0, -366 * DAY_S, 366 * DAY_S])
def condemned(share: Share, request: pytest.FixtureRequest) -> CondemnedView:
    """One whose machine's clock is right, or a year late or early."""
    made = CondemnedView(cast("WrittenShare", share), clock_s=lambda: share.now_s + request.param)
    made.begin()
    return made


def test_a_list_that_came_meanwhile_is_read_before_anything_is_told(share: Share, condemned: CondemnedView) -> None:
    assert condemned.is_reliable(PACK)
    share.condemn("a")
    share.now_s += FRESH_S + 1
    condemned.freshen()
    assert not condemned.is_reliable(PACK)


def test_a_look_that_takes_too_long_is_none(share: Share, condemned: CondemnedView) -> None:
    share.now_s += FRESH_S + 1
    share.takes_s = FRESH_S + 1
    with pytest.raises(OriginTimeout, match="takes too long"):
        condemned.freshen()


def test_a_manifest_is_doomed_from_an_hour_before_until_its_list_means_nothing_any_more(
    share: Share, condemned: CondemnedView
) -> None:
    share.condemn("a")
    begin_s = share.now_s + 7 * DAY_S
    for at_s, is_pending_deletion in (
        (begin_s - MARGIN_S - 1, False),
        (begin_s - MARGIN_S + 1, True),
        (begin_s + LAPSE_S, True),
        (begin_s + LAPSE_S + MARGIN_S + 1, False),
    ):
        share.now_s = at_s
        condemned.begin()
        assert condemned.is_pending_deletion(FILE) == is_pending_deletion
        assert not condemned.is_reliable(PACK), "nothing new relies on what is condemned"


def test_a_void_list_is_believed_an_hour_later(share: Share, condemned: CondemnedView) -> None:
    share.condemn("a")
    share.now_s += 7 * DAY_S
    share.condemn("b", is_void=True)
    for more_s, is_over in ((MARGIN_S - 1, False), (2, True)):
        share.now_s += more_s
        condemned.begin()
        assert (condemned.is_reliable(PACK), condemned.is_pending_deletion(FILE)) == (is_over, not is_over)


def test_who_has_slept_for_months_begins_anew(share: Share, condemned: CondemnedView) -> None:
    share.now_s += LAPSE_S + 1
    condemned.freshen()
    assert not condemned.is_reliable(PACK), "a list may have come and gone"
    condemned.begin()
    assert condemned.is_reliable(PACK)


def test_who_has_slept_while_something_was_condemned_deleted_and_its_list_made_void_begins_anew(
    share: Share, condemned: CondemnedView
) -> None:
    share.condemn("a")
    share.now_s += 7 * DAY_S
    share.condemn("b", is_void=True)
    share.now_s += MARGIN_S + 1
    condemned.freshen()
    assert not condemned.is_reliable(PACK)
    assert condemned.is_pending_deletion(FILE)
    condemned.begin()
    assert condemned.is_reliable(PACK)
    assert not condemned.is_pending_deletion(FILE)


def test_a_list_that_went_counts_for_what_had_begun_and_is_forgotten_by_what_begins_then(
    share: Share, condemned: CondemnedView
) -> None:
    share.condemn("a")
    share.now_s += FRESH_S + 1
    condemned.freshen()
    share.lists.clear()
    share.now_s += FRESH_S + 1
    condemned.freshen()
    assert not condemned.is_reliable(PACK)
    condemned.begin()
    assert condemned.is_reliable(PACK)
