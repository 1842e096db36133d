"""Run one habit: straight, and every way through wheelfs, with pip and with uv, in as many rounds as the habit has changes."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.world.faces import Faces, Way, ways
from tests.world.habits import of_round
from tests.world.outcomes import Installed, Outcome, Verdict, Worse, is_like, judge
from tests.world.rig import CLIENTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clients import Clients
    from tests.world.habits import Habit
    from tests.world.rig import Client, Rig
    from tests.world.shop import Shop

CHANGE_S: Final = 8.0
"""How long a change may take to be seen: a page is stale for half a second of waiting, and this machine may be busy."""
FLAT_S: Final = 5.0
"""How long a file that is stored may take to be listed in a flat directory."""
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Try:
    """One install and what it is judged to be."""

    round: int
    client: Client
    face: str
    straight: Outcome
    through: Outcome
    verdict: Verdict
    took_s: float


@dataclass(slots=True)
class Report:
    """What came of one habit.  ``oracle``: where straight was not what the habit says, so that nothing can be compared."""

    habit: Habit
    straight: dict[tuple[int, Client], Outcome] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)
    oracle: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def worse(self) -> list[str]:
        """How wheelfs does less well than straight, a line each."""
        groups: dict[tuple[int, str, str, str], list[Try]] = {}
        for one in self.tries:
            if isinstance(one.verdict, Worse):
                groups.setdefault((one.round, one.client, one.verdict.what, str(one.through)), []).append(one)
        found = []
        for (number, client, what, through), group in groups.items():
            said = getattr(group[0].through, "said", "")[-400:].replace("\n", "\n      ")
            faces = ", ".join(one.face for one in group)
            found.append(f"{client}, round {number + 1}, {faces}: {what}: straight {group[0].straight}, through {through}")
            found[-1] += f"\n      {said}" if said else ""
        return found + self.complaints


def run_habit(habit: Habit, rig: Rig, clients: Clients) -> Report:
    """Run it; its hosts are gone when this returns."""
    report = Report(habit)
    began_s = time.monotonic()
    with ExitStack() as stack:
        shop = rig.shop(habit, stack)
        changes = habit.set_up(shop)
        for number, _ in enumerate([None] if changes is None else changes):
            for client in CLIENTS:
                _Round(report, rig, shop, clients, client, number).run()
        if habit.also is not None and rig.nodes:
            for client in CLIENTS:
                said = habit.also(Faces(rig.nodes[client], habit.project, rig.index_name(habit), rig.index_urls(habit)))
                report.complaints += [f"{client}: {said}"] if said else []
    report.took_s = time.monotonic() - began_s
    return report


class _Round:
    """All installs of one client between two changes."""

    def __init__(self, report: Report, rig: Rig, shop: Shop, clients: Clients, client: Client, number: int) -> None:
        self._report = report
        self._habit = report.habit
        self._rig = rig
        self._shop = shop
        self._clients = clients
        self._client = client
        self._number = number
        self._where = rig.where / "installs" / self._habit.name / f"{number}-{client}"
        # For the mount's ways and the gateway's; what has not come in it is waited for no more.
        self._patience_s = dict.fromkeys((False, True), CHANGE_S if number else 0.0)

    def run(self) -> None:
        habit, report, number, is_pip = self._habit, self._report, self._number, self._client == "pip"
        self._where.mkdir(parents=True)
        if self._shop.requirements_txt is not None:
            (self._where / "requirements.txt").write_text(self._shop.requirements_txt)
        straight = report.straight[number, self._client] = self._install(Way("straight", self._rig.index_urls(habit)))
        said = of_round(habit.pip if is_pip else habit.uv, number)
        if said is not None and not is_like(straight, said):
            words = getattr(straight, "said", "")
            report.oracle.append(f"{self._client}, round {number + 1}: straight was {straight}, not {said}\n{words}")
        elif self._rig.nodes:
            instead = of_round(habit.instead_pip if is_pip else habit.instead_uv, number)
            for way in ways(self._client, self._rig.nodes[self._client], self._rig.index_name(habit)):
                if way.face not in habit.without:
                    report.tries.append(self._try(way, straight, instead))
        shutil.rmtree(self._where)

    def _try(self, way: Way, straight: Outcome, instead: Outcome | None) -> Try:
        began_s = time.monotonic()
        through = self._through(way, straight if instead is None else instead)
        also_right = self._habit.also_right
        verdict = judge(straight, through, instead=instead, also_right=also_right, mute=way.is_mute_for(self._client))
        return Try(self._number, self._client, way.face, straight, through, verdict, time.monotonic() - began_s)

    def _through(self, way: Way, wanted: Outcome) -> Outcome:
        """Install; what takes wheelfs a moment (a change of a page, a listing) is waited for, to a deadline."""
        if way.directory is not None and isinstance(wanted, Installed):
            _listed(way.directory, f"{self._habit.project.replace('-', '_')}-{wanted.version}-".lower())
        by_http = way.face.startswith("gateway")
        deadline_s = time.monotonic() + self._patience_s[by_http]
        while True:
            through = self._install(way)
            if is_like(through, wanted):
                return through
            if time.monotonic() >= deadline_s:
                self._patience_s[by_http] = 0.0
                return through
            time.sleep(POLL_S)

    def _install(self, way: Way) -> Outcome:
        self._shop.begin_try()
        place = self._where / way.face.replace(" ", "-")
        outcome = self._clients.install(self._client, self._habit, way, place)
        shutil.rmtree(place)
        return outcome


def _listed(directory: Path, beginning: str) -> None:
    """Wait until a file that is called so is listed, or no longer."""
    deadline_s = time.monotonic() + FLAT_S
    while time.monotonic() < deadline_s and not any(name.lower().startswith(beginning) for name in os.listdir(directory)):
        time.sleep(POLL_S)
