"""Upgrading: bytes and requests of each new version, against its size and its simulated need.

From an index with ``--delta always``; with ``--gateway`` on a node whose share is a gateway that has all versions, by its
defaults.  Then everything counts that comes down its line: pages, manifests, news and headers too.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.bench.programs import figures
from scripts.bench.programs.corpus import GROUPS, add_option, corpus
from scripts.bench.programs.ground import Ground, arguments, ground, project_of
from scripts.bench.programs.line import slow_line
from scripts.bench.programs.measuring import section
from tests.fakes.index import FakeIndex
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.core.fetch.spans import Spans

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from scripts.bench.programs.corpus import Corpus
    from tests.fakes.mounts import Mounted

    Supply = Callable[[Ground, Sequence[tuple[str, bytes]]], AbstractContextManager["Supplied"]]

TAIL_BYTES = 64 * 1024
"""What the simulated need counts for finding the directory, as in the measurements that the aim was taken from."""

GAP_BYTES = 8 * 1024
"""Over how much that is held the simulated need joins two stretches that are not, as in those measurements."""

_LIMIT_S = 300.0
_UNSHAPED_BITS_PER_S = 1e12


def built() -> dict[str, list[tuple[str, bytes]]]:
    """Return pairs of versions whose differences are known."""
    parts = {f"demo/part{number:03}.bin": incompressible(20_000, f"part {number}") for number in range(200)}
    texts = {f"demo/text{number}.py": incompressible(9_000, str(number)).hex().encode() for number in range(200)}

    def pair(first: bytes, second: bytes) -> list[tuple[str, bytes]]:
        return [(wheel_filename("demo", "1.0"), first), (wheel_filename("demo", "1.1"), second)]

    def scattered(step: int) -> dict[str, bytes]:
        return {f"demo/part{number:03}.bin": incompressible(20_000, f"new {number}") for number in range(0, 200, step)}

    old = build_wheel("demo", "1.0", files=parts)
    later = (2022, 2, 2, 0, 0, 0)
    return {
        "nothing changed but times": pair(old, build_wheel("demo", "1.1", files=parts, made_at=later)),
        "1 member of 50 changed": pair(old, build_wheel("demo", "1.1", files=parts | scattered(50), made_at=later)),
        "every 4th member changed": pair(old, build_wheel("demo", "1.1", files=parts | scattered(4), made_at=later)),
        "everything changed": pair(old, build_wheel("demo", "1.1", files=parts | scattered(1), made_at=later)),
        "same content, other packing": pair(
            build_wheel("demo", "1.0", files=texts), build_wheel("demo", "1.1", files=texts, compression="stored")
        ),
    }


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What one new version cost: its size, what had to come of it, what came, and in how many requests."""

    title: str
    size: int
    need: int
    fetched: int
    requests: int


def needed_bytes(path: Path, held: set[tuple[int, ...]]) -> int:
    """Return what a wheel needs when the members in ``held`` need not come, as simulated for the aim.

    That is the tail, and all other members with their headers, joined over `GAP_BYTES`.  Found out by Python's zipfile, not by
    the code that is measured.  Adds the wheel's members to ``held``.
    """
    with zipfile.ZipFile(path) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
    size_bytes = path.stat().st_size
    here = Spans()
    for info, end in zip(infos, ends, strict=True):
        if info.compress_size and (info.CRC, info.file_size, info.compress_type, info.compress_size) in held:
            here.add(info.header_offset, end)
    held.update((info.CRC, info.file_size, info.compress_type, info.compress_size) for info in infos)
    needed = Spans.from_iterable([*here.missing(0, size_bytes), (max(0, size_bytes - TAIL_BYTES), size_bytes)])
    for start, end in needed.missing(0, size_bytes):
        if start and end - start <= GAP_BYTES:
            needed.add(start, end)
    return needed.total


@dataclass(frozen=True, slots=True)
class Supplied:
    """A mount that all files can be read through, and what has come down its line so far: ``(bytes, requests)`` for a file."""

    mount: Mounted
    cost: Callable[[str], tuple[int, int]]


@contextmanager
def by_index(on: Ground, files: Sequence[tuple[str, bytes]]) -> Iterator[Supplied]:
    """Supply files from an index; only what comes of the file itself counts."""
    with FakeIndex() as index:
        for name, content in files:
            index.add(name, content)
        mount = on.mount(index.url, options=("--delta", "always"))
        yield Supplied(mount, lambda name: (index.body_bytes(name), len(index.requests_for(name))))
        on.throw_away(mount)


@contextmanager
def by_gateway(on: Ground, files: Sequence[tuple[str, bytes]]) -> Iterator[Supplied]:
    """Supply files from a gateway that has them all, its line counted."""
    with tempfile.TemporaryDirectory(dir=on.directory) as text:
        directory = Path(text)
        for name, content in files:
            (directory / name).write_bytes(content)
        add = wheelfs_command(
            "--store", str(directory / "gateway" / "store"), "add", *(str(directory / name) for name, _ in files)
        )
        run(add, environment=wheelfs_environment(directory / "home"), timeout_s=_LIMIT_S).succeeded()
        with Serving(directory / "gateway", "--offline") as gateway:
            port = urlsplit(gateway.url).port or 0
            with slow_line(port, bits_per_s=_UNSHAPED_BITS_PER_S, delay_s=0.0) as line:
                mount = on.mount(f"{line.origin}/simple", options=("--share", line.origin))

                def cost(_: str) -> tuple[int, int]:
                    counters = mount.status()["counters"]
                    return line.brought_bytes, counters["requests"]

                yield Supplied(mount, cost)
                on.throw_away(mount)


def upgrades(on: Ground, title: str, files: Sequence[tuple[str, bytes]], supply: Supply) -> list[Upgrade]:
    """Read the files in turn through one new mount; return what each but the first cost."""
    done: list[Upgrade] = []
    held: set[tuple[int, ...]] = set()
    with supply(on, files) as supplied:
        for number, (name, content) in enumerate(files):
            original = on.directory / name
            original.write_bytes(content)
            need = needed_bytes(original, held)
            through = supplied.mount.path / "simple" / project_of(original) / name
            before = supplied.cost(name)
            if through.read_bytes() != content:
                raise SystemExit(f"{name} is not what was served")
            # Only then can the next version profit from it: the last bytes are read before the file is stored.
            eventually(partial(_is_stored, through))
            if through.read_bytes() != content:
                raise SystemExit(f"{name} was stored wrongly")
            original.unlink()
            if number:
                shown = title if len(files) == 2 else name
                fetched, requests = (now - then for now, then in zip(supplied.cost(name), before, strict=True))
                done.append(Upgrade(shown, len(content), need, fetched, requests))
    return done


def _is_stored(path: Path) -> bool:
    return os.getxattr(path, "user.wheelfs.state") == b"stored"


def show(done: Sequence[Upgrade]) -> None:
    """Print a line for each upgrade."""
    print(f"  {'upgrade':<48} {'size MB':>8} {'need MB':>8} {'fetched':>8} {'requests':>9} {'of the size':>12} {'of need':>9}")
    for one in done:
        print(
            f"  {one.title[:48]:<48} {one.size / 1e6:8.2f} {one.need / 1e6:8.2f} {one.fetched / 1e6:8.2f} {one.requests:9}"
            f" {one.fetched / one.size:12.3f} {one.fetched / one.need:9.3f}",
            flush=True,
        )


def show_sum(title: str, done: Sequence[Upgrade]) -> None:
    """Print one line for many upgrades: sums, and how single ones lie about them."""
    size, need, fetched = (sum(getattr(one, name) for one in done) for name in ("size", "need", "fetched"))
    figures.note(f"of need, {title}", [fetched / need])
    shares, requests = [one.fetched / one.size for one in done], [float(one.requests) for one in done]
    spread = " / ".join(f"{share:.3f}" for share in _spread(shares))
    print(
        f"  {title:<20} {len(done):5} {size / 1e6:9.1f} {need / size:7.3f} {fetched / size:8.3f} {fetched / need:8.3f}"
        f"   {spread}   {' / '.join(f'{one:.0f}' for one in _spread(requests))}",
        flush=True,
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the 10th, the 50th and the 90th percentile."""
    ordered = sorted(values)
    return ordered[len(ordered) // 10], statistics.median(ordered), ordered[-1 - len(ordered) // 10]


def measure(on: Ground, held: Corpus, group: str, supply: Supply, projects: Sequence[str], *, each: bool) -> None:
    """Upgrade every project of a group through all its wheels, with all earlier ones stored."""
    print(
        f"  {'project':<20} {'pairs':>5} {'size MB':>9} {'need':>7} {'fetched':>8} {'of need':>8}"
        f"   p10 / median / p90 of the size   requests"
    )
    everything: list[Upgrade] = []
    for project in dict.fromkeys(one.project for one in held.chosen if one.group == group):
        if not projects or project in projects:
            chosen = [one for one in held.chosen if (one.group, one.project) == (group, project)]
            done = upgrades(on, project, [(one.filename, held.path(one).read_bytes()) for one in chosen], supply)
            show_sum(project, done)
            if each:
                show(done)
            everything += done
    if everything:
        show_sum(f"all {group}", everything)


def _more_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser)
    parser.add_argument("--only", choices=GROUPS, help="one group only")
    parser.add_argument(
        "--projects", type=lambda text: text.split(","), default=[], help="some projects only, separated by commas"
    )
    parser.add_argument("--gateway", action="store_true", help="from a gateway to a node, everything on the line counted")
    parser.add_argument("--each", action="store_true", help="show each upgrade")


def main() -> None:
    """Measure built pairs, then the corpus."""
    options = arguments(__doc__, rounds=None, sets=False, add=_more_options)
    supply = by_gateway if options.gateway else by_index
    with ground() as on:
        with section("built pairs"):
            show([one for title, files in built().items() for one in upgrades(on, title, files, supply)])
        held = corpus(options.corpus)
        for group in GROUPS:
            if options.only in (None, group):
                what = "another tag of one version" if group == "cross" else "consecutive versions"
                with section(f"{group}: {what}, all earlier ones stored; bytes over the sum of sizes"):
                    measure(on, held, group, supply, options.projects, each=options.each)


if __name__ == "__main__":
    main()
