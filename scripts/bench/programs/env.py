"""From a lock to the first import, and the same import again: a mounted environment beside virtual ones that uv installs."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs import env_lab, figures
from scripts.bench.programs.env_course import IMPORTS, Course, lock_of, locked_project
from scripts.bench.programs.env_nodes import measure_node
from scripts.bench.programs.ground import arguments, ground, index_of, store_all, wheels
from scripts.bench.programs.machines import lab
from scripts.bench.programs.measuring import interleaved, section, show_times
from scripts.bench.programs.memory import amounts_of
from tests.fakes.network import why_not
from tests.fakes.processes import run, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from scripts.bench.programs.ground import Wheels
    from tests.fakes.mounts import Mounted

PARTS = ("first", "again", "node", "nodes")
_VENV = "uv sync, import"
_COMPILED = "uv sync --compile-bytecode, import"
_MADE = "wheelfs: env create, mount, import; bytecode is there"
_AGAIN_VENV = "the virtual environment, with bytecode"
_AGAIN = "the mounted environment"
_AGAIN_IMAGE = "the virtual environment in a squashfs image, with bytecode"

AT_ONCE = 8
"""Processes of one node that import at once, as those of a job do."""


def measure_first(course: Course, mounted: Mounted, rounds: int) -> None:
    """Measure from nothing installed to the first import, while all wheels are stored."""

    def through_mount() -> None:
        name = course.create()
        one = course.on.mount(None, store=course.store, options=("--no-index",))
        course.run_import(one.path / "env" / name / "bin" / "python")
        one.clean_up()

    measured = interleaved(
        [
            course.case(_VENV, partial(course.import_synced, course.project), mounted),
            course.case(_COMPILED, partial(course.import_synced, course.project, "--compile-bytecode"), mounted),
            course.case(_MADE, through_mount),
        ],
        rounds,
    )
    show_times(measured, {_MADE: _VENV, _COMPILED: _VENV})
    figures.begin("the same, beside the one that compiles")
    show_times({name: measured[name] for name in (_COMPILED, _MADE)}, {_MADE: _COMPILED})
    course.show_processors(_VENV, _COMPILED, _MADE)


def measure_again(course: Course, mounted: Mounted, rounds: int) -> None:
    """Measure the import once more, when the kernel has all that it may keep; and eight of them at once."""
    python = course.synced(course.project, "--compile-bytecode")
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
            figures.begin(f"the import again, {many} at a time")
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
    parser.add_argument("--nodes", type=int, default=AT_ONCE, help="how many at once (default %(default)s)")
    parser.add_argument("--inside-mbit", type=float, default=1000.0, help="each link inside (default %(default)s)")


def main() -> None:
    """Measure the way to the first import, then the import again."""
    options = arguments(__doc__, rounds=5, add=_more_options)
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    held = wheels(options.set)
    if "nodes" in parts and (reason := why_not()):
        raise SystemExit(f"the part nodes {reason}")
    print(f"{held}\nimport: {IMPORTS[held.name]}\neverything is in memory")
    if set(parts) - {"nodes"}:
        measure_one_machine(held, options, parts)
    if "nodes" in parts:
        with lab(held, options) as here:
            env_lab.measure(here, options.rounds)


def measure_one_machine(held: Wheels, options: argparse.Namespace, parts: Sequence[str]) -> None:
    """Measure the parts that need one store with all wheels."""
    with ground() as on, index_of(held) as index:
        mounted = on.mount(index.url)
        store_all(mounted, held)
        lock = on.directory / "pylock.toml"
        lock.write_text(lock_of(held))
        environment = wheelfs_environment(on.directory / "home")
        project = locked_project(on, held, environment, f"file://{mounted.path}/here/simple")
        course = Course(on, held, mounted.store, project, lock, environment)
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
