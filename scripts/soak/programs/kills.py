"""kill -9 at instants of all that writes to one store, and a manifest of what was acknowledged: nothing of it is ever lost.

One store and one share live through all of it.  The instants are places in the work (transactions committed, bytes that the index
has sent, objects in the share), drawn from a seed, not times, so that they spread over the work on a slow machine as on a fast
one.  After every kill the store is opened, verified and read to the last byte; after every tenth of ``push`` a new store takes
all that the share lists.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scripts.soak.programs.swept import swept
from tests.fakes.crashes import kill_when, stored, transactions
from tests.fakes.faults import Fault, Slow
from tests.fakes.index import FakeIndex
from tests.fakes.mounts import Mounted
from tests.fakes.processes import run, spawn, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

RATE: Final = 2_000_000
"""Bytes a second on each connection to the index: slow enough that kills come in the middle."""
FILES: Final = 3
"""Files that one piece of work brings in."""
KEPT: Final = 40
"""Files in the store, from which on removing takes more than is brought in."""
PULLED_EVERY: Final = 10
POLL_S: Final = 0.01
READERS: Final = FILES - 1
"""Fewer than files: some are stored when the kill comes, some under way, and some not asked for yet."""


@dataclass
class Tally:
    """What the kills of one command came to."""

    instants: int = 0
    in_the_middle: int = 0
    acknowledged: int = 0


class Wrong(Exception):
    """Something that was promised did not hold."""


@dataclass
class Ground:
    """One store, one share and one index, and the manifest."""

    where: Path
    index: FakeIndex
    draw: random.Random
    everything: dict[str, bytes] = field(default_factory=dict)
    """All wheels that ever were, by name."""
    acknowledged: set[str] = field(default_factory=set)
    """Those of which a program has said that they are stored."""
    removed: set[str] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)
    longest: Counter[str] = field(default_factory=Counter)
    """By command: how many steps its longest work took so far."""

    @property
    def store(self) -> Path:
        return self.where / "store"

    @property
    def share(self) -> Path:
        return self.where / "share"

    def wheels(self, number: int, kind: str) -> dict[str, bytes]:
        """Return new wheels of a project that no page is known of yet; some have their large member in common with others."""
        made = {}
        for minor in range(FILES):
            version, name = f"1.{minor}", f"{kind}{number}"
            size, seed = self.draw.randrange(100_000, 500_000), self.draw.choice(("same", f"{number}.{minor}"))
            made[wheel_filename(name, version)] = build_wheel(name, version, big_bytes=size, big_seed=seed)
        self.everything.update(made)
        return made

    def hosted(self, number: int, kind: str) -> dict[str, bytes]:
        """Return new wheels that the index has."""
        made = self.wheels(number, kind)
        for name, content in made.items():
            self.index.add(name, content, project=f"{kind}{number}")
        return made

    def instant(self, command: str) -> int:
        """Return a step of the work at which it is killed; the first of each command ends by itself, to learn how many it has."""
        return self.draw.randrange(self.longest[command]) if self.longest[command] else sys.maxsize

    def kill(self, command: str, words: Sequence[str], steps: Callable[[], int]) -> tuple[bool, list[dict[str, Any]]]:
        """Run a command and kill it at an instant; return whether that was in the middle, and what it had printed by then."""
        begin, instant, output = steps(), self.instant(command), self.where / "output"
        with output.open("wb") as printed:
            process = spawn(
                wheelfs_command("--store", str(self.store), "--json", *words),
                environment=wheelfs_environment(self.where / "home"),
                stdout=printed.fileno(),
            )
            in_the_middle = kill_when(process, lambda: steps() >= begin + instant)
        if not in_the_middle:
            if process.returncode:
                raise Wrong(f"{command} ended with {process.returncode}: {output.read_text()}")
            self.longest[command] = max(self.longest[command], steps() - begin)
        lines = output.read_bytes().splitlines(keepends=True)
        return in_the_middle, [json.loads(line) for line in lines if line.endswith(b"\n")]

    def transactions(self) -> int:
        return transactions(self.store)

    def check(self) -> None:
        """Raise `Wrong` when the store does not hold what was acknowledged, or holds anything else than what was given to it."""
        if not (self.store / "format").exists():
            if self.acknowledged:
                raise Wrong("the store is gone")
            return
        found = stored(self.store)
        if lost := self.acknowledged - found.keys():
            raise Wrong(f"lost: {sorted(lost)}")
        if back := self.removed & found.keys():
            raise Wrong(f"removed, and there again: {sorted(back)}")
        if wrong := [name for name, content in found.items() if self.everything.get(name) != content]:
            raise Wrong(f"other bytes: {wrong}")
        # What is there now was sealed, and has to stay like all the rest.
        self.acknowledged |= found.keys()

    def check_share(self) -> None:
        """Raise `Wrong` when a new store cannot take all that the share lists, or that was said to be in it."""
        place = self.where / "pulled"
        words = ("--store", str(place), "pull", "--contents", "--share", f"file://{self.share}")
        done = run(wheelfs_command(*words), environment=wheelfs_environment(self.where / "home"))
        if done.returncode:
            raise Wrong(f"pull: {done.stdout} {done.stderr}")
        found = stored(place)
        if lost := self.pushed - found.keys():
            raise Wrong(f"pushed, and not in the share: {sorted(lost)}")
        if wrong := [name for name, content in found.items() if self.everything.get(name) != content]:
            raise Wrong(f"other bytes in the share: {wrong}")


# --- the work -----------------------------------------------------------------------------------------------------------


def of_add(ground: Ground, number: int) -> tuple[bool, set[str]]:
    """Add a directory of wheels."""
    house = ground.where / f"house-{number}"
    house.mkdir()
    for name, content in ground.wheels(number, "added").items():
        (house / name).write_bytes(content)
    in_the_middle, printed = ground.kill("add", ["add", str(house)], ground.transactions)
    return in_the_middle, {line["file"]["filename"] for line in printed if line["file"]["result"] != "refused"}


def of_fetch(ground: Ground, number: int) -> tuple[bool, set[str]]:
    """Fetch files from the index, whole or in parts."""
    names = [f"fetched{number}==1.{minor}" for minor in range(FILES)]
    ground.hosted(number, "fetched")
    words = ["fetch", "--delta", ground.draw.choice(("always", "never")), "--index", f"main={ground.index.url}"]
    in_the_middle, printed = ground.kill("fetch", [*words, *names], ground.transactions)
    files = [line["file"] for line in printed if "file" in line]
    return in_the_middle, {file["filename"] for file in files if file["result"] in ("fetched", "present")}


@dataclass
class _Reads:
    """What serves files: ``read`` returns one, ``is_sealed`` whether it is said to be stored; both None once it was killed."""

    read: Callable[[str], bytes | None]
    is_sealed: Callable[[str], bool | None]
    kill: Callable[[], None]


def read_and_kill(ground: Ground, wheels: dict[str, bytes], reads: _Reads) -> tuple[bool, set[str]]:
    """Read files at once, and kill what serves them when the index has sent a part.

    Return whether that was in the middle, and what was acknowledged: that a file was read whole does not say that it is stored,
    so it is asked for until it is said to be.
    """
    acknowledged: set[str] = set()

    def one_file(name: str) -> bytes | None:
        content = reads.read(name)
        while content is not None and (sealed := reads.is_sealed(name)) is not None:
            if sealed:
                acknowledged.add(name)
                break
            time.sleep(POLL_S)
        return content

    begin = ground.index.body_bytes(".whl")
    instant = begin + ground.draw.randrange(sum(map(len, wheels.values())))
    with ThreadPoolExecutor(READERS) as pool:
        files = {name: pool.submit(one_file, name) for name in wheels}
        eventually(lambda: ground.index.body_bytes(".whl") >= instant or all(one.done() for one in files.values()))
        if failed := [name for name, one in files.items() if one.done() and one.result() is None]:
            raise Wrong(f"could not be read, though nothing was killed yet: {failed}")
        in_the_middle = not all(one.done() for one in files.values())
        reads.kill()
        came = {name: one.result() for name, one in files.items()}
    if wrong := [name for name, content in came.items() if content not in (None, wheels[name])]:
        raise Wrong(f"read other bytes: {wrong}")
    return in_the_middle, acknowledged


def of_mount(ground: Ground, number: int) -> tuple[bool, set[str]]:
    """Read files through a mount, whose attributes say what is stored."""
    wheels = ground.hosted(number, "mounted")
    options = ["--index", f"main={ground.index.url}"]
    mount = Mounted(ground.where / "mnt", ground.store, options, ground.where / "home", {})
    project = mount.path / "simple" / f"mounted{number}"

    def read(name: str) -> bytes | None:
        with suppress(OSError):
            return (project / name).read_bytes()
        return None  # the kill

    def is_sealed(name: str) -> bool | None:
        with suppress(OSError):
            return os.getxattr(project / name, "user.wheelfs.state") == b"stored"
        return None

    try:
        mount.start()
        return read_and_kill(ground, wheels, _Reads(read, is_sealed, mount.kill))
    finally:
        mount.clean_up()


def of_serve(ground: Ground, number: int) -> tuple[bool, set[str]]:
    """Download files from a gateway, whose ``stored/`` lists what is stored."""
    wheels = ground.hosted(number, "served")
    gateway = Serving(ground.where, "--index", f"main={ground.index.url}").start()

    def read(path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"{gateway.url}/{path}", timeout=60) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            return b"" if error.code == 404 else None
        except (OSError, http.client.HTTPException, ValueError, EOFError):
            return None  # the kill

    def is_sealed(name: str) -> bool | None:
        page = read(f"stored/simple/served{number}/")
        return None if page is None else f">{name}<".encode() in page

    return read_and_kill(ground, wheels, _Reads(lambda name: read(f"simple/served{number}/{name}"), is_sealed, gateway.kill))


def of_gc(ground: Ground, _number: int) -> tuple[bool, set[str]]:
    """Remove files, and give their room back; both are killed."""
    present = sorted(ground.acknowledged)
    names = ground.draw.sample(present, min(len(present), FILES * (1 + (len(present) > KEPT))))
    if names:
        # Of what it has not said to be gone either may be true.
        _, printed = ground.kill("rm", ["rm", *names], ground.transactions)
        ground.removed |= {line["filename"] for line in printed}
        ground.acknowledged -= set(names)
        ground.check()
    in_the_middle, _ = ground.kill("gc", ["gc"], ground.transactions)
    return in_the_middle, set()


def of_push(ground: Ground, number: int) -> tuple[bool, set[str]]:
    """Push all to the share."""
    words = ["push", "--private", "--share", f"file://{ground.share}"]
    ground.share.mkdir(exist_ok=True)

    def objects() -> int:
        # Unlike a glob it goes on when a directory has got another name meanwhile, as new ones do.
        return sum(len(directories) + len(files) for _, directories, files in os.walk(ground.share))

    in_the_middle, printed = ground.kill("push", words, objects)
    files = [line["file"] for line in printed if "file" in line]
    ground.pushed |= {file["filename"] for file in files if file["result"] in ("pushed", "present")}
    if number // len(WORK) % PULLED_EVERY == 0:
        ground.check_share()
    return in_the_middle, set()


WORK: Final[dict[str, Callable[[Ground, int], tuple[bool, set[str]]]]] = {
    "add": of_add,
    "fetch": of_fetch,
    "mount": of_mount,
    "push": of_push,
    "serve": of_serve,
    "gc": of_gc,
}


def killed(ground: Ground, instants: int, commands: Sequence[str]) -> Iterator[tuple[str, bool, int]]:
    """Kill so many times, in turn; yield the command, whether it was in the middle, and how many files it had acknowledged."""
    for number in range(instants):
        command = commands[number % len(commands)]
        in_the_middle, acknowledged = WORK[command](ground, number)
        ground.acknowledged |= acknowledged
        ground.check()
        yield command, in_the_middle, len(acknowledged)


def main() -> int:
    """Kill as the command line asks; the exit code is 1 when something was lost or wrong."""
    asked = _arguments()
    commands = asked.command or list(WORK)
    tallies = {command: Tally() for command in commands}
    began_s, failure = time.monotonic(), ""
    with swept("kills") as place:
        try:
            with FakeIndex() as index:
                index.faults.append(Fault(".whl", Slow(RATE), times=None))
                ground = Ground(place.where, index, random.Random(asked.seed))
                for command, in_the_middle, acknowledged in killed(ground, asked.instants, commands):
                    tally = tallies[command]
                    tally.instants += 1
                    tally.in_the_middle += in_the_middle
                    tally.acknowledged += acknowledged
                if ground.pushed:
                    ground.check_share()
        except (Wrong, AssertionError) as error:
            failure = f"seed {asked.seed}, instant {sum(tally.instants for tally in tallies.values())}: {error}"
    for command, tally in tallies.items():
        print(f"{tally.instants:5}  {command:6} {tally.in_the_middle:4} in the middle, {tally.acknowledged:4} files acknowledged")
    total, middle = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("instants", "in_the_middle"))
    verdict = "something was lost or wrong" if failure else "0 lost, 0 wrong, 0 damaged"
    print(f"{total:5}  instants (seed {asked.seed}), {middle} in the middle: {verdict}; {time.monotonic() - began_s:.0f} s")
    if failure:
        print(failure, file=sys.stderr)
    return 1 if failure or place.interrupted else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak/kills", description=__doc__)
    parser.add_argument("--instants", type=int, default=200, help="how often a process is killed (200)")
    parser.add_argument("--seed", type=int, default=1, help="what the instants are drawn from (1)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help=f"only these: {', '.join(WORK)}")
    asked = parser.parse_args()
    if unknown := set(asked.command) - set(WORK):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
