"""Cut the power between any two operations of a store's work, and see that nothing acknowledged is lost.

Work (add, fetch, push, rm, gc) is done in a store and a share on a file system that remembers every write, sync and name, in
order.  For each place where the power is cut a disk is made as it may be then: what was synced, and of the rest some pages, some
sizes and some names, drawn from a seed.  There the store must open, verify clean, hold all that was acknowledged before, have
none of what was said to be removed, and trust no byte of a partly fetched file that is not the right one; of every so many
disks a new store takes all that the share lists.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scripts.soak.programs.swept import swept
from tests.fakes.crashes import stored
from tests.fakes.faults import Fault, Status, Truncate
from tests.fakes.index import FakeIndex
from tests.fakes.power import Disk
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.recording_fs import Recording
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.file_io import sync_directory
from wheelfs.model.content import key_of_sha256
from wheelfs.store.spool import spool
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.fakes.power import Operation

BIG_BYTES: Final = 150_000
SHARE_EVERY: Final = 20
"""A pull takes as long as some checks of a store."""
_SAID: Final = "said"
_COMMANDS: Final = 7
"""In a round."""
_CUT_SHORT: Final = 1
"""The number of that one in a round whose index fails."""
_ANOTHER_BOOT: Final = b"another boot...."


class Wrong(Exception):
    """Something that was promised did not hold."""


@dataclass
class Work:
    """What was done, and the record of it."""

    root: int
    operations: list[Operation]
    everything: dict[str, bytes]


@dataclass
class Acknowledged:
    """What the commands had said by some time."""

    stored: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)
    is_made: bool = False
    """Whether a command has ended that made the store."""


@dataclass
class Tally:
    """What the cuts came to."""

    cuts: int = 0
    operations: int = 0
    acknowledged: int = 0
    partial_bytes: int = 0
    pushed: int = 0
    """Cuts at which something had been pushed."""
    pulled: int = 0
    """Those of them at which the share was read."""


# --- the work -----------------------------------------------------------------------------------------------------------


def worked(where: Path, rounds: int) -> Work:
    """Do the work, ``rounds`` times over, and return its record."""
    everything: dict[str, bytes] = {}
    with FakeIndex() as index, Recording(where) as recording:
        (recording.mount / _SAID).mkdir()
        (recording.mount / "share").mkdir()
        sync_directory(recording.mount)  # the place of a share is made by its owner
        for number, words in enumerate(_commands(index, where, recording.mount / "share", everything, rounds)):
            _run(recording.mount, where / "home", number, words)
    return Work(recording.root, list(recording.operations()), everything)


def _commands(index: FakeIndex, where: Path, share: Path, everything: dict[str, bytes], rounds: int) -> Iterator[tuple[str, ...]]:
    from_index = ("--index", f"main={index.url}")
    for number in range(rounds):
        house = where / f"house-{number}"
        house.mkdir()
        for version in ("1.0", "1.1"):
            name = wheel_filename(f"added{number}", version)
            everything[name] = build_wheel(f"added{number}", version, big_bytes=BIG_BYTES, big_seed=f"same {number}")
            (house / name).write_bytes(everything[name])
            name = wheel_filename(f"fetched{number}", version)
            files = {f"fetched{number}/__init__.py": version.encode() * 40_000}
            everything[name] = build_wheel(
                f"fetched{number}", version, files=files, big_bytes=2 * BIG_BYTES, big_seed=f"alike {number}"
            )
            index.add(name, everything[name], project=f"fetched{number}")
        half = wheel_filename(f"fetched{number}", "1.0")
        yield ("add", str(house))
        index.faults += [Fault(half, Truncate(BIG_BYTES)), Fault(half, Status(404), times=None)]
        yield ("fetch", "--delta", "never", *from_index, f"fetched{number}==1.0")  # is cut short, and leaves a partial file
        index.faults.clear()
        yield ("fetch", "--delta", "never", *from_index, f"fetched{number}==1.0")
        yield ("fetch", "--delta", "always", *from_index, f"fetched{number}==1.1")
        yield ("push", "--private", "--share", share.as_uri())
        yield ("rm", wheel_filename(f"added{number}", "1.0"), wheel_filename(f"fetched{number}", "1.0"))
        yield ("gc",)


def _run(mount: Path, home: Path, number: int, words: Sequence[str]) -> None:
    """Run a command, whose output is a file there: so the record says what was acknowledged before which operation."""
    command = [sys.executable, "-P", "-m", "tests.fakes.on_fuse", "--store", str(mount / "store"), "--json", *words]
    with (mount / _SAID / f"{number:03}-{words[0]}").open("wb", buffering=0) as said:
        done = subprocess.run(command, env=wheelfs_environment(home), stdout=said, stderr=subprocess.PIPE, check=False)
        said.write(b'{"done": true}\n')
    if done.returncode and number % _COMMANDS != _CUT_SHORT:
        printed = (mount / _SAID / f"{number:03}-{words[0]}").read_text()
        raise Wrong(f"{' '.join(words)} ended with {done.returncode}: {printed} {done.stderr.decode()}")


def acknowledged_by(disk: Disk) -> Acknowledged:
    """Return what the commands have said by now, in all lines that were written whole."""
    found = Acknowledged()
    for name, said in sorted(disk.text(_SAID).items()):
        lines = [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith(b"\n")]
        match name.partition("-")[2]:
            case "add" | "fetch":
                files = [line["file"] for line in lines if "file" in line]
                found.stored |= {file["filename"] for file in files if file["result"] in ("added", "fetched", "present")}
                found.is_made |= bool(lines)
            case "rm":
                removed = {line["filename"] for line in lines if "filename" in line}
                found.removed |= removed
                # While it runs, what it has not said to be gone may be either.
                found.stored -= removed if {"done": True} in lines else found.stored
            case "push":
                files = [line["file"] for line in lines if "file" in line]
                found.pushed |= {file["filename"] for file in files if file["result"] in ("pushed", "present")}
    return found


# --- the cuts -----------------------------------------------------------------------------------------------------------


def check_store(store: Path, everything: dict[str, bytes], acknowledged: Acknowledged) -> int:
    """Raise `Wrong` when something does not hold in a store after a cut; return how many bytes of partial files it trusts."""
    with _after_a_boot(), Store.open(store, create=not acknowledged.is_made) as opened:
        trusted = _partial_bytes(opened, everything)
    found = stored(store)
    if lost := acknowledged.stored - found.keys():
        raise Wrong(f"lost: {sorted(lost)}")
    if back := acknowledged.removed & found.keys():
        raise Wrong(f"removed, and there again: {sorted(back)}")
    if wrong := [name for name, content in found.items() if everything.get(name) != content]:
        raise Wrong(f"other bytes: {wrong}")
    return trusted


@contextmanager
def _after_a_boot() -> Iterator[None]:
    """Have this process be of another boot than the one that wrote, as it is when the power comes back."""
    before = vars(spool)["boot_id"]
    vars(spool)["boot_id"] = lambda: _ANOTHER_BOOT
    try:
        yield
    finally:
        vars(spool)["boot_id"] = before


def _partial_bytes(opened: Store, everything: dict[str, bytes]) -> int:
    trusted = 0
    for name, content in everything.items():
        key = key_of_sha256(hashlib.sha256(content).digest())
        if opened.spool.state(key) is None:
            continue
        partial = opened.spool.open(key, size_bytes=len(content))
        try:
            for start, end in partial.spans:
                trusted += end - start
                if partial.read(start, end - start) != content[start:end]:
                    raise Wrong(f"bytes {start} to {end} of the partial file of {name} are not its own")
        finally:
            partial.close()
    return trusted


def check_share(share: Path, where: Path, everything: dict[str, bytes], acknowledged: Acknowledged) -> None:
    """Raise `Wrong` when a new store cannot take all that was said to be in the share, or takes other bytes."""
    words = ("--store", str(where / "pulled"), "pull", "--contents", "--share", share.as_uri())
    done = run(wheelfs_command(*words), environment=wheelfs_environment(where / "home"))
    if done.returncode:
        raise Wrong(f"pull: {done.stdout} {done.stderr}")
    found = stored(where / "pulled")
    if lost := acknowledged.pushed - found.keys():
        raise Wrong(f"pushed, and not in the share: {sorted(lost)}")
    if wrong := [name for name, content in found.items() if everything.get(name) != content]:
        raise Wrong(f"other bytes in the share: {wrong}")


def cut(work: Work, where: Path, draw: random.Random, cuts: int) -> Iterator[tuple[int, str | None, Tally]]:
    """Cut the power at ``cuts`` places, or after every operation; yield the place, what is wrong there, and the tally."""
    disk, tally = Disk(work.root), Tally(operations=len(work.operations))
    places = range(1, len(work.operations) + 1)
    chosen = set(draw.sample(places, min(cuts, len(places)))) if cuts else set(places)
    for place, operation in enumerate(work.operations, 1):
        disk.do(operation)
        if place not in chosen:
            continue
        acknowledged = acknowledged_by(disk)
        after = where / "after"
        after.mkdir()
        tally.cuts += 1
        tally.pushed += bool(acknowledged.pushed)
        tally.acknowledged = max(tally.acknowledged, len(acknowledged.stored | acknowledged.removed))
        wrong = None
        try:
            disk.left(after / "disk", draw)
            tally.partial_bytes += check_store(after / "disk" / "store", work.everything, acknowledged)
            if acknowledged.pushed and tally.pushed % SHARE_EVERY == 1:
                check_share(after / "disk" / "share", after, work.everything, acknowledged)
                tally.pulled += 1
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        shutil.rmtree(after)
        yield place, wrong, tally


def main() -> int:
    """Cut as the command line asks; the exit code is 1 when something was lost or wrong."""
    asked = _arguments()
    began_s, tally, failures = time.monotonic(), Tally(), 0
    with swept("power") as place:
        work = worked(place.where, asked.rounds)
        for at, wrong, tally in cut(work, place.where, random.Random(asked.seed), asked.cuts):  # noqa: B007 - used at the end
            if wrong is not None:
                failures += 1
                print(f"WRONG: seed {asked.seed}, operation {at} ({_of(work.operations[at - 1])}): {wrong}", flush=True)
    print(
        f"{tally.cuts:5}  cuts in {tally.operations} operations (seed {asked.seed}), {tally.acknowledged} files acknowledged,"
        f" {tally.partial_bytes} bytes of partial files, {tally.pulled} shares pulled: {failures} wrong;"
        f" {time.monotonic() - began_s:.0f} s"
    )
    return 1 if failures or place.interrupted else 0


def _of(operation: Operation) -> str:
    return type(operation).__name__.lower()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak/power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=0, help="at how many places, drawn from the seed (0: after every operation)")
    parser.add_argument("--rounds", type=int, default=1, help="how often the work is done before (1)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn from (1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
