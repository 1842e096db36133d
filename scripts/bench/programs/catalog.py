"""A catalog of very many files beside one of few: how soon the mount answers, its memory, look-ups and listings."""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import time
from array import array
from itertools import islice
from typing import TYPE_CHECKING

from scripts.bench.programs import figures
from scripts.bench.programs.ground import Ground, arguments, ground
from scripts.bench.programs.measuring import section
from tests.fakes.memory import taken_by
from tests.fakes.wheels import wheel_filename
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.model.recipe import ChunkList, Extents, Recipe
from wheelfs.store.catalog.records import StoredContent, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

_FEW = 1_000
_PER_PROJECT = 50
_LOOKUPS = 2_000
_LISTED = 10_000
_AT_ONCE = 2_000


def place(number: int) -> tuple[str, str]:
    """Return project and filename of a made-up file."""
    project = f"project-{number // _PER_PROJECT:06}"
    return project, wheel_filename(project, f"1.{number % _PER_PROJECT}")


def fill(path: Path, files: int) -> None:
    """Make a store whose catalog has so many files; they are empty."""
    nothing = ChunkList(array("I"), b"", Extents())
    recipe = Recipe(0, array("I"), nothing, 0, nothing).encode()
    waiting: list[Future[None]] = []
    with Store.open(path) as store:
        for number in range(files):
            project, filename = place(number)
            sha256 = hashlib.sha256(filename.encode()).digest()
            name = StoredName(
                project=project, filename=filename, index=LOCAL, size_bytes=0, added_at_us=1, private=True, sha256=sha256
            )
            waiting.append(store.catalog.seal(sha256, StoredContent(0, 1, is_zip=False), recipe, [name]))
            if len(waiting) == _AT_ONCE or number == files - 1:
                for one in waiting:
                    one.result()
                waiting.clear()


def show(what: str, work: Callable[[int], object], numbers: list[int]) -> None:
    """Print how long single calls take, each for another file."""
    seconds = []
    for number in numbers:
        began = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    figures.note(what, [statistics.median(seconds) * 1e3])
    print(f"  {what:<46} median {statistics.median(seconds) * 1e3:7.3f} ms, p99 {seconds[-1 - len(seconds) // 100] * 1e3:7.3f}")


def measure(on: Ground, files: int) -> None:
    """Measure one catalog."""
    store = on.directory / f"store-of-{files}"
    with section(f"a catalog of {files:,} files"):
        figures.begin("few files" if files == _FEW else "many files")
        fill(store, files)
        print(f"  made: {(store / 'catalog' / 'data.mdb').stat().st_size / 1e6:.0f} MB")
        began = time.perf_counter()
        mounted = on.mount(None, store=store, options=("--offline",))
        took_s = time.perf_counter() - began
        figures.note("mounted, and answers", [took_s])
        print(f"  mounted, and answers, after {took_s:.2f} s")
        show_memory("at rest", mounted.process.pid)
        chance = random.Random(files)
        numbers = chance.sample(range(files), min(_LOOKUPS, files))
        show("look-up of a wheel", lambda number: (mounted.path / place(number)[1]).stat(), numbers)
        simple = mounted.path / "stored" / "simple"
        show("look-up of a project", lambda number: (simple / place(number)[0]).stat(), numbers[: len(numbers) // 4])
        show("page of a project", lambda number: (simple / place(number)[0] / "index.html").read_bytes(), numbers[:200])
        show("look-up of a name that is not there", lambda number: (mounted.path / f"no-{number}.whl").exists(), numbers)
        began = time.perf_counter()
        with os.scandir(mounted.path) as listing:
            listed = sum(1 for _ in islice(listing, _LISTED))
        print(f"  the first {listed:,} names of the flat directory: {time.perf_counter() - began:.2f} s")
        show_memory("after that", mounted.process.pid)
        on.throw_away(mounted)


def show_memory(when: str, pid: int) -> None:
    """Print the daemon's memory."""
    now = taken_by(pid)
    figures.note(f"memory {when}", [now.resident / 1e6])
    print(f"  memory {when}: {now.anonymous / 1e6:.0f} MB its own, {now.resident / 1e6:.0f} MB with mapped pages")


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=1_000_000, help="how many files (default %(default)s)")


def main() -> None:
    """Measure a small catalog, then a large one."""
    options = arguments(__doc__, rounds=None, sets=False, add=_more_options)
    with ground() as on:
        for files in (_FEW, options.files):
            measure(on, files)


if __name__ == "__main__":
    main()
