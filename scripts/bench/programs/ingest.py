"""Taking in a folder and pip's cache, against ``dd conv=fsync`` of the same bytes; then reading each through a mount."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs import corpus
from scripts.bench.programs.builds import OTHER, THIS, Build
from scripts.bench.programs.ground import Ground, arguments, ground, project_of
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.processors import waited_for_s
from scripts.bench.programs.read import drop
from tests.fakes.processes import ROOT, run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

_LIMIT_S = 1800.0
_BUFFER_BYTES = 128 * 1024
"""What ``cat`` reads at once."""
_SLOWEST = 8


class Wheels:
    """The wheels of one run in memory: in a folder, as the bodies of a pip cache, with pages of an index, and all in one file."""

    def __init__(self, chosen: Sequence[Path], directory: Path) -> None:
        self.folder = directory / "wheels"
        self.cache = directory / "pip-cache"
        self.pages = directory / "simple"
        self.in_one = directory / "in-one"
        self.folder.mkdir()
        bodies = self.cache / "http-v2" / "a" / "b" / "c" / "d" / "e"
        bodies.mkdir(parents=True)
        with self.in_one.open("wb") as joined:
            for number, path in enumerate(chosen):
                copy = Path(shutil.copy(path, self.folder))
                os.link(copy, bodies / f"{number:04}.body")
                content = copy.read_bytes()
                joined.write(content)
                page = self.pages / project_of(copy) / "index.html"
                page.parent.mkdir(parents=True, exist_ok=True)
                with page.open("a") as links:
                    sha256 = hashlib.sha256(content).hexdigest()
                    links.write(f'<a href="../../wheels/{copy.name}#sha256={sha256}">{copy.name}</a>\n')
        self.paths = sorted(self.folder.iterdir())
        self.total_bytes = self.in_one.stat().st_size

    def __str__(self) -> str:
        return f"{len(self.paths)} wheels, {self.total_bytes / 1e6:.0f} MB"


def chosen(options: argparse.Namespace) -> list[Path]:
    """Return the wheels of the directory that was named, else of the corpus; each name once."""
    if options.wheels is not None:
        return sorted(options.wheels.glob("*.whl"))
    held = corpus.corpus(options.corpus)
    return list({path.name: path for group in corpus.GROUPS for path in held.paths(group)}.values())


def written(held: Wheels, where: Path) -> None:
    """Write all bytes once, as fast as the file system takes them."""
    command = ["dd", f"if={held.in_one}", f"of={where / 'copy'}", "bs=1M", "conv=fsync", "status=none"]
    subprocess.run(command, check=True, timeout=_LIMIT_S)


def added(held: Wheels, where: Path, *words: str) -> None:
    """Run ``wheelfs add`` on the store in ``where``."""
    command = wheelfs_command("--store", str(where / "store"), "add", *words)
    environment = {**wheelfs_environment(where / "home"), "PIP_INDEX_URL": held.pages.as_uri()}
    run(command, environment=environment, timeout_s=_LIMIT_S).succeeded()


def measure_adding(held: Wheels, where: Path, rounds: int) -> None:
    """Measure on the file system of ``where``; a store with all wheels is left there."""

    def empty(name: str) -> None:
        path = where / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    folder = partial(added, held, where, str(held.folder))
    cache = partial(added, held, where, "--pip-cache", str(held.cache))
    cases = [
        Case("dd conv=fsync", lambda _: written(held, where), clear=lambda: empty("copy")),
        Case("add DIR", lambda _: folder(), lambda: empty("store")),
        Case("add DIR, all is there already", lambda _: folder(), folder),
        Case("add --pip-cache", lambda _: cache(), lambda: empty("store")),
    ]
    measured = interleaved(cases, rounds)
    show_times(measured, {case.name: cases[0].name for case in cases[1:]}, data_bytes=held.total_bytes)
    for case in cases[1:]:
        shares = [its / mine for mine, its in zip(measured[case.name], measured[cases[0].name], strict=True)]
        print(f"  {case.name}: {statistics.median(shares):.0%} of the rate of dd")
    folder()


def measure_beside(held: Wheels, where: Path, other: Path, rounds: int) -> None:
    """Measure the processor seconds of ``add`` in memory beside those of another checkout."""
    builds = [Build(name, checkout, where / name.replace(" ", "-")) for name, checkout in ((THIS, ROOT), (OTHER, other))]

    def adding(build: Build) -> Case:
        return Case(build.name, lambda _: build.run("add", str(held.folder)), clear=partial(shutil.rmtree, build.store))

    cases = [adding(build) for build in builds]
    measured = interleaved(cases, rounds, clock_s=waited_for_s)
    show_times(measured, {THIS: OTHER})
    for name, seconds in measured.items():
        each = sorted(one / held.total_bytes * 1e9 for one in seconds)
        print(f"  {name}: {statistics.median(each):.2f} s a GB ({each[0]:.2f}-{each[-1]:.2f})")


def rate(path: Path, buffer: memoryview) -> float:
    """Read a file from its opening to its end, and return MB/s."""
    began = time.perf_counter()
    descriptor = os.open(path, os.O_RDONLY)
    total_bytes = 0
    while got := os.readv(descriptor, [buffer]):
        total_bytes += got
    os.close(descriptor)
    seconds = time.perf_counter() - began
    if total_bytes != path.stat().st_size:
        raise SystemExit(f"{path} ends after {total_bytes} bytes")
    return total_bytes / seconds / 1e6


def measure_reading(on: Ground, held: Wheels, store: Path, rounds: int) -> None:
    """Read every wheel through a mount: when the daemon touches its blocks for the first time, and again."""
    mounted = on.mount(None, store=store, options=("--offline",))
    names = [path.name for path in held.paths]
    missing = set(names) - {path.name for path in mounted.path.iterdir()}
    if missing:
        raise SystemExit(f"not in the mount: {sorted(missing)}")
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    plain: dict[str, list[float]] = {name: [] for name in names}
    first: dict[str, list[float]] = {name: [] for name in names}
    again: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        mounted.restart()
        for name in names:
            plain[name].append(rate(held.folder / name, buffer))
            first[name].append(rate(mounted.path / name, buffer))
        for name in names:
            drop(mounted.path / name)
            again[name].append(rate(mounted.path / name, buffer))
    print(f"  {'MB/s of each wheel, median of its rounds':<52} {'min':>6} {'p10':>6} {'median':>6} {'max':>6}   below 500")
    show_rates("the wheels themselves, in memory", plain)
    show_rates("mount, cold, blocks not yet checked", first)
    show_rates("mount, kernel cache cold", again)
    for title, rates in (("not yet checked", first), ("cold", again)):
        print(f"  slowest, {title}:")
        for name in sorted(names, key=lambda name: statistics.median(rates[name]))[:_SLOWEST]:
            with zipfile.ZipFile(held.folder / name) as archive:
                members = len(archive.infolist())
            size = (held.folder / name).stat().st_size / 1e6
            print(f"    {statistics.median(rates[name]):6.0f} MB/s  {size:7.1f} MB {members:6} members  {name}")
    status = Path(f"/proc/{mounted.process.pid}/status").read_text().split("\n")
    print(
        "  the daemon after that:", ", ".join(" ".join(line.split()) for line in status if line.startswith(("RssAnon", "VmHWM")))
    )
    mounted.stop()


def show_rates(title: str, rates: Mapping[str, Sequence[float]]) -> None:
    """Print how the rates of all wheels are spread."""
    middle = sorted(statistics.median(each) for each in rates.values())
    tenth = middle[len(middle) // 10]
    slow = sum(one < 500 for one in middle)
    print(f"  {title:<52} {middle[0]:6.0f} {tenth:6.0f} {statistics.median(middle):6.0f} {middle[-1]:6.0f}   {slow}", flush=True)


def main() -> None:
    """Measure in memory and on a disk."""

    def options_of(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--wheels", type=Path, metavar="DIR", help="take the wheels in DIR instead of the corpus")
        parser.add_argument("--disk", type=Path, metavar="DIR", help="write below DIR, too (default: where temporary files are)")
        parser.add_argument("--only", choices=("add", "read"), help="measure one of the two parts")
        parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="only the processor time of adding, beside this build")
        corpus.add_option(parser)

    options = arguments(__doc__, rounds=3, sets=False, add=options_of)
    with (
        ground() as on,
        tempfile.TemporaryDirectory(prefix="wheelfs-bench-", dir=options.disk, ignore_cleanup_errors=True) as disk,
    ):
        held = Wheels(chosen(options), on.directory)
        print(f"{held}; from memory, ratio: of times, below 1 is faster")
        in_memory = on.directory / "target"
        in_memory.mkdir()
        if options.other is not None:
            with section("adding to a store in memory, processor time, start included"):
                measure_beside(held, in_memory, options.other.resolve(), options.rounds)
            return
        if options.only == "read":
            added(held, in_memory, str(held.folder))
        else:
            with section(f"adding to a store on {disk}"):
                measure_adding(held, Path(disk), options.rounds)
            shutil.rmtree(disk)
            with section("adding to a store in memory"):
                measure_adding(held, in_memory, options.rounds)
        if options.only != "add":
            with section("reading from 128 KiB buffers, from opening to end; the store is in memory"):
                measure_reading(on, held, in_memory / "store", options.rounds)


if __name__ == "__main__":
    main()
