"""Sequential reads of a stored wheel through the mount, against the same file on disk (ext4, say) and in memory (tmpfs)."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs.ground import Ground, arguments, ground
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from tests.fakes.mounts import Mounted

SHAPES = {"large members (4 of 64 MB)": (4, 64_000_000), "small members (4,000 of 40 kB)": (4_000, 40_000)}


def made_wheel(path: Path, members: int, member_bytes: int) -> Path:
    """Write a wheel of incompressible members."""
    chance = random.Random(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(members):
            archive.writestr(f"demo/part_{number:05}.bin", chance.randbytes(member_bytes))
        archive.writestr(
            "demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    return path


def cat(path: Path) -> None:
    """Read a file as ``cat FILE >/dev/null`` does."""
    subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)


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


def added(on: Ground, wheel: Path, store: Path) -> Mounted:
    """Add a wheel to a store and mount it."""
    command = wheelfs_command("--store", str(store), "add", str(wheel))
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
    in_ram = added(on, in_memory, on.directory / f"store-of-{members}")
    from_disk = added(on, in_memory, disk / f"store-of-{members}")
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


def main() -> None:
    """Measure both shapes."""
    options = arguments(__doc__, rounds=5, sets=False)
    print("cat FILE >/dev/null; cold: POSIX_FADV_DONTNEED on the file, or a fresh mount; ratio: of times, below 1 is faster")
    for shape, (members, member_bytes) in SHAPES.items():
        with ground() as on, tempfile.TemporaryDirectory(prefix="wheelfs-bench-") as disk, section(f"a wheel of {shape}"):
            measure(on, Path(disk), members, member_bytes, options.rounds)


if __name__ == "__main__":
    main()
