"""From a lock to the first import, and the same import again: a mounted environment beside virtual ones that uv installs."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from scripts.bench.programs.env_nodes import measure_node
from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, project_of, store_all, wheels
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.memory import amounts_of
from scripts.bench.programs.processors import used_s, waited_for_s
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from tests.fakes.mounts import Mounted

PARTS = ("first", "again", "node")
IMPORTS = {
    "small": "import numpy, pandas, requests, rich.console",
    "large": "import pandas, sklearn.linear_model, scipy.stats, matplotlib.pyplot",
}
_UV = uv.find_uv_bin()
_VENV = "uv: venv, install, import"
_COMPILED = "uv: venv, install --compile-bytecode, import"
_MADE = "wheelfs: env create, mount, import; bytecode is there"
_AGAIN_VENV = "the virtual environment, with bytecode"
_AGAIN = "the mounted environment"
_AGAIN_IMAGE = "the virtual environment in a squashfs image, with bytecode"

AT_ONCE = 8
"""Processes of one node that import at once, as those of a job do."""


@dataclass
class Course:
    """A store that has all wheels, and what they are asked for by."""

    on: Ground
    held: Wheels
    store: Path
    pins: Path
    lock: Path
    environment: dict[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    processor_s: dict[str, list[float]] = field(default_factory=dict)

    def run_import(self, python: Path) -> None:
        """Import the set's modules."""
        run([str(python), "-B", "-c", IMPORTS[self.held.name]], environment=self.environment, cwd=self.on.directory).succeeded()

    def run_imports(self, python: Path, many: int) -> None:
        """Import the set's modules in several processes at once."""
        with ThreadPoolExecutor(many) as threads:
            list(threads.map(self.run_import, [python] * many))

    def venv(self, source: Path, *options: str) -> Path:
        """Return the python of a new virtual environment with all wheels, installed by a uv that has never run."""
        where = self.on.directory / f"venv-{next(self.numbers)}"
        environment = {**self.environment, "VIRTUAL_ENV": str(where), "UV_CACHE_DIR": str(where) + "-cache"}
        run([_UV, "venv", "-q", "--python", sys.executable, str(where)], environment=environment).succeeded()
        install = [_UV, "pip", "install", "-q", "--no-deps", "--no-index", "--find-links", str(source), "-r", str(self.pins)]
        run([*install, *options], environment=environment).succeeded()
        return where / "bin" / "python"

    def create(self, name: str | None = None) -> str:
        """Make an environment, under a new name where none is given, and return that."""
        name = name or f"set-{next(self.numbers)}"
        words = ["--store", str(self.store), "env", "create", name, str(self.lock), "--offline", "--no-index"]
        run(wheelfs_command(*words), environment=self.environment, timeout_s=1_800).succeeded()
        return name

    def case(self, name: str, work: Callable[[], None], daemon: Mounted | None = None) -> Case:
        """Return a case that notes processor time as well, that of a running mount included."""

        def counted(_: object) -> None:
            pid = None if daemon is None else daemon.process.pid
            before_s = waited_for_s() + (0.0 if pid is None else used_s(pid))
            work()
            after_s = waited_for_s() + (0.0 if pid is None else used_s(pid))
            self.processor_s.setdefault(name, []).append(after_s - before_s)

        return Case(name, counted)

    def show_processors(self, *names: str) -> None:
        """Print the medians of the processor time."""
        for name in names:
            seconds = sorted(self.processor_s[name])
            print(f"  {name:<58} {seconds[len(seconds) // 2]:9.2f} s of processor time", flush=True)


def lock_of(held: Wheels) -> str:
    """Return a ``pylock.toml`` of the set's wheels (PEP 751)."""
    parts = ['lock-version = "1.0"\ncreated-by = "benchmark"\n']
    for path in held.paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(
            f'[[packages]]\nname = "{project_of(path)}"\nversion = "{path.name.split("-")[1]}"\n'
            f'[[packages.wheels]]\nname = "{path.name}"\nurl = "https://index.example/{path.name}"\n'
            f'hashes = {{sha256 = "{digest}"}}\n'
        )
    return "".join(parts)


def measure_first(course: Course, mounted: Mounted, rounds: int) -> None:
    """Measure from nothing installed to the first import, while all wheels are stored."""

    def through_uv(*options: str) -> None:
        course.run_import(course.venv(mounted.path, *options))

    def through_mount() -> None:
        name = course.create()
        one = course.on.mount(None, store=course.store, options=("--no-index",))
        course.run_import(one.path / "env" / name / "bin" / "python")
        one.clean_up()

    measured = interleaved(
        [
            course.case(_VENV, through_uv, mounted),
            course.case(_COMPILED, lambda: through_uv("--compile-bytecode"), mounted),
            course.case(_MADE, through_mount),
        ],
        rounds,
    )
    show_times(measured, {_MADE: _VENV, _COMPILED: _VENV})
    show_times({name: measured[name] for name in (_COMPILED, _MADE)}, {_MADE: _COMPILED})
    course.show_processors(_VENV, _COMPILED, _MADE)


def measure_again(course: Course, mounted: Mounted, rounds: int) -> None:
    """Measure the import once more, when the kernel has all that it may keep; and eight of them at once."""
    python = course.venv(mounted.path, "--compile-bytecode")
    name = course.create()
    through = mounted.path / "env" / name / "bin" / "python"
    root = python.parents[1]
    with squashed(course, root) as image:
        pythons = {_AGAIN_VENV: python, _AGAIN: through}
        if image is not None:
            pythons[_AGAIN_IMAGE] = image / "bin" / "python"
        for one in pythons.values():
            course.run_import(one)
        for many in (1, AT_ONCE):
            print(f"  {many} at a time")
            cases = [
                course.case(case, partial(course.run_imports, one, many), mounted if case == _AGAIN else None)
                for case, one in pythons.items()
            ]
            measured = interleaved(cases, rounds if many == 1 else max(rounds // 2, 1))
            show_times(measured, dict.fromkeys(list(pythons)[1:], _AGAIN_VENV))
            course.show_processors(*pythons)
            course.processor_s.clear()
    inodes = sum(len(files) + len(below) for _, below, files in os.walk(root))
    taken = sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))
    print(
        f"  the virtual environment has {inodes} files and directories of {taken / 1e6:.0f} MB; the mounted one has none",
        flush=True,
    )
    amounts = amounts_of(mounted.process.pid)
    told = "  ".join(f"{field} {amounts[field]:.1f}" for field in ("Rss", "Pss", "Anonymous", "VmHWM"))
    print(f"  memory of the daemon, MB: {told}", flush=True)


@contextmanager
def squashed(course: Course, root: Path) -> Iterator[Path | None]:
    """Yield an image of a virtual environment mounted by squashfuse, as guides of clusters advise; None without its programs."""
    make, mount = shutil.which("mksquashfs"), shutil.which("squashfuse_ll") or shutil.which("squashfuse")
    if make is None or mount is None:
        print("  no squashfs: Debian's squashfs-tools and squashfuse are not here")
        yield None
        return
    image, where = course.on.directory / "venv.squashfs", course.on.directory / "squashed"
    where.mkdir()
    began = time.perf_counter()
    run([make, str(root), str(image), "-comp", "zstd", "-quiet", "-no-progress"], environment=course.environment).succeeded()
    took = time.perf_counter() - began
    print(
        f"  an image of it has {image.stat().st_size / 1e6:.0f} MB and took {took:.1f} s; {Path(mount).name} serves it",
        flush=True,
    )
    run([mount, str(image), str(where)], environment=course.environment).succeeded()
    try:
        yield where
    finally:
        run(["fusermount3", "-u", str(where)], environment=course.environment).succeeded()


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", default=",".join(PARTS), help="which, separated by commas (default %(default)s)")
    parser.add_argument("--mbit", type=float, default=200.0, help="bandwidth of the line in Mbit/s (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="delay of each request (default %(default)s)")


def main() -> None:
    """Measure the way to the first import, then the import again."""
    options = arguments(__doc__, rounds=5, add=_more_options)
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    held = wheels(options.set)
    print(f"{held}\nimport: {IMPORTS[held.name]}\nall wheels are stored, everything is in memory")
    with ground() as on, index_of(held) as index:
        mounted = on.mount(index.url)
        store_all(mounted, held)
        pins = on.directory / "pins.txt"
        pins.write_text("".join(f"{path.name.split('-')[0]}=={path.name.split('-')[1]}\n" for path in held.paths))
        lock = on.directory / "pylock.toml"
        lock.write_text(lock_of(held))
        course = Course(on, held, mounted.store, pins, lock, wheelfs_environment(on.directory / "home"))
        with section("making the first environment, with its bytecode"):
            course.create()
        if "first" in parts:
            with section("to the first import"):
                measure_first(course, mounted, options.rounds)
        if "again" in parts:
            with section("the import again"):
                measure_again(course, mounted, 2 * options.rounds)
        if "node" in parts:
            with section(f"a node that has nothing stored, {options.mbit:g} Mbit/s, {options.delay_ms:g} ms"):
                measure_node(course, index, options.rounds, mbit=options.mbit, delay_ms=options.delay_ms)
        mounted.stop()


if __name__ == "__main__":
    main()
