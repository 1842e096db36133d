"""Objects in memory as many machines see them: what one writes or deletes others see later, and everybody's steps are mixed.

Each machine runs the real code in a thread of its own.  Only one thread goes on at a time: before every operation it waits until
it is its turn, which a seed decides, and so it does what time it is.
"""

from __future__ import annotations

import random
import threading
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.errors import OriginFault, OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.model.share_objects import FoundObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAG_S: Final = 600.0
"""How much later others see a change, at most."""
STEP_S: Final = 100.0
"""The longest that a small write, or a deletion, takes once the program has decided on it."""
DAY_S: Final = 86_400.0
SLEEPS: Final = 0.02
_LOST: Final = 0.005
"""So often the answer to a write is lost, or to a read."""
_SMALL: Final = ("manifests/", "log/", "roots/", "condemned/", "environments/")
_STUCK_S: Final = 60.0


class Killed(BaseException):
    """The machine is no more."""


class _Version(NamedTuple):
    since_s: float
    content: bytes | None
    writer: str


class Cluster:
    """A file system of several servers: what lies on one that is away is not there, or an error, and cannot be made."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.servers = chance.choice((2, 3, 4))
        self.away: int | None = None
        self.errors = 0.0
        """How often a server that is away is an error instead of an absence."""
        self.sick: set[str] = set()
        """Keys whose copies differ: an input/output error."""
        self._skews_s: dict[str, float] = {}

    def is_away(self, key: str) -> bool:
        return self.away == zlib.crc32(key.encode()) % self.servers

    def skew_s(self, machine: str) -> float:
        """How far the clock of a machine is ahead, which its files have their times from; less than the margin."""
        if machine not in self._skews_s:
            self._skews_s[machine] = self.chance.uniform(-1_200.0, 1_200.0)
        return self._skews_s[machine]

    def turn(self, keys: list[str]) -> None:
        """Let a server go or come back now and then, and copies of an object differ for a while."""
        if self.chance.random() < (0.03 if self.away is None else 0.01):
            self.away = self.chance.randrange(self.servers) if self.away is None else None
            # Most say nothing at all: what is there to be noticed only by what is missing.
            self.errors = self.chance.choice((0.0, 0.0, 0.0, 0.3))
        if self.chance.random() < 0.02:
            self.sick = {self.chance.choice(keys)} if keys and not self.sick else set()

    def heal(self) -> None:
        self.away, self.sick = None, set()


class World:
    """The objects, the time, and the machines."""

    def __init__(self, seed: int, *, cluster: bool = False) -> None:
        """``cluster``: of a file system of several servers that may be away, with times of those who write."""
        self.chance = random.Random(seed)
        self.cluster = Cluster(random.Random(seed + 1)) if cluster else None
        self.is_directory = self.chance.random() < 0.5
        """Whether what is written has another name before it has its own, as in a directory."""
        self.is_calm = False
        """Whether no answer is lost."""
        self.now_s = 1_000 * DAY_S
        self.changed: Callable[[str], None] = lambda key: None
        self._versions: dict[str, list[_Version]] = {}
        self._machines: dict[str, Machine] = {}
        self._horizons_s: dict[str, float] = {}

    def content(self, key: str) -> bytes | None:
        """Return what an object really is now."""
        return self._versions[key][-1].content if key in self._versions else None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that there really are."""
        return [key for key in self._versions if key.startswith(prefix) and self.content(key) is not None]

    def put(self, key: str, content: bytes | None, writer: str) -> None:
        """Change an object."""
        self._versions.setdefault(key, []).append(_Version(self.now_s, content, writer))
        self.changed(key)

    def seen(self, key: str, machine: str) -> _Version:
        """Return an object as that machine happens to see it: as it is, or as it was a while ago, but not before what it saw."""
        horizon_s = max(self.now_s - self.chance.choice((0.0, 0.0, LAG_S / 10, LAG_S)), self._horizons_s.get(machine, 0.0))
        self._horizons_s[machine] = horizon_s
        versions = self._versions.get(key, [])
        known = [one for one in versions if one.since_s <= horizon_s or one.writer == machine]
        return known[-1] if known else _Version(0.0, None, "")

    def all_keys(self) -> list[str]:
        return list(self._versions)

    def start(self, name: str, work: Callable[[SlowObjects], object], *, step_s: float | None = None) -> Machine:
        """Let a machine begin to work; with ``step_s`` none of its operations takes longer."""
        machine = self._machines[name] = Machine(self, name, work, step_s)
        return machine

    def go_on(self, *, patient: bool) -> bool:
        """Let one machine take a step, and time pass; returns False when there is none.  ``patient``: in days, too."""
        waiting = [machine for machine in self._machines.values() if machine.waits()]
        if not waiting:
            return False
        due_s = min((machine.due_s for machine in waiting), default=0.0)
        steps = (0.0, 0.1, 1.0, 1.0, 5.0, 20.0, *((60.0, 200.0, 1_200.0, 0.5 * DAY_S, 3 * DAY_S) if patient else ()))
        self.now_s = max(self.now_s, min(self.now_s + self.chance.choice(steps), due_s))
        urgent = [machine for machine in waiting if machine.due_s <= self.now_s]
        awake = [machine for machine in waiting if machine.asleep_until_s <= self.now_s]
        chosen = self.chance.choice(urgent or awake or waiting)
        if patient and not urgent and chosen.may_sleep() and self.chance.random() < SLEEPS:
            # The others go on meanwhile, for many steps.
            chosen.asleep_until_s = self.now_s + self.chance.choice((0.3 * DAY_S, 3 * DAY_S, 20 * DAY_S))
        else:
            chosen.step()
        return True


class Machine:
    """A thread, and the operation that it waits for."""

    def __init__(self, world: World, name: str, work: Callable[[SlowObjects], object], step_s: float | None) -> None:
        self.name = name
        self._step_s = step_s
        self.asleep_until_s = 0.0
        self.due_s = 0.0
        self.dead = False
        self.error: BaseException | None = None
        self._world = world
        self._turn = threading.Semaphore(0)
        self._asks = threading.Semaphore(0)
        self._ended = False
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._thread.start()
        self._await()

    def waits(self) -> bool:
        """Tell whether it is still at work."""
        return not self._ended

    def is_in_a_hurry(self) -> bool:
        """Tell whether what it asks for must be done soon."""
        return self.due_s - self._world.now_s <= STEP_S

    def may_sleep(self) -> bool:
        """Tell whether it may take days over what it asks for, and has not done so."""
        return not self.is_in_a_hurry() and self.asleep_until_s == 0.0

    def step(self) -> None:
        """Let it go on until it asks for the next operation, or ends."""
        self._turn.release()
        self._await()

    def kill(self) -> None:
        """End it before or after the operation that it waits for."""
        if self.waits():
            if self._world.chance.random() < 0.5:
                self.step()
            self.dead = True
            while self.waits():
                self.step()

    def ask(self, *, is_urgent: bool) -> None:
        """Wait for the turn (called in the machine's own threads)."""
        self.asleep_until_s = 0.0
        self.due_s = self._world.now_s + (self._step_s or (STEP_S if is_urgent else 1e12))
        if not self.dead:
            self._asks.release()
            assert self._turn.acquire(timeout=_STUCK_S)
        if self.dead:
            raise Killed

    def _await(self) -> None:
        assert self._asks.acquire(timeout=_STUCK_S), f"{self.name} neither asks nor ends"

    def _run(self, work: Callable[[SlowObjects], object]) -> None:
        try:
            work(SlowObjects(self._world, self))
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self._ended = True
            self._asks.release()


class TrueObjects:
    """The objects as they really are, to be read."""

    url = "memory:///lab"

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        return self._world.content(key)

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        content = self._world.content(key)
        return None if content is None else content[start:end]


class SlowObjects:
    """`wheelfs.remote.share.objects.Objects` for one machine."""

    url = "memory:///lab"

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        self._ask()
        if self._is_lost():
            raise _lost(key)
        if (cluster := self._world.cluster) is not None:
            if key in cluster.sick:
                raise _sick(key)
            if cluster.is_away(key) and cluster.chance.random() < cluster.errors:
                raise _away(key)  # also of what never was there
            if cluster.is_away(key):
                return None
        return self._world.seen(key, self._machine.name).content

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        content = self.read(key, limit_bytes=end)
        return None if content is None else content[start:end]

    def create(self, key: str, content: bytes) -> bool:
        world, is_urgent = self._world, key.startswith(_SMALL)
        self._ask(is_urgent=is_urgent)
        if world.cluster is not None and world.cluster.is_away(key):
            raise _away(key)
        if world.content(key) is not None:
            return False
        if world.is_directory and "/" in key:
            directory = key.rpartition("/")[0]
            temporary = f"{directory}/.new-{world.chance.randbytes(16).hex()}"
            world.put(temporary, content, self._machine.name)
            try:
                self._ask(is_urgent=is_urgent)
                if world.content(temporary) is None:
                    raise OriginMissing(f"write {key}", "no such file")
                is_first = world.content(key) is None
                if is_first:
                    world.put(key, content, self._machine.name)
            finally:
                if not self._machine.dead:
                    world.put(temporary, None, self._machine.name)
        else:
            is_first = True
            world.put(key, content, self._machine.name)
        if self._is_lost():
            # It is written, and either that is not told, or it is tried again, and found to be there.
            self._ask(is_urgent=is_urgent)
            if world.chance.random() < 0.5:
                raise _lost(key)
            return False
        return is_first

    def found(self, prefix: str) -> Iterator[FoundObject]:
        self._ask()
        keys = sorted(key for key in self._world.all_keys() if key.startswith(f"{prefix}/"))
        self._world.chance.shuffle(keys)
        found = [(key, self._world.seen(key, self._machine.name)) for key in keys]
        cluster = self._world.cluster
        if cluster is None:
            return iter([FoundObject(key, len(one.content), one.since_s) for key, one in found if one.content is not None])
        return iter(
            [
                FoundObject(key, len(one.content), one.since_s + cluster.skew_s(one.writer))
                for key, one in found
                if one.content is not None and not cluster.is_away(key)
            ]
        )

    def delete(self, key: str) -> None:
        self._ask(is_urgent=True)
        if self._world.cluster is not None and self._world.cluster.is_away(key):
            raise _away(key)
        self._world.put(key, None, self._machine.name)
        if self._is_lost():
            raise _lost(key)

    def _is_lost(self) -> bool:
        return not self._world.is_calm and self._world.chance.random() < _LOST

    def _ask(self, *, is_urgent: bool = False) -> None:
        self._machine.ask(is_urgent=is_urgent)


def _away(key: str) -> OriginUnreachable:
    return OriginUnreachable(f"ask for {key}", "transport endpoint is not connected")


def _sick(key: str) -> OriginFault:
    return OriginFault(f"ask for {key}", "input/output error")


def _lost(key: str) -> OriginTimeout:
    return OriginTimeout(f"ask for {key}", "no answer")
