"""What commands cost: how soon they are over, or a mount answers, and the processor time of ``add``; a set is stored."""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Final

from scripts.bench.programs import figures
from scripts.bench.programs.builds import PROCESS_CLOCK
from scripts.bench.programs.ground import arguments, ground, wheels
from scripts.bench.programs.measuring import section
from tests.fakes.processes import wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.bench.programs.ground import Ground, Wheels

_CALLS: Final = 7
"""Of so short a thing the least of some calls is shown: what disturbs them only adds."""


def children_s() -> float:
    """Return the processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Commands:
    """Commands on one store."""

    def __init__(self, on: Ground, store: Path) -> None:
        self.store = store
        self.mountpoint = on.directory / "mnt"
        self._environment = {**wheelfs_environment(on.directory / "home"), "WHEELFS_LOG_FILE": str(on.directory / "log")}

    def run(self, *words: str) -> str:
        """Run a command and return what it printed."""
        command = wheelfs_command("--store", str(self.store), *words)
        done = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def mount(self) -> float:
        """Return when the mount answers, with the processor time that its daemon has taken until then."""
        pid: int = json.loads(self.run("--json", "mount", "--offline", str(self.mountpoint)).splitlines()[0])["pid"]
        return time.clock_gettime(~pid << 3 | PROCESS_CLOCK)

    def timed(self, *words: str) -> float:
        """Run a command that leaves no process."""
        self.run(*words)
        return 0.0

    def umount(self) -> None:
        """Unmount."""
        self.run("umount", str(self.mountpoint))


def show(name: str, call: Callable[[], float], clear: Callable[[], object] = lambda: None) -> None:
    """Print the least and the median of some calls, the first of which does not count: it may write bytecode.

    A call returns the processor time of what it has left running.
    """
    call()
    clear()
    seconds, used = [], []
    for _ in range(_CALLS):
        before, began = children_s(), time.perf_counter()
        left_s = call()
        seconds.append(time.perf_counter() - began)
        used.append(children_s() - before + left_s)
        clear()
    figures.note(name, [min(seconds)])
    figures.note(f"{name}, processor s", [min(used)])
    print(f"  {name:<40} {min(seconds):7.3f} s, median {statistics.median(seconds):.3f}; processor {min(used):.3f} s", flush=True)


def measure(on: Ground, held: Wheels) -> None:
    """Measure with one store."""
    plain = held.copy_to(on.directory)
    commands = Commands(on, on.directory / "store")
    commands.run("add", str(plain))
    with section(f"until a command is over, or the mount answers (least of {_CALLS})"):
        for words in (("--help",), ("ls",), ("status",)):
            show(words[0], lambda words=words: commands.timed(*words))  # type: ignore[misc]
        show("mount", commands.mount, commands.umount)
    with section("add of a directory, everything in memory"):
        before = children_s()
        adding = Commands(on, on.directory / "added")
        summary = adding.run("--json", "add", str(plain))
        used = (children_s() - before) / held.total_bytes * 1e9
        files = [json.loads(line).get("file", {}) for line in summary.splitlines()]
        added = sum(file.get("result") == "added" for file in files)
        if added != len(held.paths):
            raise SystemExit(f"{added} of {len(held.paths)} wheels were added")
        figures.note("add, processor s a GB", [used])
        print(f"  {used:.2f} processor s a GB")
        shutil.rmtree(adding.store)


def main() -> None:
    """Measure all of them."""
    options = arguments(__doc__, rounds=1, add=lambda parser: parser.set_defaults(set="large"))
    held = wheels(options.set)
    print(held)
    for _ in range(options.rounds):
        with ground() as on:
            measure(on, held)


if __name__ == "__main__":
    main()
