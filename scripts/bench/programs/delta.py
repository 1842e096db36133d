"""Upgrading with ``--delta always``: bytes and requests of each new version, against its size and what it needs at least."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from scripts.bench.programs.ground import Ground, arguments, ground, project_of
from scripts.bench.programs.measuring import section
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.spans import Spans

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

TAIL_BYTES = 64 * 1024
"""What the simulated need counts for finding the directory, as in the measurements that the aim was taken from."""

_PIP_LIMIT_S = 300.0


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


def downloaded(project: str, count: int) -> list[tuple[str, bytes]]:
    """Return the wheels of a project's newest versions, oldest first, from pip's configured index; kept in the user's cache.

    Raises CalledProcessError or TimeoutExpired when the index does not answer.
    """
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelfs" / "bench" / "delta" / f"{project}-{count}"
    )
    if not (cache / "complete").exists():
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        listed = subprocess.run(
            [*pip, "index", "versions", project], check=True, capture_output=True, text=True, timeout=_PIP_LIMIT_S
        )
        found = re.search(r"^Available versions: (.*)$", listed.stdout, re.MULTILINE)
        for version in found[1].split(", ")[:count] if found else []:
            command = [*pip, "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(cache), f"{project}=={version}"]
            subprocess.run(command, check=True, timeout=_PIP_LIMIT_S, stdout=sys.stderr)
        (cache / "complete").touch()
    paths = sorted(cache.glob("*.whl"), key=lambda path: Version(path.name.split("-")[1]))
    return [(path.name, path.read_bytes()) for path in paths]


def least_bytes(path: Path, held: set[tuple[int, ...]]) -> int:
    """Return what a wheel needs when the members in ``held`` need not come: the tail, and all other members with their headers.

    Found out by Python's zipfile, not by the code that is measured.  Adds the wheel's members to ``held``.
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
    return needed.total


def upgrade(on: Ground, title: str, files: Sequence[tuple[str, bytes]]) -> tuple[int, int, int]:
    """Read the files in turn through one new mount; print a line for each but the first, and return the sums of three columns."""
    sums = [0, 0, 0]
    held: set[tuple[int, ...]] = set()
    with FakeIndex() as index:
        for name, content in files:
            index.add(name, content)
        mount = on.mount(index.url, options=("--delta", "always"))
        for number, (name, content) in enumerate(files):
            original = on.directory / name
            original.write_bytes(content)
            least = least_bytes(original, held)
            index.reset_counters()
            through = mount.path / "simple" / project_of(original) / name
            if through.read_bytes() != content:
                raise SystemExit(f"{name} is not what was served")
            # Only then can the next version profit from it: the last bytes are read before the file is stored.
            eventually(partial(_is_stored, through))
            if through.read_bytes() != content:
                raise SystemExit(f"{name} was stored wrongly")
            original.unlink()
            if number:
                fetched, requests = index.body_bytes(name), len(index.requests_for(name))
                shown = f"{title}: {name.split('-')[1]}" if len(files) > 2 else title
                print(
                    f"  {shown:<32} {len(content) / 1e6:8.2f} {least / 1e6:8.2f} {fetched / 1e6:8.2f} {requests:9}"
                    f" {fetched / len(content):12.3f} {fetched / least:9.3f}",
                    flush=True,
                )
                sums = [before + more for before, more in zip(sums, (len(content), least, fetched), strict=True)]
        on.throw_away(mount)
    return sums[0], sums[1], sums[2]


def _is_stored(path: Path) -> bool:
    return os.getxattr(path, "user.wheelfs.state") == b"stored"


def _head() -> None:
    print(f"  {'upgrade':<32} {'size MB':>8} {'need MB':>8} {'fetched':>8} {'requests':>9} {'of the size':>12} {'of need':>9}")


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--projects", default="faker,django,hypothesis", help="real projects (default %(default)s; empty: none)")
    parser.add_argument("--versions", type=int, default=4, help="how many newest versions of each (default %(default)s)")


def main() -> None:
    """Measure built pairs, then real ones."""
    options = arguments(__doc__, rounds=1, sets=False, add=_more_options)
    with ground() as on:
        with section("built pairs"):
            _head()
            for title, files in built().items():
                upgrade(on, title, files)
        with section("consecutive versions of real projects, each with all earlier ones stored"):
            _head()
            totals = [0, 0, 0]
            for project in filter(None, options.projects.split(",")):
                try:
                    files = downloaded(project, options.versions)
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                    print(f"  {project}: left out, pip's index does not answer ({type(error).__name__})")
                    continue
                totals = [before + more for before, more in zip(totals, upgrade(on, project, files), strict=True)]
            if totals[0]:
                size, least, fetched = totals
                print(f"  all: {fetched / size:.3f} of the size, {fetched / least:.3f} of the simulated need")


if __name__ == "__main__":
    main()
