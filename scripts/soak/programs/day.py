"""Everything at once, for half an hour: installs, reads, evictions, gc, faults of the index, remounts, kills and clock jumps.

A mount, which is stopped, killed and made again, and a gateway, which lives all the time, have a store each that is smaller than
what is asked for.  Bytes must always be right.  A try that nothing disturbs must succeed in the end: when all faults are gone,
every wheel is read once more on both.  The gateway's memory must be flat, ``verify`` clean, and no log line be an error or a
warning of another kind than those that the injected faults explain.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uv

from scripts.soak.programs.swept import swept
from tests.fakes.faults import Fault, RedirectLoop, Reset, Slow, Stall, Status, Truncate, WrongBytes
from tests.fakes.index import FakeIndex
from tests.fakes.jumping_clock import JumpingClock
from tests.fakes.memory import taken_by
from tests.fakes.mounts import Mounted
from tests.fakes.processes import (
    isolated_environment,
    run,
    wheelfs_command,
    wheelfs_environment,
)
from tests.gateway.serving import Serving
from wheelfs.errors import NotKnown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.faults import Action

PROJECTS: Final = 30
VERSIONS: Final = ("1.0", "1.1", "2.0")
QUOTA: Final = "12MB"
"""A third of what is asked for."""
READERS: Final = 2
PAUSE_S: Final = 3.0
"""Between two disturbances."""
BOUND_S: Final = 120.0
"""Of one try: some opens of 30 s each."""
SETTLED_S: Final = 180.0
"""When all faults are gone: twice the longest pause of a breaker, and a try."""
GROWTH: Final = 1.25
ALLOWANCE_BYTES: Final = 12 << 20
"""Of memory, for what allocators keep."""
_DAY_S: Final = 86_400
_UV: Final = uv.find_uv_bin()

_RECORD: Final = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} )", re.MULTILINE)
EXPECTED: Final = re.compile(
    r" WARNING wheelfs\.(?:service\.(?:fetch|hosts|projects|process|shares)|remote|frontends\.http)\."
    r"| WARNING wheelfs\.store\.(?:files|gc|spool|store)\b"
    r"| (?:WARNING|ERROR) wheelfs\.service\.vfs\.tree: [a-z ]+ failed: "
    r"| ERROR wheelfs\.service\.fetch\.download: store \S+: its sha256 is \w+, expected \w+; it is quarantined"
    r"| INFO | DEBUG "
)
"""Records that faults of an index, a quota and kills explain."""
BUG: Final = re.compile(r"a bug in wheelfs|please report it|^Traceback", re.MULTILINE)

FAULTS: Final[tuple[Action, ...]] = (
    Status(503), Status(403), Status(429, {"Retry-After": "3"}), Reset(), Reset(40_000), Truncate(40_000),
    Stall(after_bytes=0), Stall(after_bytes=40_000), Slow(200_000), WrongBytes(1_000, 50), RedirectLoop(),
)  # fmt: skip


@dataclass
class Day:
    """What is served, what is asked for, and what came of it."""

    index: FakeIndex
    clock: JumpingClock
    where: Path
    draw: random.Random
    mount: Mounted
    gateway: Serving
    wheels: dict[str, bytes] = field(default_factory=dict)
    """By filename."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    """Of the gateway, in bytes, at equal distances."""
    ending: threading.Event = field(default_factory=threading.Event)

    def stock(self) -> None:
        """Fill the index."""
        for number in range(PROJECTS):
            for version in VERSIONS:
                name, content = self.index.add_wheel(
                    f"day{number}", version, big_bytes=200_000 + 10_000 * number, big_seed=f"{number}{version[0]}"
                )
                self.wheels[name] = content

    def mount_address(self, name: str) -> str:
        return f"{self.mount.path}/simple/{name.partition('-')[0]}/{name}"

    # --- what users do ------------------------------------------------------------------------------------------------

    def read_from_mount(self, name: str) -> bytes | None:
        try:
            # In a process of its own: what hangs in the kernel cannot be left otherwise.
            done = subprocess.run(["cat", self.mount_address(name)], capture_output=True, check=False, timeout=BOUND_S)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"reading {name} from the mount took more than {BOUND_S:.0f} s")
            return None
        return done.stdout if done.returncode == 0 else None

    def read_from_gateway(self, name: str) -> bytes | None:
        began_s = time.monotonic()
        try:
            address = f"{self.gateway.url}/simple/{name.partition('-')[0]}/{name}"
            with urllib.request.urlopen(address, timeout=BOUND_S) as answer:
                content: bytes = answer.read()
                return content if len(content) == int(answer.headers["Content-Length"]) else None
        except (OSError, urllib.error.URLError, ValueError):
            return None
        except Exception as error:
            if type(error).__module__ != "http.client":
                raise
            return None
        finally:
            if time.monotonic() - began_s > BOUND_S:
                self.wrong.append(f"reading {name} from the gateway took more than {BOUND_S:.0f} s")

    def install(self, name: str) -> bool:
        """Install with uv from the mount or the gateway, and compare what the wheel's large member became."""
        project, version = name.split("-")[:2]
        url = f"file://{self.mount.path}/simple" if self.draw.random() < 0.5 else f"{self.gateway.url}/simple/"
        with tempfile.TemporaryDirectory(dir=self.where) as place:
            command = [
                _UV,
                "pip",
                "install",
                "--no-deps",
                "--no-cache",
                "--python",
                sys.executable,
                "--target",
                f"{place}/target",
            ]
            command += ["--default-index", url, f"{project}=={version}"]
            try:
                # uv alone would ask four times for what hangs, each time as long as the gateway waits for it.
                environment = {**isolated_environment(Path(place, "home")), "UV_HTTP_RETRIES": "1"}
                done = run(command, environment=environment, cwd=Path(place), timeout_s=BOUND_S)
            except subprocess.TimeoutExpired:
                self.wrong.append(f"installing {name} from {url} took more than {BOUND_S:.0f} s")
                return False
            if done.returncode:
                return False
            module = Path(place, "target", project, "__init__.py").read_text()
            if module != f"__version__ = {version!r}\n":
                self.wrong.append(f"installed as {name} from {url}: {module!r}")
        return True

    def use(self) -> None:
        """Read and install until the end; called in several threads."""
        while not self.ending.is_set():
            name = self.draw.choice(sorted(self.wheels))
            doing = self.draw.choice(("read", "download", "install"))
            if doing == "install":
                self.counts[f"{doing}: {'right' if self.install(name) else 'refused'}"] += 1
                continue
            content = self.read_from_mount(name) if doing == "read" else self.read_from_gateway(name)
            self.counts[f"{doing}: {'refused' if content is None else 'right'}"] += 1
            if content not in (None, self.wheels[name]):
                self.wrong.append(f"{doing} of {name}: other bytes")

    # --- what happens to them -----------------------------------------------------------------------------------------

    def fault(self) -> None:
        """Have the index, or one project of it, do something wrong for a while."""
        match = self.draw.choice((".whl", "/simple/", f"day{self.draw.randrange(PROJECTS)}"))
        self.index.faults.append(Fault(match, self.draw.choice(FAULTS), times=self.draw.randrange(1, 12)))
        del self.index.faults[:-3]

    def outage(self) -> None:
        """Have the index refuse connections, or hang, for a while."""
        begin, end = self.draw.choice(((self.index.stop, self.index.start), (self.index.hang, self.index.unhang)))
        begin()
        self.ending.wait(self.draw.uniform(1.0, 6.0))
        end()

    def remount(self) -> None:
        self.mount.restart()

    def killed(self) -> None:
        self.mount.kill()
        self.mount.start()

    def jump(self) -> None:
        """Set the clock forward or back, by seconds or by a year, or right again."""
        self.clock.set(self.draw.choice((0, 0, 90, -90, 3_600, -3_600, 40 * _DAY_S, -400 * _DAY_S)))

    def command(self, *words: str, otherwise: tuple[int, ...] = ()) -> None:
        """Run a command on the mount's store; ``otherwise`` are exit codes that say no more than what may be so."""
        done = run(
            wheelfs_command("--store", str(self.mount.store), *words), environment=wheelfs_environment(self.where / "home")
        )
        if done.returncode not in (0, 1, *otherwise) or "Traceback" in done.stderr:
            self.wrong.append(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-400:]}")

    def collect(self) -> None:
        self.command("gc")

    def remove(self) -> None:
        # Quotas and earlier ones may have removed all of it.
        self.command("rm", f"day{self.draw.randrange(PROJECTS)}", otherwise=(NotKnown.exit_code,))

    def disturb(self, minutes: float) -> None:
        """Do one of these after the other, and note the gateway's memory."""
        todo: tuple[Callable[[], None], ...] = (
            self.fault, self.fault, self.outage, self.remount, self.killed, self.jump, self.collect, self.remove
        )  # fmt: skip
        end_s = time.monotonic() + 60 * minutes
        while time.monotonic() < end_s and not self.wrong:
            self.memory.append(taken_by(self.gateway.pid).anonymous)
            doing = self.draw.choice(todo)
            doing()
            self.counts[doing.__name__] += 1
            time.sleep(PAUSE_S)

    # --- what must be true --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """End all faults, and see that everything can be read again, from both."""
        self.index.faults.clear()
        self.clock.set(0)
        deadline_s = time.monotonic() + SETTLED_S
        for name, right in self.wheels.items():
            for what, read in (("mount", self.read_from_mount), ("gateway", self.read_from_gateway)):
                while (content := read(name)) is None and time.monotonic() < deadline_s:
                    time.sleep(0.5)
                if content != right:
                    self.wrong.append(f"{name} from the {what}, when all faults were gone: {_described(content)}")

    def check_logs(self) -> None:
        for name, log in (("mount", self.mount.log), ("gateway", self.gateway.log.read_text(errors="replace"))):
            self.wrong += [f"log of the {name}: {record}" for record in unexpected(log)[:5]]

    def check_stores(self) -> None:
        for store in (self.mount.store, self.gateway.store):
            done = run(wheelfs_command("--store", str(store), "verify"), environment=wheelfs_environment(self.where / "home"))
            if done.returncode:
                self.wrong.append(f"verify of {store.name}: {done.stdout[-400:]} {done.stderr[-400:]}")


def growth(memory: list[int]) -> str | None:
    """Compare the last third with the second one, since the first one is growing up; say so when it is more than noise."""
    third = len(memory) // 3
    if third < 3:
        return None
    before, after = (statistics.median(part) for part in (memory[third : 2 * third], memory[2 * third :]))
    if after <= GROWTH * before + ALLOWANCE_BYTES:
        return None
    return f"the gateway's memory grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB"


def unexpected(log: str) -> list[str]:
    """Return the records of a log that nothing injected explains, with the lines that belong to them."""
    records = _RECORD.split(log)[1:]  # before the first one a mount says where it is
    return [record.strip() for record in records if not EXPECTED.search(record.partition("\n")[0]) or BUG.search(record)]


def _described(content: bytes | None) -> str:
    return "refused" if content is None else f"other bytes ({len(content)})"


def lived(where: Path, minutes: float, seed: int) -> Day:
    """Live through so many minutes, and return what came of them."""
    clock = JumpingClock(where / "clock")
    home = where / "home"
    home.mkdir()
    with ExitStack() as stack:
        index = stack.enter_context(FakeIndex(max_age_s=0))
        options = ("--index", f"main={index.url}", "--quota", QUOTA)
        environment = {**clock.environment, "WHEELFS_PAGE_TTL_S": "1"}
        mount = Mounted(where / "mnt", where / "store", options, home, environment)
        stack.callback(mount.clean_up)
        mount.start()
        gateway = stack.enter_context(Serving(where / "gateway", *options, environment=environment))
        day = Day(index, clock, where, random.Random(seed), mount, gateway)
        day.stock()
        with ThreadPoolExecutor(READERS) as pool:
            users = [pool.submit(day.use) for _ in range(READERS)]
            try:
                day.disturb(minutes)
            finally:
                day.ending.set()
            for user in users:
                user.result()
        day.settle()
        day.wrong += [grown] if (grown := growth(day.memory)) else []
        mount.stop()
    day.check_logs()
    day.check_stores()
    return day


def main() -> int:
    """Live as long as the command line asks; the exit code is 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/soak/day", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long things happen (30)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn from (1)")
    asked = parser.parse_args()
    with swept("day") as place:
        day = lived(place.where, asked.minutes, asked.seed)
    if place.interrupted:
        return 1
    for what, count in sorted(day.counts.items()):
        print(f"{count:6}  {what}")
    step = max(1, len(day.memory) // 20)
    print("memory of the gateway, in MB:", *(f"{one / 1e6:.0f}" for one in day.memory[::step]))
    print(f"{asked.minutes:g} minutes (seed {asked.seed}): {len(day.wrong)} wrong")
    for line in day.wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if day.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
