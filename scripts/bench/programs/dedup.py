"""Room that a corpus of wheels takes in a store, beside restic, borg and a solid archive; and what in the store takes it."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs import figures
from scripts.bench.programs.corpus import GROUPS, add_option, corpus
from scripts.bench.programs.ground import arguments
from scripts.bench.programs.measuring import section
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from wheelfs.store.catalog.catalog import CATALOG_DATABASES
from wheelfs.store.chunks.chunk_store import CHUNK_DATABASES
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from scripts.bench.programs.corpus import Chosen, Corpus

_LIMIT_S = 1800.0
_SHOWN_BYTES = 50_000
"""Databases with less are summed up in one line."""
_READ_BYTES = 1 << 20
"""As much as the kernel asks for at a time."""


@dataclass(frozen=True, slots=True)
class Group:
    """Wheels that are stored together: each content once."""

    name: str
    held: Corpus
    chosen: Sequence[Chosen]

    @property
    def paths(self) -> list[Path]:
        return [self.held.path(one) for one in self.chosen]


def groups(held: Corpus) -> list[Group]:
    """Return the corpus's groups, and all of them as one."""
    parts = [Group(name, held, [one for one in held.chosen if one.group == name]) for name in GROUPS]
    return [*parts, Group("all in one", held, list({one.sha256: one for one in held.chosen}.values()))]


def tree_bytes(directory: Path) -> int:
    """Return what the files below a directory take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def in_wheelfs(group: Group, scratch: Path) -> Path:
    """Add the wheels to a new store and return it, once each of them was read back from it."""
    where = scratch / "store"
    command = wheelfs_command("--store", str(where), "add", *map(str, group.paths))
    run(command, environment=wheelfs_environment(scratch / "home"), timeout_s=_LIMIT_S).succeeded()
    with Store.open(where, create=False, readonly=True) as store:
        for one in group.chosen:
            with store.reading(bytes.fromhex(one.sha256)) as sealed:
                if sealed.read(0, sealed.size) != group.held.path(one).read_bytes():
                    raise SystemExit(f"{one.filename} is not what was stored")
    return where


def in_restic(group: Group, scratch: Path) -> int:
    """Return the size of a restic repository of the wheels, compressed as it does by itself."""
    where = scratch / "restic"
    restic = ["restic", "-q", "--no-cache", "-r", str(where)]
    for command in ([*restic, "init"], [*restic, "backup", *map(str, group.paths)]):
        subprocess.run(
            command, check=True, timeout=_LIMIT_S, env={**os.environ, "RESTIC_PASSWORD": "none"}, stdout=subprocess.DEVNULL
        )
    return tree_bytes(where)


def in_borg(group: Group, scratch: Path) -> int:
    """Return the size of a borg repository of the wheels."""
    where = scratch / "borg"
    own = {**os.environ, "BORG_BASE_DIR": str(scratch / "borg-home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    commands = (
        ["borg", "init", "-e", "none", str(where)],
        ["borg", "create", "--compression", "zstd,3", f"{where}::wheels", *map(str, group.paths)],
    )
    for command in commands:
        subprocess.run(command, check=True, timeout=_LIMIT_S, env=own)
    return tree_bytes(where)


def in_archive(group: Group) -> int:
    """Return the size of ``tar | zstd -3 --long=31``: no random access, no removal, all read for one file."""
    with subprocess.Popen(["tar", "-c", "-P", *map(str, group.paths)], stdout=subprocess.PIPE) as tar:
        counted = subprocess.run(
            ["bash", "-o", "pipefail", "-c", "zstd -q -3 --long=31 -c | wc -c"],
            check=True,
            timeout=_LIMIT_S,
            stdin=tar.stdout,
            capture_output=True,
        )
    return int(counted.stdout)


def show_solid(group: Group, scratch: Path, where: Path) -> None:
    """Make all but the newest versions solid, and print what is in use then, and how fast wheels are first read."""
    command = wheelfs_command("--store", str(where), "gc", "--solid", "0")
    run(command, environment=wheelfs_environment(scratch / "home"), timeout_s=_LIMIT_S).succeeded()
    rates = []
    # Nothing becomes ordinary again in a store that is only read, so each wheel's first read is measured.
    with Store.open(where, create=False, readonly=True) as store:
        for one in group.chosen:
            store.chunks.solid.forget()
            began_s = time.perf_counter()
            with store.reading(bytes.fromhex(one.sha256)) as sealed:
                read = [sealed.read(start, _READ_BYTES) for start in range(0, sealed.size, _READ_BYTES)]
            rates.append(sealed.size / (time.perf_counter() - began_s) / 1e6)
            if b"".join(read) != group.held.path(one).read_bytes():
                raise SystemExit(f"{one.filename} is not what was stored")
        part = store.used_bytes() / store.catalog.counts().raw_bytes
    slow = statistics.quantiles(rates, n=10)[0]
    print(
        f"    solid: {part:.3f}; first reads in MB/s: least {min(rates):.0f}, a tenth below {slow:.0f}, median "
        f"{statistics.median(rates):.0f}"
    )
    figures.note(f"{group.name}, solid", [part])
    figures.note(f"{group.name}, solid, slowest first read, MB/s", [min(rates)])


def show_inside(where: Path) -> None:
    """Print which databases take the room, in whole pages, and what is free between them."""
    with Store.open(where, create=False, readonly=True) as store:
        for environment, names in zip(store.environments, (CATALOG_DATABASES, CHUNK_DATABASES), strict=True):
            pages = {}
            with environment.read() as transaction:
                for name in names:
                    stat = transaction.stat(environment.database(name))
                    taken = (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * stat["psize"]
                    pages[name] = taken, stat["entries"]
            small = sum(taken for taken, _ in pages.values() if taken < _SHOWN_BYTES)
            free = environment.size_bytes() - sum(taken for taken, _ in pages.values())
            shown = [
                f"{name} {taken / 1e6:.2f} ({entries:,})" for name, (taken, entries) in pages.items() if taken >= _SHOWN_BYTES
            ]
            told = ", ".join([*shown, f"others {small / 1e6:.2f}", f"free {free / 1e6:.2f}"])
            print(f"    {environment.path.name} MB (entries): {told}")


def measure(group: Group, scratch: Path, *, peers: bool, solid: bool) -> None:
    """Store one group in every way and print its line."""
    raw = sum(path.stat().st_size for path in group.paths)
    archive = in_archive(group)
    where = in_wheelfs(group, scratch)
    # As `du` would count it, with everything that is not the catalog or the chunks.
    sizes = [tree_bytes(where), *((in_restic(group, scratch), in_borg(group, scratch)) if peers else ())]
    ratios = "".join(f"{size / raw:9.3f}" for size in [*sizes, archive])
    print(f"  {group.name:<11} {len(group.chosen):6} {raw / 1e6:9.1f} {sizes[0] / 1e6:9.1f}{ratios}{sizes[0] / archive:16.3f}")
    figures.note(group.name, [sizes[0] / raw])
    show_inside(where)
    if solid:
        show_solid(group, scratch, where)


def _more_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser)
    parser.add_argument("--scratch", type=Path, help="where to put the stores, up to 6 GB (default: memory, /dev/shm)")
    parser.add_argument("--no-peers", action="store_true", help="without restic and borg")
    parser.add_argument("--solid", action="store_true", help="also with what `gc --solid` makes of it")
    parser.add_argument("--only", choices=[*GROUPS, "all in one"], help="one group only")


def main() -> None:
    """Measure every group by itself, then all together."""
    options = arguments(__doc__, rounds=None, sets=False, add=_more_options)
    held = corpus(options.corpus)
    print(f"{held}; sizes are of all files in the store, and beside it as ratios to the wheels")
    with section("room by group"):
        peers = "" if options.no_peers else "   restic     borg"
        print(f"  {'group':<11} {'wheels':>6} {'raw MB':>9} {'store MB':>9}  wheelfs{peers}  archive  store / archive")
        for group in groups(held):
            if options.only in (None, group.name):
                with tempfile.TemporaryDirectory(prefix="wheelfs-bench-", dir=options.scratch or "/dev/shm") as scratch:
                    measure(group, Path(scratch), peers=not options.no_peers, solid=options.solid)


if __name__ == "__main__":
    main()
