"""Beside devpi-server, everything cached: installing with the index up, closed, hanging; an unknown name; memory; disk."""

from __future__ import annotations

import itertools
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.bench.programs.ground import arguments, ground, index_of, project_of, store_all, wheels
from scripts.bench.programs.install import flat, pip_case, uv_case
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.memory import amounts_of
from tests.fakes.devpi import Devpi
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.bench.programs.ground import Ground, Wheels
    from tests.fakes.clients import Uv
    from tests.fakes.mounts import Mounted

_STALE_S = 1
"""How long pages count as fresh where the index is to be asked, in both."""

_PEER = "plain directory, --no-index --find-links"
_STATES: dict[str, Callable[[FakeIndex], None]] = {"up": FakeIndex.start, "closed": FakeIndex.stop, "hanging": FakeIndex.hang}


class Scene:
    """One index, mounts of one store and mirrors of one devpi in front of it."""

    def __init__(self, on: Ground, held: Wheels, index: FakeIndex, devpi: Devpi) -> None:
        self.on, self.held, self.index, self.devpi = on, held, index, devpi
        self.plain = held.copy_to(on.directory)
        self.mounted = on.mount(index.url)
        store_all(self.mounted, held)
        self.mirror = devpi.add_mirror("main", index.url)
        self._warm(self.mirror)
        self.disk = {"wheelfs": disk_bytes(self.mounted.store), "devpi": disk_bytes(devpi.directory)}
        self.asking = on.mount(index.url, store=self.mounted.store, env={"WHEELFS_PAGE_TTL_S": str(_STALE_S)})
        self.asking_mirror = devpi.add_mirror("asking", index.url, expiry_s=_STALE_S)
        self._warm(self.asking_mirror)
        self.failures: Counter[str] = Counter()

    def _warm(self, mirror: str) -> None:
        # One page after the other: a new mirror that many ask at once says of some projects that there are none.
        for path in self.held.paths:
            urllib.request.urlopen(f"{mirror}{project_of(path)}/", timeout=60.0).close()
        self.on.uv().run("pip", "install", "--default-index", mirror, *self.held.requirements, timeout_s=300.0).succeeded()

    def state(self, name: str) -> Callable[[], None]:
        """Return what brings the index into a state that has not been noticed yet, with every page stale."""

        def prepare() -> None:
            self.index.start()
            self.index.unhang()
            eventually(lambda: origin_state(self.asking) != "down", deadline_s=90.0)
            time.sleep(_STALE_S * 1.1)
            _STATES[name](self.index)

        return prepare

    def tolerant(self, case: Case) -> Case:
        """Return a case whose failing is counted and does not end the run."""

        def work(client: object) -> None:
            try:
                case.work(client)
            except AssertionError as error:
                self.failures[f"{case.name}: {str(error).strip().splitlines()[-1]}"] += 1

        return replace(case, work=work)


def disk_bytes(directory: Path) -> int:
    """Return what a directory takes on its disk; LMDB's files have holes."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def origin_state(mounted: Mounted) -> str:
    """Return what the daemon thinks of its index."""
    state: str = mounted.status()["origins"][0]["state"]
    return state


def sources(mounted: Mounted, mirror: str) -> dict[str, str]:
    """Return the index URLs of both."""
    return {"wheelfs": f"file://{mounted.path}/here/simple", "devpi": mirror}


def measure_uv(scene: Scene, rounds: int) -> None:
    """Measure ``uv pip install`` with fresh pages, then with stale ones and the index in each of its states."""
    on, wanted = scene.on, scene.held.requirements
    cases = [uv_case(on, _PEER, wanted, flat(scene.plain))]
    peers = {}
    for who, url in sources(scene.mounted, scene.mirror).items():
        cases.append(scene.tolerant(uv_case(on, f"{who}, pages fresh", wanted, ["--default-index", url], scene.state("up"))))
        peers[cases[-1].name] = _PEER
    for state in _STATES:
        for who, url in sources(scene.asking, scene.asking_mirror).items():
            name = f"{who}, pages stale, index {state}"
            cases.append(scene.tolerant(uv_case(on, name, wanted, ["--default-index", url], scene.state(state))))
            peers[name] = _PEER
    show_times(interleaved(cases, rounds), peers)


def measure_pip(scene: Scene, rounds: int) -> None:
    """Measure ``pip install``, pages fresh."""
    on, wanted = scene.on, scene.held.requirements
    cases = [pip_case(on, _PEER, wanted, "install", flat(scene.plain))]
    for who, url in sources(scene.mounted, scene.mirror).items():
        cases.append(scene.tolerant(pip_case(on, f"{who}, pages fresh", wanted, "install", ["--index-url", url])))
    show_times(interleaved(cases, rounds), {case.name: _PEER for case in cases[1:]})


def measure_unknown(scene: Scene, rounds: int) -> None:
    """Measure how long ``uv pip install`` takes to fail for a name that does not exist, and show what it says then."""
    numbers = itertools.count()
    said: dict[str, str] = {}

    def ask(client: Uv, url: str) -> str:
        done = client.run("pip", "install", "--default-index", url, f"never-heard-of-{next(numbers)}", timeout_s=300.0)
        assert done.returncode, "there is no such project"
        return done.stderr.strip().splitlines()[-1].strip()

    def case(who: str, url: str, state: str, *, noticed: bool) -> Case:
        name = f"{who}, index {state}" + (", noticed already" if noticed else "")

        def ready() -> Uv:
            scene.state(state)()
            if noticed:
                ask(scene.on.uv(), url)
            return scene.on.uv()

        return Case(name, lambda client: said.__setitem__(name, ask(client, url)), ready, scene.on.forget_clients)

    both = sources(scene.asking, scene.asking_mirror).items()
    cases = [
        case(who, url, state, noticed=seen) for state in ("closed", "hanging") for seen in (False, True) for who, url in both
    ]
    peers = {mine.name: its.name for mine, its in zip(cases[::2], cases[1::2], strict=True)}
    show_times(interleaved(cases, rounds), peers)
    for name, text in said.items():
        print(f"  {name}: {text}")


def show_memory(scene: Scene) -> None:
    """Print the memory of the processes after all that."""
    processes = {
        "wheelfs, pages fresh": scene.mounted.process.pid,
        "wheelfs, pages stale": scene.asking.process.pid,
        "devpi, both mirrors": scene.devpi.pid,
    }
    for name, pid in processes.items():
        amounts = amounts_of(pid)
        told = "  ".join(f"{field} {amounts[field]:6.1f}" for field in ("Rss", "Pss", "Anonymous"))
        print(f"  {name:<58} {told}  peak (VmHWM) {amounts['VmHWM']:6.1f}")


def main() -> None:
    """Measure both."""
    options = arguments(__doc__, rounds=3)
    held = wheels(options.set)
    print(f"{held}\nfiles, stores, caches and environments on tmpfs; new cache and environment each time; ratio: of times")
    with ground() as on, index_of(held) as index, Devpi(on.directory / "devpi") as devpi:
        scene = Scene(on, held, index, devpi)
        with section("uv pip install"):
            measure_uv(scene, options.rounds)
        with section("pip install"):
            measure_pip(scene, max(2, options.rounds // 2))
        with section("an unknown name while the index is away: time to uv's error"):
            measure_unknown(scene, max(2, options.rounds // 2))
        for name, count in scene.failures.items():
            print(f"  FAILED {count} times: {name}")
        with section("memory afterwards, MB (Rss counts pages of the store and libraries that are mapped)"):
            show_memory(scene)
        with section("disk, MB"):
            for name, amount in {"the wheels": held.total_bytes, **scene.disk}.items():
                print(f"  {name:<58} {amount / 1e6:9.1f}")
        index.unhang()


if __name__ == "__main__":
    main()
