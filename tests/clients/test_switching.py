"""Indexes that come and go while people install: what is stored installs, the rest fails clearly, nothing else gets in."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from packaging.version import Version

from tests.fakes import faults
from tests.fakes.clients import Pip
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.mounts import Mounted

NEWEST: Final = "2.0"
POISON: Final = "99.0"
VISITS: Final = 3
"""How often each project is installed: at first nothing but its page's answer, and in the end everything, is here."""

CLEAR: Final = ("Network is unreachable", "Connection timed out", "Remote I/O error")
PIP_EVERY: Final = 8
LIMIT_S: Final = 600.0


@dataclass
class Outcome:
    """One install: what was stored before it began, and what came of it."""

    wanted: list[str]
    stored_before: set[str]
    returncode: int
    said: str
    installed: dict[str, str]


@dataclass
class Weather:
    """Two indexes, of which ``lab`` comes first and owns what begins with lab; what they do changes all the time."""

    lab: FakeIndex
    public: FakeIndex
    chance: random.Random
    states: int = 0

    def change(self) -> None:
        """Take some indexes away in one of the ways there are, or bring all back: every second time."""
        self.states += 1
        for index in (self.lab, self.public):
            index.faults.clear()
            index.unhang()
            index.start()
        if self.states % 2:
            # In turns, so that few switches bring all the ways; each of them to one index or to both.
            how = [cut_short, FakeIndex.stop, FakeIndex.hang, out_of_order][self.states // 2 % 4]
            for index in self.chance.choice([[self.lab], [self.public], [self.lab, self.public]]):
                how(index)

    def requests(self) -> int:
        return len(self.lab.requests) + len(self.public.requests)


def out_of_order(index: FakeIndex) -> None:
    index.faults.append(Fault(lambda *_: True, faults.Status(503), times=None))


def cut_short(index: FakeIndex) -> None:
    """Pages come, files break off: the state in which a resolver sees a version that it cannot have."""
    index.faults.append(Fault("/files/", faults.Truncate(after_bytes=900), times=None))


def fill(lab: FakeIndex, public: FakeIndex, projects: int) -> None:
    for number in range(projects):
        for version in ("1.0", NEWEST):
            lab.add_wheel(f"lab-{number}", version, requires=[f"part-{number}"], big_bytes=150_000)
            public.add_wheel(f"part-{number}", version, big_bytes=250_000)
        # A resolver that takes the highest version from anywhere takes this one.
        public.add_wheel(f"lab-{number}", POISON)


def store_old_versions(mount: Path, projects: int) -> None:
    """Half of the projects begin with their older version stored, so that there is something older to fall back to."""
    for number in range(0, projects, 2):
        for name in (f"lab_{number}", f"part_{number}"):
            (mount / "simple" / name.replace("_", "-") / f"{name}-1.0-py3-none-any.whl").read_bytes()


class Installing:
    """Installs that go on in two threads until ``installs`` are done."""

    def __init__(self, mount: Path, clients: Clients, installs: int) -> None:
        self._mount = mount
        self._clients = clients
        self._left = iter(range(installs))
        self._lock = threading.Lock()
        self.outcomes: list[Outcome] = []

    def work(self) -> None:
        while True:
            with self._lock:
                number = next(self._left, None)
                if number is None:
                    return
                client = self._clients.pip() if number % PIP_EVERY == PIP_EVERY - 1 else self._clients.uv()
            wanted = [f"lab-{number // VISITS}", f"part-{(number + 1) // VISITS}"]
            stored = {name for name in os.listdir(self._mount / "stored") if name.endswith(".whl")}
            source = f"file://{self._mount}/here/simple"
            if isinstance(client, Pip):
                done = client.run("install", "--no-compile", "--index-url", source, *wanted)
            else:
                done = client.run("pip", "install", "--default-index", source, *wanted)
            self.outcomes.append(Outcome(wanted, stored, done.returncode, done.stderr + done.stdout, client.installed()))


def newest_stored(outcome: Outcome, project: str) -> Version:
    names = (name.split("-") for name in outcome.stored_before)
    return max((Version(version) for name, version, *_ in names if name == project.replace("-", "_")), default=Version("0"))


def judge(outcome: Outcome, show: str) -> None:
    assert POISON not in outcome.installed.values(), outcome
    if outcome.returncode:
        assert any(words in outcome.said for words in CLEAR), outcome.said
        assert outcome.installed == {}, "all or nothing"
        return
    assert set(outcome.wanted) <= outcome.installed.keys()
    for project, version in outcome.installed.items():
        # "stored" lists what can be installed now, "all" everything: then nothing but the newest will do.
        least = Version(NEWEST) if show == "all" else max(newest_stored(outcome, project), Version("1.0"))
        assert Version(version) >= least, (project, outcome)


def switch_while_installing(
    mounted: MountWheelfs, clients: Clients, *, show: str, switches: int, installs: int, seed: int
) -> tuple[Mounted, list[Outcome]]:
    with FakeIndex() as lab, FakeIndex() as public:
        projects = installs // VISITS + 1
        fill(lab, public, projects)
        weather = Weather(lab, public, random.Random(seed))
        short = {"WHEELFS_LOOKUP_TIMEOUT_S": "1", "WHEELFS_OPEN_TIMEOUT_S": "1", "WHEELFS_PAGE_TTL_S": "0"}
        mount = mounted(
            "--index", f"lab={lab.url}", "--index", f"public={public.url}", env={**short, "WHEELFS_OFFLINE_SHOW": show}
        )
        store_old_versions(mount.path, projects)
        installing = Installing(mount.path, clients, installs)
        with ThreadPoolExecutor(2) as pool:
            workers = [pool.submit(installing.work) for _ in range(2)]
            for turn in range(1, switches + 1):
                asked, due = weather.requests() + weather.chance.randint(1, 40), turn * installs // (switches + 1)
                # Within an install where the indexes are being asked, else between two.
                eventually(ready(installing, weather, asked, due), deadline_s=LIMIT_S)
                weather.change()
            lab.unhang()
            public.unhang()
            for worker in workers:
                worker.result(LIMIT_S)
        assert weather.states == switches
        return mount, installing.outcomes


def ready(installing: Installing, weather: Weather, asked: int, due: int) -> Callable[[], bool]:
    return lambda: len(installing.outcomes) >= due and (weather.requests() >= asked or len(installing.outcomes) > due)


SOAKED = [
    pytest.param(switches, installs, id=f"{installs}-installs", marks=marks)
    for switches, installs, marks in ((4, 12, ()), (20, 200, pytest.mark.soak))
]


@pytest.mark.parametrize("show", ["stored", "all"])
@pytest.mark.parametrize(("switches", "installs"), SOAKED)
def test_indexes_come_and_go_during_installs(
    mounted: MountWheelfs, clients: Clients, show: str, switches: int, installs: int
) -> None:
    mount, outcomes = switch_while_installing(mounted, clients, show=show, switches=switches, installs=installs, seed=installs)
    assert len(outcomes) == installs
    for outcome in outcomes:
        judge(outcome, show)
    good = [outcome for outcome in outcomes if not outcome.returncode]
    assert good, "nothing could be installed at all"
    assert mount.process.poll() is None
    assert "Traceback" not in mount.log
