"""``wheelfs gc`` on a store of very many chunks: time, memory, and reads through a mount meanwhile."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs.ground import Ground, arguments, ground
from scripts.bench.programs.measuring import section
from scripts.bench.programs.read import added, drop, made_wheel
from tests.fakes.many_chunks import fill
from tests.fakes.memory import most_taken_by, taken_by
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import argparse

_READ_BYTES = 128 * 1024
_READS_BEFORE = 2_000
_LIMIT_S = 3600.0


def prepared(store: Path, chunks: int) -> int:
    """Fill a store, remove every second file of it, and return how many."""
    with Store.open(store) as opened:
        gone = fill(opened, chunks=chunks)[::2]
        for name in gone:
            opened.catalog.remove_name(name.key).result()
    return len(gone)


def read_some(path: Path, content: bytes, chance: random.Random) -> float:
    """Read a stretch through the mount, past the kernel's cache, compare it, and return the seconds."""
    drop(path)
    offset = chance.randrange(len(content) - _READ_BYTES)
    began = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), _READ_BYTES, offset)
    took = time.perf_counter() - began
    if data != content[offset : offset + _READ_BYTES]:
        raise SystemExit("a read during the collection was wrong")
    return took


def show_reads(when: str, seconds: list[float]) -> None:
    """Print how long reads took."""
    ordered = sorted(seconds)
    print(
        f"  reads of 128 KiB {when:<18} {len(ordered):6}: median {statistics.median(ordered) * 1e3:7.2f} ms,"
        f" p99 {ordered[-1 - len(ordered) // 100] * 1e3:7.2f}, longest {ordered[-1] * 1e3:7.2f}"
    )


def measure(on: Ground, store: Path, chunks: int) -> None:
    """Collect on ``store`` while a mount on it is read."""
    with section(f"a store of {chunks:,} chunks, every second of its files removed"):
        removed = prepared(store, chunks)
        sizes = ", ".join(f"{path.parent.name} {path.stat().st_size / 1e6:.0f} MB" for path in sorted(store.glob("*/data.mdb")))
        print(f"  {removed:,} files removed; {sizes}")
    wheel = made_wheel(on.directory / "demo-1.0-py3-none-any.whl", 1_000, 40_000)
    content = wheel.read_bytes()
    mounted = added(on, wheel, store)
    through = mounted.path / wheel.name
    chance = random.Random(1)
    with section("wheelfs gc while that mount is read"):
        show_reads("before", [read_some(through, content, chance) for _ in range(_READS_BEFORE)])
        daemon_before = taken_by(mounted.process.pid)
        during: list[float] = []
        began = time.perf_counter()
        command = wheelfs_command("--store", str(store), "--json", "gc")
        process = subprocess.Popen(command, env=wheelfs_environment(on.directory / "home"), stdout=subprocess.PIPE, text=True)

        def read_on() -> None:
            while process.poll() is None:
                during.append(read_some(through, content, chance))

        reader = threading.Thread(target=read_on)
        reader.start()
        most, printed = most_taken_by(process, timeout_s=_LIMIT_S)
        took = time.perf_counter() - began
        reader.join()
        show_reads("during", during)
        done = json.loads(printed)
        told = ", ".join(f"{name} {value}" for name, value in done.items())
        print(f"  gc: {took:.1f} s, {chunks / took:,.0f} chunks a second; {told}")
        print(f"  memory of gc, most: {most.anonymous / 1e6:.0f} MB its own, {most.resident / 1e6:.0f} MB with mapped pages")
        before, after = (taken.anonymous / 1e6 for taken in (daemon_before, taken_by(mounted.process.pid)))
        print(f"  memory of the mount, its own: {before:.0f} MB before, {after:.0f} MB after")
    mounted.stop()


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chunks", type=int, default=1_000_000, help="how many chunks (default %(default)s)")
    parser.add_argument(
        "--scratch", type=Path, help="where to put the store, 2 GB for 10,000,000 chunks (default: memory, /dev/shm)"
    )


def main() -> None:
    """Measure one store."""
    options = arguments(__doc__, rounds=None, sets=False, add=_more_options)
    with ground() as on, tempfile.TemporaryDirectory(prefix="wheelfs-bench-", dir=options.scratch or on.directory) as directory:
        measure(on, Path(directory) / "store", options.chunks)


if __name__ == "__main__":
    main()
