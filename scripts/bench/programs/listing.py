"""A flat directory of 50,000 wheels, stored or only tracked: uv and plain listings, against the same names on tmpfs."""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from scripts.bench.programs import figures
from scripts.bench.programs.ground import Ground, arguments, ground
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from tests.fakes.index import FakeIndex
from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.model.tracked import Tracked
from wheelfs.store.catalog.records import PageRecord, StoredContent, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.mounts import Mounted

FILES_OF_A_PROJECT: Final = 250
SIZE_BYTES: Final = 1_000_000
IN_FLIGHT: Final = 2_000
"""Writes that are queued at a time: each waits for its turn in memory."""


def names(files: int) -> Iterator[tuple[str, str]]:
    """Yield (project, filename) of wheels that are never opened."""
    for number in range(files):
        project, version = divmod(number, FILES_OF_A_PROJECT)
        yield f"filler{project:05}", f"filler{project:05}-1.{version}-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"


def fill_plain(directory: Path, files: int) -> None:
    """Make the names, as files of no bytes."""
    directory.mkdir()
    for _, name in names(files):
        with (directory / name).open("wb") as file:
            file.truncate(SIZE_BYTES)


def fill_stored(path: Path, files: int) -> None:
    """Make the catalog believe that the wheels are stored: each a content of its own, under a recipe of another."""
    with Store.open(path) as store:
        recipe = b""
        for name in store.catalog.names():
            recipe = store.catalog.recipe(name.sha256) or b""
        content = StoredContent(SIZE_BYTES, 1, is_zip=True)
        waiting = []
        for project, filename in names(files):
            sha256 = hashlib.sha256(filename.encode()).digest()
            name = StoredName(project=project, filename=filename, index="main", size_bytes=SIZE_BYTES, added_at_us=1)
            waiting.append(store.catalog.seal(sha256, content, recipe, [name]))
            if len(waiting) == IN_FLIGHT:
                while waiting:
                    waiting.pop().result()
        for one in waiting:
            one.result()


def fill_tracked(path: Path, files: int, index: FakeIndex) -> None:
    """Track projects whose pages are known."""
    links: dict[str, list[FileLink]] = {}
    for project, filename in names(files):
        sha256 = hashlib.sha256(filename.encode()).digest()
        links.setdefault(project, []).append(FileLink(filename, index.file_url(filename), sha256=sha256, size_bytes=SIZE_BYTES))
    with Store.open(path) as store:
        waiting = []
        for project, of_project in links.items():
            page = ProjectPage(project, tuple(of_project))
            record = PageRecord(index_url=index.url, fetched_at_us=time.time_ns() // 1_000, page=page)
            waiting += [store.catalog.put_page("main", project, record), store.catalog.track(Tracked(project, ("",), 1))]
        for one in waiting:
            one.result()


def stat_all(directory: Path) -> None:
    """Look at every entry as uv does: one ``stat`` after the other."""
    with os.scandir(directory) as entries:
        for entry in entries:
            entry.stat()


def uv_case(on: Ground, name: str, directory: Path, prepare: Callable[[], object]) -> Case:
    """Resolve one small wheel out of all of them, with nothing in uv's cache."""

    def fresh() -> object:
        prepare()
        client = on.uv()
        (client.directory / "demo.in").write_text("demo\n")
        return client

    words = ("pip", "compile", "-q", "--no-index", "--find-links", str(directory), "demo.in")
    return Case(name, lambda client: client.run(*words).succeeded(), fresh)


def resident_mb(mounted: Mounted) -> float:
    """Return the memory of the daemon."""
    with open(f"/proc/{mounted.process.pid}/status", encoding="ascii") as lines:  # noqa: PTH123
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1_000


def measure(on: Ground, index: FakeIndex, files: int, rounds: int) -> None:
    """Measure all cases, the mounts fresh and warm."""
    demo, content = index.add_wheel("demo", "1.0")
    plain = on.directory / "plain"
    fill_plain(plain, files)
    (plain / demo).write_bytes(content)
    mounts: dict[str, Mounted] = {}
    for kind in ("stored", "tracked"):
        store = on.directory / f"store-of-{kind}"
        first = on.mount(index.url, store=store)
        (first.path / "simple" / "demo" / demo).read_bytes()
        first.stop()
        if kind == "stored":
            fill_stored(store, files)
        else:
            fill_tracked(store, files, index)
        mounts[kind] = on.mount(index.url, store=store, env={"WHEELFS_PAGE_TTL_S": "1000000"})
    places = {"tmpfs": plain, **{f"mount, {kind}": mounted.path for kind, mounted in mounts.items()}}
    for kind, mounted in mounts.items():
        print(f"  {kind}: {sum(1 for _ in mounted.path.iterdir())} entries, daemon {resident_mb(mounted):.0f} MB", flush=True)

    looks: dict[str, Callable[[Path], object]] = {"listdir": os.listdir, "stat of each": stat_all}
    for what, look in looks.items():
        cases = [Case(place, lambda _, look=look, path=path: look(path)) for place, path in places.items()]  # type: ignore[misc]
        cases += [
            Case(f"mount, {kind}, fresh", lambda _, look=look, path=one.path: look(path), one.restart)  # type: ignore[misc]
            for kind, one in mounts.items()
        ]
        print(f"  {what}")
        figures.begin(what)
        show_times(interleaved(cases, rounds), {case.name: "tmpfs" for case in cases[1:]})
    cases = [uv_case(on, place, path, lambda: None) for place, path in places.items()]
    cases += [uv_case(on, f"mount, {kind}, fresh", one.path, partial(one.restart)) for kind, one in mounts.items()]
    print("  uv pip compile --no-index --find-links DIR")
    figures.begin("uv pip compile")
    show_times(interleaved(cases, rounds), {case.name: "tmpfs" for case in cases[1:]})
    for kind, mounted in mounts.items():
        print(f"  daemon after that, {kind}: {resident_mb(mounted):.0f} MB")


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=50_000, help="how many wheels (default %(default)s)")


def main() -> None:
    """Measure listings."""
    options = arguments(__doc__, rounds=5, sets=False, add=_more_options)
    with ground() as on, FakeIndex() as index, section(f"a flat directory of {options.files} wheels"):
        measure(on, index, options.files, options.rounds)


if __name__ == "__main__":
    main()
