"""Shares on real cluster file systems: four writers on two nodes, kills, a server that is away, and nothing is ever lost.

Each file system is set up on this machine, on loopback alone.  In each round all writers push new files into one share at once,
and one of them is killed at an instant drawn from a seed; during the middle rounds, and in the middle of collecting garbage, one
server of the file system is away.  Then all push what is left, garbage is collected as if weeks had passed, and on each node a
new store takes all that the share lists.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scripts.soak.programs.ceph import CephFs, RadosGw
from scripts.soak.programs.file_systems import NODES, DistributedGluster, FileSystem, Gluster, JuiceFs, NotReady, Sshfs
from scripts.soak.programs.swept import swept
from tests.fakes.crashes import stored
from tests.fakes.processes import run, spawn, wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import WheelfsError
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes.processes import Finished, Process

WRITERS: Final = 4
FILES: Final = 3
"""New files of each writer in a round."""
ROUNDS_A_KILL: Final = 3
"""Rounds at most for one kill in the middle: some come too late."""
HEALED_S: Final = 180.0
"""What is there again must be usable within that time."""
BOUND_S: Final = 600.0
POLL_S: Final = 0.01
AGES_DAYS: Final = (9, 18, 27)
"""When garbage is collected: condemned, deleted a grace period later, and what that left."""
FILE_SYSTEMS: Final[dict[str, type[FileSystem]]] = {
    kind.name: kind for kind in (FileSystem, Gluster, DistributedGluster, CephFs, RadosGw, Sshfs, JuiceFs)
}
"""``directory`` is a local one: it shows that the work itself is right."""


class Wrong(Exception):
    """Something that was promised did not hold."""


@dataclass
class Writer:
    """One of those who push: its store, its node, and the command that runs."""

    store: Path
    node: int
    output: Path
    process: Process | None = None

    def printed(self) -> list[dict[str, Any]]:
        """Return the whole lines that its last command printed."""
        lines = self.output.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]


@dataclass
class Manifest:
    """What was given and what was acknowledged."""

    everything: dict[str, bytes] = field(default_factory=dict)
    """All wheels that ever were, by name."""
    acknowledged: set[str] = field(default_factory=set)
    """Those of which a push has said that the share lists them."""
    removed: set[str] = field(default_factory=set)
    """Those that were taken out of the share, and of all stores from which they could be pushed again."""

    def note(self, printed: list[dict[str, Any]]) -> None:
        """Take over what a push acknowledged."""
        files = [line["file"] for line in printed if "file" in line]
        self.acknowledged |= {file["filename"] for file in files if file["result"] in ("pushed", "present")}

    def check(self, found: Mapping[str, bytes]) -> None:
        """Raise `Wrong` when something acknowledged was not found, or anything is back or has other bytes than it was given."""
        if lost := self.acknowledged - found.keys():
            raise Wrong(f"lost: {sorted(lost)}")
        if back := self.removed & found.keys():
            raise Wrong(f"removed, and there again: {sorted(back)}")
        if wrong := [name for name, content in found.items() if self.everything.get(name) != content]:
            raise Wrong(f"other bytes: {wrong}")


class Soak:
    """One share on one file system, and all that happens to it."""

    def __init__(self, where: Path, file_system: FileSystem, draw: random.Random, writers: int = WRITERS) -> None:
        self.where = where
        self.file_system = file_system
        self.draw = draw
        self.manifest = Manifest()
        self.counts: Counter[str] = Counter()
        self._shares = [file_system.share(node) for node in range(NODES)]
        self._writers = [Writer(where / f"writer{one}", one % NODES, where / f"output{one}") for one in range(writers)]
        self._common = {f"common/part{part}.bin": incompressible(60_000, f"common-{part}") for part in range(4)}
        self._gc_errors = where / "gc.err"
        self._is_hurt = self._was_hurt = False
        self._longest_s = 0.0

    # --- commands -----------------------------------------------------------------------------------------------------

    def _environment(self, node: int) -> dict[str, str]:
        return {**wheelfs_environment(self.where / "home"), **self._shares[node][1]}

    def _run(self, node: int, store: Path, *words: str) -> Finished:
        command = wheelfs_command("--store", str(store), "--json", *words)
        try:
            done = run(command, environment=self._environment(node), timeout_s=BOUND_S)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(words)} took more than {BOUND_S:.0f} s") from None
        _see_bugs(words, done.returncode, done.stdout + done.stderr)
        return done

    def _start_push(self, writer: Writer) -> None:
        url, _ = self._shares[writer.node]
        with writer.output.open("wb") as output, writer.output.with_suffix(".err").open("wb") as errors:
            writer.process = spawn(
                wheelfs_command("--store", str(writer.store), "--json", "push", "--private", "--share", url),
                environment=self._environment(writer.node),
                stdout=output.fileno(),
                stderr=errors.fileno(),
            )

    def _end_push(self, writer: Writer, *, may_fail: bool) -> int:
        """Wait for a push, note what it acknowledged, and return its exit code."""
        assert writer.process is not None
        try:
            code = writer.process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            raise Wrong(f"a push took more than {BOUND_S:.0f} s") from None
        self.manifest.note(writer.printed())
        self.counts["acknowledged"] = len(self.manifest.acknowledged | self.manifest.removed)
        said = writer.output.read_text() + writer.output.with_suffix(".err").read_text()
        _see_bugs(("push",), code, said)
        if code > 0 and not may_fail:
            raise Wrong(f"push ended with {code} while all servers were there: {said[-1_000:]}")
        return code

    def _give(self, writer: Writer, number: int) -> None:
        """Add new wheels to a writer's store: parts of them all writers have."""
        house = self.where / "house"
        house.mkdir(exist_ok=True)
        name = f"{writer.store.name}r{number}"
        paths = []
        for minor in range(FILES):
            filename, size = wheel_filename(name, f"1.{minor}"), self.draw.randrange(100_000, 400_000)
            content = build_wheel(name, f"1.{minor}", files=self._common, big_bytes=size, big_seed=f"{name}{minor}")
            paths.append(house / filename)
            paths[-1].write_bytes(content)
            self.manifest.everything[filename] = content
        done = self._run(writer.node, writer.store, "add", *map(str, paths))
        if done.returncode:
            raise Wrong(f"add ended with {done.returncode}: {done.stdout} {done.stderr}")
        for path in paths:
            path.unlink()

    # --- what happens -------------------------------------------------------------------------------------------------

    def _hurt(self) -> None:
        self.file_system.hurt()
        self._is_hurt = True
        self._was_hurt = True
        self.counts["outages"] += self.file_system.has_servers

    def _heal(self) -> None:
        """Start the server again, and return when both nodes can push."""
        self.file_system.heal()
        deadline_s = time.monotonic() + HEALED_S
        for writer in self._writers[:NODES]:
            while True:
                self._start_push(writer)
                if self._end_push(writer, may_fail=time.monotonic() < deadline_s) == 0:
                    break
        self._is_hurt = False

    def round(self, number: int, *, hurt: bool) -> bool:
        """Let all writers push new files and kill one; return whether that was in its middle."""
        for writer in self._writers:
            self._give(writer, number)
        victim = self.draw.choice(self._writers)
        # The first round ends by itself, to learn how long one takes.
        instant_s = self.draw.random() * self._longest_s if self._longest_s else BOUND_S
        began_s = time.monotonic()
        for writer in self._writers:
            self._start_push(writer)
        if hurt:
            self._hurt()
        if number % 4 == 1:
            self.collect_now(number % NODES)
        assert victim.process is not None
        while victim.process.poll() is None and time.monotonic() - began_s < instant_s:
            time.sleep(POLL_S)
        victim.process.kill()
        codes = [self._end_push(writer, may_fail=self._is_hurt) for writer in self._writers]
        self.counts["pushes"] += len(codes)
        self.counts["refused pushes"] += sum(code > 0 for code in codes)
        if not self._is_hurt and self._longest_s == 0.0:
            self._longest_s = time.monotonic() - began_s
        return codes[self._writers.index(victim)] < 0

    def rounds(self, kills: int) -> None:
        """Do rounds until that many were killed in the middle; during the middle third a server is away."""
        for number in range(ROUNDS_A_KILL * kills + 1):
            done = self.counts["kills"]
            if done == kills:
                break
            if self._is_hurt and done >= 2 * kills // 3:
                self._heal()
            hurt = not self._was_hurt and done >= kills // 3 and number > 0
            self.counts["kills"] += self.round(number, hurt=hurt)
            self.counts["rounds"] += 1
        if self._is_hurt:
            self._heal()
        for writer in self._writers:
            self._start_push(writer)
            self._end_push(writer, may_fail=False)
        if self.manifest.everything.keys() - self.manifest.acknowledged:
            raise Wrong("a push has ended well and said nothing of some of its files")

    def collect_now(self, node: int) -> None:
        """Run the command that collects garbage, while others push; by its own clock all is too young."""
        done = self._run(node, self._writers[node].store, "gc", "--share", self._shares[node][0], "--grace", "1h")
        self.counts["gc runs"] += 1
        self.counts["gc refused"] += done.returncode != 0
        if done.returncode and not self._is_hurt:
            raise Wrong(f"gc ended with {done.returncode} while all servers were there: {done.stdout} {done.stderr}")

    def take_out(self) -> None:
        """Take a part of the files out of the share, so that there is something to collect."""
        for writer in self._writers:
            own = sorted(name for name in self.manifest.acknowledged if name.startswith(f"{writer.store.name}r"))
            names = self.draw.sample(own, len(own) // 3)
            for words in (("rm", "--share", self._shares[writer.node][0], *names), ("rm", *names)):
                done = self._run(writer.node, writer.store, *words)
                if done.returncode:
                    raise Wrong(f"{words[0]} ended with {done.returncode}: {done.stdout} {done.stderr}")
            self.manifest.removed.update(names)
        self.manifest.acknowledged -= self.manifest.removed
        self.counts["removed"] = len(self.manifest.removed)

    def collect_later(self) -> None:
        """Collect as if weeks had passed, each time first with a server that goes away in the middle."""
        objects = len(self.keys())
        for days in AGES_DAYS:
            if self.file_system.has_servers:
                self._collect(days, hurt=True)
                self._collect(days, hurt=False)  # while it is away
                self._heal()
            deadline_s = time.monotonic() + HEALED_S
            while self._collect(days, hurt=False):
                if time.monotonic() > deadline_s:
                    raise Wrong(f"gc fails while all servers are there: {self._gc_errors.read_text()[-1_000:]}")
        self.counts["deleted by gc"] = objects - len(self.keys())

    def _collect(self, days: int, *, hurt: bool) -> int:
        with self._gc_errors.open("wb") as errors:
            process = spawn(
                [sys.executable, "-P", "-m", "tests.fakes.later", "collect", self._shares[0][0], str(days)],
                environment=self._environment(0),
                stderr=errors.fileno(),
            )
        if hurt:
            time.sleep(self.draw.random())
            self._hurt()
        code = process.wait(BOUND_S)
        self.counts["gc runs"] += 1
        self.counts["gc refused"] += code != 0
        return code

    def keys(self) -> list[str]:
        """Return the keys of packs and manifests in the share."""
        url, environment = self._shares[0]
        os.environ.update(environment)
        objects = open_objects(url)
        return [found.key for prefix in ("packs", "manifests") for found in objects.found(prefix)]

    def check(self) -> None:
        """On each node have a new store take all of the share, verify it, and compare it with the manifest."""
        for node in range(NODES):
            store = self.where / f"reader{node}-{self.counts['readers']}"
            self.counts["readers"] += 1
            for words in (("pull", "--contents", "--share", self._shares[node][0]), ("verify",)):
                done = self._run(node, store, *words)
                if done.returncode:
                    raise Wrong(f"{words[0]} on node {node} ended with {done.returncode}: {done.stdout[-1_000:]} {done.stderr}")
            self.manifest.check(stored(store))

    def run(self, kills: int) -> None:
        """Do all of it; raises `Wrong`."""
        self.rounds(kills)
        self.check()
        self.take_out()
        self.collect_later()
        self.check()


def _see_bugs(words: tuple[str, ...], code: int, said: str) -> None:
    if code == 70 or "Traceback" in said:
        raise Wrong(f"{' '.join(words)} ended with {code}, a bug: {said[-1_000:]}")


def soaked(kind: type[FileSystem], where: Path, *, kills: int, seed: int, writers: int = WRITERS) -> tuple[Counter[str], str]:
    """Set up a file system, do all of it, and take it down; return the counts and what was wrong, if anything was."""
    for name in ("servers", "work"):
        (where / name).mkdir(parents=True)
    file_system, counts = kind(where / "servers"), Counter[str]()
    try:
        file_system.set_up()
        soak = Soak(where / "work", file_system, random.Random(seed), writers)
        counts = soak.counts
        soak.run(kills)
    except (NotReady, Wrong, WheelfsError, AssertionError) as error:
        return counts, f"{type(error).__name__}: {error}"
    finally:
        file_system.take_down()
    return counts, ""


def main() -> int:
    """Soak as the command line asks; the exit code is 1 when something was lost or wrong, or could not be set up."""
    asked = _arguments()
    names = asked.file_systems.split(",") if asked.file_systems else [name for name in FILE_SYSTEMS if name != "directory"]
    failed = False
    with swept("cluster") as place:
        for name in names:
            kind = FILE_SYSTEMS[name]
            if missing := kind(place.where).missing():
                print(f"{name}: left out: {missing}", file=sys.stderr)
                failed = True
                continue
            began_s = time.monotonic()
            counts, wrong = soaked(kind, place.where / name, kills=asked.kills, seed=asked.seed)
            failed |= bool(wrong)
            said = ", ".join(f"{count} {what}" for what, count in counts.items())
            verdict = "something was lost or wrong" if wrong else "0 lost, 0 wrong, 0 damaged"
            print(f"{name} (seed {asked.seed}): {said}: {verdict}; {time.monotonic() - began_s:.0f} s", flush=True)
            if wrong:
                print(f"{name}: {wrong}", file=sys.stderr)
    return 1 if failed or place.interrupted else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak/cluster", description=__doc__)
    parser.add_argument("--file-systems", metavar="NAME,...", help=f"only these of {', '.join(FILE_SYSTEMS)}")
    parser.add_argument("--kills", type=int, default=20, help="how often a writer is killed in the middle of a push (20)")
    parser.add_argument("--seed", type=int, default=1, help="what the instants are drawn from (1)")
    asked = parser.parse_args()
    if unknown := set((asked.file_systems or "directory").split(",")) - set(FILE_SYSTEMS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
