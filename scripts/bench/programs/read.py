"""Reads of stored wheels through the mount: one, against the same file on disk (ext4, say) and in memory; each; 16 at once."""

from __future__ import annotations

import functools
import os
import random
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs.ground import Ground, arguments, ground, wheels
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.bench.programs.ground import Wheels
    from tests.fakes.mounts import Mounted

READERS = 16

LARGE_BYTES = 1_000_000
"""A smaller wheel takes longer to be opened than to be read."""

SHAPES = {"large members (4 of 64 MB)": (4, 64_000_000), "small members (4,000 of 40 kB)": (4_000, 40_000)}


def made_wheel(path: Path, members: int, member_bytes: int) -> Path:
    """Write a wheel of incompressible members, of the project and version that its name says."""
    project, version = path.name.split("-")[:2]
    chance = random.Random(f"{path.name} {members}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(members):
            archive.writestr(f"demo/part_{number:05}.bin", chance.randbytes(member_bytes))
        archive.writestr(
            f"{project}-{version}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(
            f"{project}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        )
        archive.writestr(f"{project}-{version}.dist-info/RECORD", "")
    return path


def cat(*paths: Path) -> None:
    """Read files as ``cat FILE... >/dev/null`` does."""
    subprocess.run(["cat", *map(str, paths)], stdout=subprocess.DEVNULL, check=True)


def cat_at_once(paths: Sequence[Path]) -> None:
    """Read files with a ``cat`` for each."""
    running = [subprocess.Popen(["cat", str(path)], stdout=subprocess.DEVNULL) for path in paths]
    codes = [one.wait() for one in running]  # of all, before the first that failed is reported
    if any(codes):
        raise RuntimeError("a reader failed")


def drop(path: Path) -> None:
    """Make the kernel forget a file's cached pages (POSIX_FADV_DONTNEED: for this file alone, and without root)."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_ahead_kb(path: Path) -> str:
    """Return the read-ahead of the device below ``path``."""
    device = path.stat().st_dev
    try:
        return Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb").read_text().strip()
    except OSError:
        return "unknown"


def added(on: Ground, store: Path, *added_wheels: Path) -> Mounted:
    """Add wheels to a store and mount it."""
    command = wheelfs_command("--store", str(store), "add", *map(str, added_wheels))
    run(command, environment=wheelfs_environment(on.directory / "home")).succeeded()
    return on.mount(None, store=store, options=("--offline",))


def measure(on: Ground, disk: Path, members: int, member_bytes: int, rounds: int) -> None:
    """Measure one shape of wheel."""
    name = "demo-1.0-py3-none-any.whl"
    (on.directory / "plain").mkdir(exist_ok=True)
    in_memory = made_wheel(on.directory / "plain" / name, members, member_bytes)
    on_disk = disk / name
    on_disk.write_bytes(in_memory.read_bytes())
    os.sync()  # pages that are not yet on the disk cannot be dropped
    in_ram = added(on, on.directory / f"store-of-{members}", in_memory)
    from_disk = added(on, disk / f"store-of-{members}", in_memory)
    os.sync()
    print(f"  read_ahead_kb: {read_ahead_kb(in_ram.path)} of the mount, {read_ahead_kb(disk)} of the disk")

    def restarted(mounted: Mounted) -> None:
        """A new daemon, and nothing of the store in the page cache."""
        mounted.stop()
        for path in mounted.store.rglob("data.mdb"):
            drop(path)
        mounted.start()

    through, through_disk = in_ram.path / name, from_disk.path / name
    reading = {
        "disk, cached": Case("disk, cached", lambda _: cat(on_disk), lambda: cat(on_disk)),
        "tmpfs": Case("tmpfs", lambda _: cat(in_memory)),
        "mount, cached": Case("mount, cached", lambda _: cat(through), lambda: cat(through)),
        "mount, kernel cache cold": Case("mount, kernel cache cold", lambda _: cat(through), lambda: drop(through)),
        "mount, cold, blocks not yet checked": Case(
            "mount, cold, blocks not yet checked", lambda _: cat(through), lambda: in_ram.restart()
        ),
        "disk, cold": Case("disk, cold", lambda _: cat(on_disk), lambda: drop(on_disk)),
        "mount, all cold (store on that disk too)": Case(
            "mount, all cold (store on that disk too)", lambda _: cat(through_disk), functools.partial(restarted, from_disk)
        ),
    }
    measured = interleaved(list(reading.values()), rounds)
    peers = {one: "disk, cold" if "all cold" in one else "disk, cached" for one in reading if one.startswith("mount")}
    show_times(measured, {**peers, "tmpfs": "disk, cached"}, data_bytes=in_memory.stat().st_size)
    for mounted in (in_ram, from_disk):
        mounted.stop()


def measure_each(on: Ground, held: Wheels, rounds: int) -> None:
    """Read every wheel of a set, each alone, and print the rates: those of small wheels are what opening one takes."""
    mounted = added(on, on.directory / "store-of-set", *held.paths)
    seconds: dict[Path, list[float]] = {mounted.path / path.name: [] for path in held.paths}
    cat(*seconds)  # checks the blocks
    for _ in range(rounds):
        for path, found in seconds.items():
            drop(path)
            began_s = time.perf_counter()
            path.read_bytes()
            found.append(time.perf_counter() - began_s)
    rates = {path: path.stat().st_size / statistics.median(found) / 1e6 for path, found in seconds.items()}
    for least_bytes in (0, LARGE_BYTES):
        chosen = sorted(rate for path, rate in rates.items() if path.stat().st_size >= least_bytes)
        middle = statistics.median(chosen)
        print(f"  {len(chosen)} of at least {least_bytes:,} bytes: slowest {chosen[0]:.0f} MB/s, median {middle:.0f}")
    mounted.stop()


def measure_readers(on: Ground, rounds: int) -> None:
    """Read wheels one after the other, and with a process for each."""
    made = [made_wheel(on.directory / f"demo-1.{number}-py3-none-any.whl", 400, 40_000) for number in range(READERS)]
    mounted = added(on, on.directory / "store-of-many", *made)
    paths = [mounted.path / path.name for path in made]
    cat(*paths)  # checks the blocks

    def drop_all() -> None:
        for path in paths:
            drop(path)

    one, several = "one after the other", f"{READERS} readers"
    cases = [Case(one, lambda _: cat(*paths), drop_all), Case(several, lambda _: cat_at_once(paths), drop_all)]
    show_times(interleaved(cases, rounds), {several: one}, data_bytes=sum(path.stat().st_size for path in made))
    mounted.stop()


def main() -> None:
    """Measure both shapes, a set of real wheels, and several readers."""
    options = arguments(__doc__, rounds=5, sets=False)
    print("cat FILE >/dev/null; cold: POSIX_FADV_DONTNEED on the file, or a fresh mount; ratio: of times, below 1 is faster")
    for shape, (members, member_bytes) in SHAPES.items():
        with ground() as on, tempfile.TemporaryDirectory(prefix="wheelfs-bench-") as disk, section(f"a wheel of {shape}"):
            measure(on, Path(disk), members, member_bytes, options.rounds)
    held = wheels("large")
    with ground() as on, section(f"each wheel alone, kernel cache cold: {held}"):
        measure_each(on, held, options.rounds)
    with ground() as on, section(f"{READERS} wheels, kernel cache cold"):
        measure_readers(on, options.rounds)


if __name__ == "__main__":
    main()
