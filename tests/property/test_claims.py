"""Several processes fetch ranges of one file: each byte once, and all of it in the end, also where one is killed or stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.fetch.claims import Ask, Stall, Wait, decide, is_near
from wheelfs.core.fetch.spans import Spans

SIZE: Final = 40
BOUND: Final = 6
"""Steps without a byte after which a claim is no longer believed."""

ranges = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(lambda pair: (pair[0], min(SIZE, pair[0] + pair[1])))


@dataclass
class Kernel:
    """Locks on ranges, each of a process; those of a killed one are gone."""

    held: dict[int, tuple[int, int]] = field(default_factory=dict)

    def take(self, who: int, start: int, end: int) -> tuple[int, int] | None:
        for other, (begin, limit) in self.held.items():
            if other != who and begin < end and start < limit:
                return begin, limit
        self.held[who] = start, end
        return None


@dataclass
class Process:
    """One opener: what it wants, what it has, and the request that it has claimed."""

    number: int
    wanted: list[tuple[int, int]]
    here: Spans = field(default_factory=Spans)
    request: tuple[int, int] | None = None
    stall: Stall | None = None
    waits_for: tuple[int, int] | None = None
    asks_alone: bool = False
    is_stopped: bool = False

    @property
    def is_done(self) -> bool:
        return all(self.here.covers(*part) for part in self.wanted)

    def step(self, world: World) -> None:
        """Do one thing: receive a byte of the request, or look for what to ask next, as `byte_ranges` does."""
        if self.request is not None:
            at, end = self.request
            world.fetched[at] += 1
            self.here.add(at, at + 1)
            self.request = (at + 1, end) if at + 1 < end else None
            if self.request is None:
                world.kernel.held.pop(self.number, None)
            return
        for other in world.processes:  # the journals and files of others stay when they are killed
            for start, end in other.here:
                self.here.add(start, end)
        if self.is_done:
            return
        start, end = next(gap for part in self.wanted for gap in self.here.missing(*part))
        taken: list[tuple[int, int]] = []
        while not self.asks_alone and isinstance(free := decide(start, end, taken), Ask):
            blocking = world.kernel.take(self.number, free.start, free.end)
            if blocking is None:
                self.request, self.stall = (free.start, free.end), None
                return
            taken.append(blocking)
        if self.asks_alone:
            self.request = start, end
            return
        claim = taken[-1]
        here = claim[1] - claim[0] - sum(limit - begin for begin, limit in self.here.missing(*claim))
        if self.stall is None or claim != self.waits_for:
            self.waits_for = claim
            self.stall = Stall(bound_s=BOUND, least_bytes=1, now_s=world.now, here_bytes=here)
        self.asks_alone = self.stall.is_stalled(world.now, here)


@dataclass
class World:
    processes: list[Process]
    kernel: Kernel = field(default_factory=Kernel)
    fetched: list[int] = field(default_factory=lambda: [0] * SIZE)
    now: float = 0.0

    def running(self) -> list[Process]:
        return [one for one in self.processes if not one.is_done and not one.is_stopped]


wishes = st.lists(st.lists(ranges, min_size=1, max_size=4), min_size=2, max_size=4)


def run(world: World, order: list[int]) -> None:
    """Let processes take steps in an order that is drawn, in less time than anything is given up in."""
    for number in order:
        if running := world.running():
            running[number % len(running)].step(world)


def until_done(world: World) -> None:
    """Let all that run take turns; it must end."""
    for _ in range(20 * SIZE * len(world.processes)):
        for process in world.running():
            process.step(world)
        world.now += 1
        if not world.running():
            return
    raise AssertionError("it does not end")


@given(wishes, st.lists(st.integers(0, 3), max_size=60))
def test_each_byte_is_fetched_once_in_any_order(wanted: list[list[tuple[int, int]]], order: list[int]) -> None:
    world = World([Process(number, parts) for number, parts in enumerate(wanted)])
    run(world, order)
    until_done(world)
    asked = Spans.from_iterable(part for parts in wanted for part in parts)
    assert world.fetched == [int(asked.covers(at, at + 1)) for at in range(SIZE)]


@given(wishes, st.lists(st.integers(0, 3), max_size=60), st.integers(0, 60))
def test_after_a_kill_others_ask_for_what_it_did_not_bring(
    wanted: list[list[tuple[int, int]]], order: list[int], killed_at: int
) -> None:
    world = World([Process(number, parts) for number, parts in enumerate(wanted)])
    run(world, order[:killed_at])
    killed = world.processes[0]
    killed.is_stopped = True
    world.kernel.held.pop(killed.number, None)
    until_done(world)
    asked = Spans.from_iterable(part for process in world.processes[1:] for part in process.wanted)
    assert max(world.fetched) <= 1
    assert all(world.fetched[at] for at in range(SIZE) if asked.covers(at, at + 1))


@given(wishes, st.lists(st.integers(0, 3), max_size=60), st.integers(0, 60))
def test_a_stopped_process_is_overtaken(wanted: list[list[tuple[int, int]]], order: list[int], stopped_at: int) -> None:
    world = World([Process(number, parts) for number, parts in enumerate(wanted)])
    run(world, order[:stopped_at])
    stopped = world.processes[0]
    stopped.is_stopped = True
    until_done(world)
    assert all(process.is_done for process in world.processes[1:])
    # It held one claim at most: the others ask alone from then on, and take from each other what has come all the same.
    assert max(world.fetched) < len(wanted)
    stopped.is_stopped = False
    until_done(world)
    assert stopped.is_done


@given(st.integers(0, SIZE), st.lists(ranges, max_size=5))
def test_what_is_asked_for_is_free_and_as_much_as_can_be(start: int, taken: list[tuple[int, int]]) -> None:
    match decide(start, SIZE + 1, taken):
        case Ask(begin, end):
            assert begin == start < end
            assert not any(first < end and begin < last for first, last in taken)
            assert end == SIZE + 1 or any(first == end for first, _ in taken)
        case Wait():
            assert any(first <= start < last for first, last in taken)


def test_a_claim_that_will_take_long_to_get_there_is_not_waited_for() -> None:
    assert is_near(1_000, (0, 5_000), 0, ahead_bytes=1_001)
    assert not is_near(1_000, (0, 5_000), 0, ahead_bytes=1_000)
    assert is_near(1_000, (0, 5_000), 1, ahead_bytes=1_000)


def test_a_trickle_counts_as_nothing() -> None:
    stall = Stall(bound_s=10, least_bytes=100, now_s=0, here_bytes=0)
    assert not stall.is_stalled(9, 99)
    assert stall.is_stalled(10, 99)
    assert not stall.is_stalled(11, 100)
    assert not stall.is_stalled(20, 199)
    assert stall.is_stalled(21, 199)
