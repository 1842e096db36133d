"""This build beside another checkout of wheelfs, by turns: installing what is stored, reading, and memory.

The other one is the peer.

Each build runs by its own ``scripts/wheelfs``, on a store of its own in memory with the same wheels.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs.ground import SETS, ground, wheels
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.memory import amounts_of
from scripts.bench.programs.read import cat, drop, made_wheel
from tests.fakes.processes import ROOT, isolated_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts.bench.programs.ground import Ground

PROCESS_CLOCK = 2
"""The processor time of all threads of a process: clock_getcpuclockid(3) makes a clock of it and the process's number."""

THIS, OTHER = "this build", "the other build"


class Build:
    """A checkout, with a store and a mount."""

    def __init__(self, name: str, checkout: Path, directory: Path) -> None:
        self.name = name
        self.checkout = checkout
        self.store = directory / "store"
        self.path = directory / "mnt"
        self._environment = isolated_environment(directory / "home") | {"WHEELFS_LOG_FILE": str(directory / "log")}
        self.pid = 0

    def run(self, *arguments: str) -> str:
        """Run a command of this build on its store and return what it printed."""
        command = [str(self.checkout / "scripts" / "wheelfs"), "--store", str(self.store), *arguments]
        return subprocess.run(command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def mount(self) -> None:
        """Mount, and remember the daemon."""
        self.pid = json.loads(self.run("--json", "mount", "--offline", str(self.path)).splitlines()[0])["pid"]

    def umount(self) -> None:
        """Unmount."""
        self.run("umount", str(self.path))

    def remount(self) -> None:
        """Begin again, with a cold kernel cache."""
        self.umount()
        self.mount()


def measure(on: Ground, builds: Sequence[Build], held_name: str, rounds: int) -> None:
    """Measure both builds."""
    held = wheels(held_name)
    large = made_wheel(on.directory / "demo-1.0-py3-none-any.whl", 4_000, 40_000)
    for build in builds:
        build.run("add", *map(str, held.paths), str(large))
        build.mount()

    def install(build: Build) -> None:
        options = ("--no-index", "--find-links", str(build.path), "--link-mode", "copy")
        on.uv().run("pip", "install", *options, *SETS[held_name], timeout_s=300.0).succeeded()

    def processor_s() -> float:
        ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        daemons = sum(time.clock_gettime(~build.pid << 3 | PROCESS_CLOCK) for build in builds)
        return daemons + sum(used.ru_utime + used.ru_stime for used in ours)

    def compared(what: str, cases: list[Case], data_bytes: int | None = None) -> None:
        with section(what):
            show_times(interleaved(cases, rounds), {THIS: OTHER}, data_bytes=data_bytes)
        with section("  its processor time, clients and daemon together"):
            show_times(interleaved(cases, rounds, clock_s=processor_s), {THIS: OTHER})

    def reading(build: Build, prepare: Callable[[], None]) -> Case:
        return Case(build.name, lambda _: cat(build.path / large.name), prepare)

    def installing(build: Build) -> Case:
        return Case(build.name, lambda _: install(build), on.forget_clients)

    size = large.stat().st_size
    compared(f"uv pip install by --find-links, {held}", [installing(build) for build in builds])
    cold = [reading(build, partial(drop, build.path / large.name)) for build in builds]
    compared("cat of a wheel of 4,000 members, kernel cache cold", cold, size)
    compared("the same, blocks not yet checked by a new daemon", [reading(build, build.remount) for build in builds], size)
    with section("memory of the daemon after two installs, MB (own: anonymous)"):
        own: dict[str, list[float]] = {build.name: [] for build in builds}
        for _ in range(rounds):
            for build in builds:
                build.remount()
                for _ in range(2):
                    install(build)
                own[build.name].append(amounts_of(build.pid)["Anonymous"])
        middle = {name: statistics.median(found) for name, found in own.items()}
        print("  " + ", ".join(f"{name} {amount:.1f}" for name, amount in middle.items()), end="")
        print(f", ratio {middle[THIS] / middle[OTHER]:.2f}")


def main() -> None:
    """Measure this checkout beside another one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=5, help="how often each case is measured (default 5)")
    parser.add_argument("--set", choices=sorted(SETS), default="small", help="which packages (default small)")
    options = parser.parse_args()
    with ground() as on:
        builds = [
            Build(name, checkout, on.directory / name.replace(" ", "-"))
            for name, checkout in ((THIS, ROOT), (OTHER, options.other.resolve()))
        ]
        try:
            measure(on, builds, options.set, options.rounds)
        finally:
            for build in builds:
                if build.pid:
                    build.umount()


if __name__ == "__main__":
    main()
