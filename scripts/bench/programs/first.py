"""A first ``uv pip install`` through an empty mount, against uv straight from the index, over a slow line: time and bytes.

Then the same with half of the set stored in the version before, and the rest not at all, or as it is now.  ``--other CHECKOUT``:
another build beside this one, by turns.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.bench.programs import figures
from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, project_of, versions_before, wheels
from scripts.bench.programs.line import Line, slow_line
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.timeline import draw

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tests.fakes.clients import Uv
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted

HABITS = {
    "offered": "core metadata offered (as PyPI does)",
    "none": "no core metadata (as many private indexes): resolvers read ranges of wheels",
}
PEER = "uv straight from the index"
_STALE = {"WHEELFS_PAGE_TTL_S": "1"}
"""What was stored was stored on another day."""


@dataclass(slots=True)
class _Meter:
    """What one case brought down the line, and how many requests it made, per run."""

    line: Line
    index: FakeIndex
    bytes_per_run: list[int] = field(default_factory=list)
    requests_per_run: list[int] = field(default_factory=list)
    last_run: list[str] = field(default_factory=list)
    _before: int = 0
    _began_s: float = 0.0

    def begin(self) -> None:
        self.index.reset_counters()
        self._before = self.line.brought_bytes
        self._began_s = time.perf_counter()

    def end(self, name: str) -> None:
        self.last_run = draw(name, list(self.index.requests), self._began_s, time.perf_counter())
        self.bytes_per_run.append(self.line.brought_bytes - self._before)
        self.requests_per_run.append(len(self.index.requests))

    def show(self, name: str, total_bytes: int, peer: _Meter) -> None:
        brought = statistics.median(self.bytes_per_run)
        requests = statistics.median(self.requests_per_run)
        of_peer = [mine / its for mine, its in zip(self.bytes_per_run, peer.bytes_per_run, strict=True)]
        figures.note(f"bytes, {name}", [one / total_bytes for one in self.bytes_per_run], of_peer)
        print(f"  {name:<58} {brought / 1e6:7.2f} MB = {brought / total_bytes:.3f} of the wheels, {requests:.0f} requests")


@dataclass(slots=True)
class _Installs:
    """The cases of one index: each installs the set into a new environment."""

    on: Ground
    held: Wheels
    index: FakeIndex
    line: Line
    meters: dict[str, _Meter] = field(default_factory=dict)
    _mounts: list[Mounted] = field(default_factory=list)

    def case(self, name: str, view: str | None, *, checkout: Path | None = None, store: Path | None = None) -> Case:
        """Return the case through a view of a mount (None: no mount) of a copy of ``store``, else of an empty one."""
        meter = self.meters[name] = _Meter(self.line, self.index)
        environment = ({"PYTHONPATH": str(checkout)} if checkout else {}) | (_STALE if store else {})

        def ready() -> tuple[Uv, str]:
            client, url = self.on.uv(), f"{self.line.origin}/simple"
            if view is not None:
                copied = store and self.on.copy_of(store)
                self._mounts.append(self.on.mount(url, store=copied, env=environment))
                url = f"file://{self._mounts[-1].path}/{view}simple"
            meter.begin()
            return client, url

        def install(given: tuple[Uv, str]) -> None:
            client, url = given
            client.run("pip", "install", "--default-index", url, *self.held.requirements, timeout_s=300.0).succeeded()
            meter.end(name)

        def clear() -> None:
            self.on.forget_clients()
            while self._mounts:
                self.on.throw_away(self._mounts.pop())

        return Case(name, install, ready, clear)

    def stocked(self, paths: Sequence[Path]) -> Path:
        """Return a store that has read these wheels through the line."""
        mounted = self.on.mount(f"{self.line.origin}/simple")
        for path in paths:
            through = mounted.path / "simple" / project_of(path) / path.name
            subprocess.run(["cmp", str(through), str(path)], check=True)
        mounted.clean_up()
        return mounted.store

    def measure(self, cases: Sequence[Case], options: argparse.Namespace) -> None:
        """Run the cases by turns, and print what they took."""
        show_times(interleaved(list(cases), options.rounds), {one.name: PEER for one in cases if one.name != PEER})
        for one in cases:
            self.meters[one.name].show(one.name, self.held.total_bytes, self.meters[PEER])
            if options.timeline:
                print(*self.meters[one.name].last_run, sep="\n")


def measure_first(installs: _Installs, options: argparse.Namespace) -> None:
    """Measure a first install."""
    cases = [installs.case(PEER, None), installs.case("mount, empty store, here/simple", "here/")]
    if options.other:
        cases.append(installs.case("mount of the other build, empty store, here/simple", "here/", checkout=options.other))
    else:
        cases.append(installs.case("mount, empty store, simple", ""))
    installs.measure(cases, options)


def measure_upgrade(installs: _Installs, before: Wheels, options: argparse.Namespace) -> None:
    """Measure an install where half of the set is stored in the version before."""
    old = {project_of(path) for path in before.paths}
    rest = [path for path in installs.held.paths if project_of(path) not in old]
    stores = {
        "the rest not stored": installs.stocked(before.paths),
        "the rest as it is": installs.stocked([*before.paths, *rest]),
    }
    cases = [installs.case(PEER, None)]
    for what, store in stores.items():
        cases.append(installs.case(f"mount, half in the version before, {what}", "here/", store=store))
        if options.other:
            cases.append(installs.case(f"the other build, {what}", "here/", checkout=options.other, store=store))
    installs.measure(cases, options)


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mbit", type=float, default=200.0, help="bandwidth of the line in Mbit/s (default %(default)s)")
    parser.add_argument("--timeline", action="store_true", help="draw what was asked of the index when, in the last round")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="delay of each request (default %(default)s)")
    parser.add_argument("--other", type=lambda text: Path(text).resolve(), help="another checkout, beside this one")
    parser.add_argument("--only", choices=["first", "upgrade"], help="one of the two")
    parser.add_argument("--metadata", choices=sorted(HABITS), help="one kind of index: with core metadata, or without")


def main() -> None:
    """Measure both kinds of index."""
    options = arguments(__doc__, rounds=3, add=_more_options)
    held = wheels(options.set)
    print(f"{held}\nline: {options.mbit:g} Mbit/s, {options.delay_ms:g} ms a request and a connection; ratio: of times")
    for habit in [options.metadata] if options.metadata else HABITS:
        title = HABITS[habit]
        with ground() as on, index_of(held, core_metadata=habit == "offered") as index:
            port = urlsplit(index.origin).port or 0
            with slow_line(port, bits_per_s=options.mbit * 1e6, delay_s=options.delay_ms / 1e3) as line:
                if options.only != "upgrade":
                    with section(title):
                        measure_first(_Installs(on, held, index, line), options)
                if options.only != "first":
                    before = versions_before(held)
                    for path in before.paths:
                        index.add(path.name, path.read_bytes(), project=project_of(path))
                    with section(f"half of it upgraded, {title}"):
                        measure_upgrade(_Installs(on, held, index, line), before, options)


if __name__ == "__main__":
    main()
