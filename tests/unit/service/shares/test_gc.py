"""A run that collects a share's garbage: by what clock it goes, in what order it reads, and when it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from wheelfs.errors import OriginFault
from wheelfs.model.condemned import Condemned
from wheelfs.model.share_objects import FoundObject, pack_key
from wheelfs.service.shares.gc import collect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wheelfs.remote.share.gc import ShareGarbage

DAY_S = 86_400.0
GRACE_S = 7 * DAY_S
AHEAD_S = 1e9
"""Of this machine's clock is the share's."""


class Share:
    """Packs that nothing needs, condemned long ago."""

    url = "memory:///lab"

    def __init__(self, packs: int, *, asking_s: float = 0.0, deleting_s: float = 0.0) -> None:
        self.now_s = 8 * DAY_S
        self.packs = {pack_key(number.to_bytes(16)) for number in range(packs)}
        self.condemned: list[Condemned] = [Condemned(int(AHEAD_S * 1e6), int(GRACE_S), tuple(self.packs))] if packs else []
        self.asked: list[str] = []
        self.holds = 1_000
        """Packs with which there is no room for anything else."""
        self._asking_s = asking_s
        self._deleting_s = deleting_s

    def check(self) -> str:
        return "0" * 32

    def clock_s(self) -> float:
        """Say what time it was when the question came; the answer takes a while."""
        now_s = self.now_s + AHEAD_S
        self.now_s += self._asking_s
        return now_s

    def objects(self) -> dict[str, FoundObject]:
        self.asked.append("objects")
        return {key: FoundObject(key, 10, 0.0) for key in self.packs}

    def superseded(self) -> set[str]:
        self.asked.append("superseded")
        return set()

    def probe(self) -> None:
        pass

    def check_packs(self, there: Mapping[str, FoundObject], packs: Iterable[str]) -> None:
        pass

    def needed(self, there: Mapping[str, FoundObject], known_end: int) -> tuple[set[bytes], int]:
        self.asked.append("needed")
        return set(), known_end

    def announced(self, there: Mapping[str, FoundObject], known: int) -> tuple[set[str], int]:
        self.asked.append("announced")
        return set(), known

    def uses(self, manifests: Iterable[str], needed: object) -> dict[str, tuple[str, ...]]:
        self.asked.append("uses")
        return {}

    def lists(self) -> dict[str, Condemned]:
        self.asked.append("lists")
        return {f"{number:032x}": one for number, one in enumerate(self.condemned)}

    def condemn(self, condemned: Condemned) -> None:
        if len(self.packs) >= self.holds:
            raise OriginFault("write a list", "no space left on device", "make room there and run it again")
        self.condemned.append(condemned)

    def delete(self, keys: Iterable[str]) -> None:
        self.now_s += self._deleting_s
        self.packs -= set(keys)


def run(share: Share) -> tuple[int, int]:
    done = collect(cast("ShareGarbage", share), grace_s=GRACE_S, dry_run=False, running_s=lambda: share.now_s)
    return done.deleted, done.unfinished


def test_a_run_deletes_for_half_an_hour_and_the_next_one_goes_on() -> None:
    share = Share(40, deleting_s=700.0)
    assert run(share) == (24, 16)
    assert share.condemned[-1].is_void
    assert not set(share.condemned[-1].keys) & share.packs, "what is gone, and nothing else, is condemned no more"
    assert run(share) == (16, 0)


def test_what_is_condemned_is_read_behind_all_that_tells_what_is_needed() -> None:
    share = Share(1)
    run(share)
    assert share.asked[-1] == "lists", "and once before, for how long the log was"
    assert share.asked.index("lists") == share.asked.index("needed") - 1


def test_a_grace_period_is_not_shortened_by_a_clock_that_answers_late() -> None:
    share = Share(0, asking_s=3_000.0)
    share.packs = {pack_key(bytes(16))}
    run(share)
    [condemned] = share.condemned
    assert condemned.at_us >= (share.now_s + AHEAD_S) * 1e6


def test_a_share_that_is_full_is_given_room_by_what_older_lists_condemned() -> None:
    share = Share(8)
    other = pack_key(bytes(15) + b"\x09")
    share.packs.add(other)
    share.holds = 9
    assert run(share) == (8, 0)
    assert share.packs == {other}
    [_, condemned, void] = share.condemned
    assert condemned.keys == (other,)
    assert void.is_void


def test_a_share_that_stays_full_is_said_to_be_when_all_that_may_go_is_gone() -> None:
    share = Share(8)
    share.packs.add(pack_key(bytes(15) + b"\x09"))
    share.holds = 1
    with pytest.raises(OriginFault, match="no space left"):
        run(share)
    assert len(share.packs) == 1
