"""What a share of very many files costs those who follow it and push to it: time and requests, by how many files it has."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.bench.programs.ground import Ground, arguments, ground
from scripts.bench.programs.measuring import section
from tests.fakes.s3 import S3Server
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.model.shared import SharedFile
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from wheelfs.model.share_objects import FoundObject

AT_ONCE = 100
"""Files in a record: what a push of small wheels tells at a time."""

ALONE = 200
"""Records of one file at the log's end: what machines that push each wheel as it comes write."""

_POLLS = 5 * SHARE_LIMITS.look_around


class Counting:
    """Objects, with what is asked of them counted, from any thread."""

    def __init__(self, url: str) -> None:
        self._objects = open_objects(url)
        self.url = self._objects.url
        self.requests = self.read_bytes = 0
        self._lock = threading.Lock()

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        return self._counted(self._objects.read(key, limit_bytes=limit_bytes))

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        return self._counted(self._objects.read_range(key, start, end))

    def create(self, key: str, content: bytes) -> bool:
        self._counted(None)
        return self._objects.create(key, content)

    def found(self, prefix: str) -> Iterator[FoundObject]:
        return self._objects.found(prefix)

    def delete(self, key: str) -> None:
        self._objects.delete(key)

    def _counted(self, content: bytes | None) -> bytes | None:
        with self._lock:
            self.requests += 1
            self.read_bytes += len(content or b"")
        return content


class Took(NamedTuple):
    """What something took."""

    seconds: float
    requests: float
    read_bytes: float
    peak_mb: float


def file(number: int) -> SharedFile:
    """Return one of the share's files, described as fully as an index does."""
    project = f"project-{number // 30:05}"
    filename = f"{project.replace('-', '_')}-1.{number % 30}-cp311-cp311-manylinux_2_17_x86_64.whl"
    sha256 = incompressible(32, str(number))
    url = f"https://files.index.example/packages/{sha256.hex()[:2]}/{sha256.hex()}/{filename}"
    return SharedFile(project, filename, "main", sha256, 1_000_000 + number, False, number, ">=3.9", None, url, sha256)


def fill(url: str, scratch: Path, files: int) -> None:
    """Fill a share's catalog as pushes do, in a directory, and copy that to where it is to be."""
    scratch.mkdir()
    catalog = WrittenShareCatalog(open_objects(scratch.as_uri()))
    catalog.prepare()
    cursor, number = None, 0
    while number < files:
        some = min(AT_ONCE if number < files - ALONE else 1, files - number)
        cursor = catalog.append(cursor, [file(number + one) for one in range(some)], may_tell=lambda: True)
        number += some
    objects = open_objects(url)

    def copy(path: Path) -> None:
        objects.create(path.relative_to(scratch).as_posix(), path.read_bytes())
        path.unlink()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(copy, (path for path in scratch.rglob("*") if path.is_file())))


def stored(path: Path, version: str) -> None:
    """Store a wheel of which half is the same in each version."""
    same = {f"demo/same{number}.bin": incompressible(50_000, f"{number}") for number in range(20)}
    own = {f"demo/own{number}.bin": incompressible(50_000, f"{version}-{number}") for number in range(20)}
    content = build_wheel("demo", version, files=same | own, compression="stored")
    with Store.open(path) as store:
        name = StoredName(
            project="demo",
            filename=wheel_filename("demo", version),
            index="main",
            size_bytes=len(content),
            added_at_us=1,
        )
        path.with_name("input").write_bytes(content)
        with path.with_name("input").open("rb") as opened:
            store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])


def follow(store: Path, url: str, times: int) -> Took:
    """Follow a share ``times`` times as a node does, in a process of its own, and return what once of them took."""
    objects = Counting(url)
    with Store.open(store) as opened:
        cache = RemoteCatalogCache(opened, WrittenShare(objects), "lab")
        began = time.perf_counter()
        for _ in range(times):
            cache.catch_up()
        took = time.perf_counter() - began
    return Took(took / times, objects.requests / times, objects.read_bytes / times, peak_mb())


def push_all(store: Path, url: str) -> Took:
    """Push what is stored, in a process of its own."""
    objects = Counting(url)
    began = time.perf_counter()
    with Store.open(store) as opened:
        written = sum(done.written_bytes for done in push(opened, WrittenShare(objects), [], private=True, share_name="lab"))
    took = time.perf_counter() - began
    print(f"    ({written / 1e6:.1f} MB written)")
    return Took(took, objects.requests, objects.read_bytes, peak_mb())


def peak_mb() -> float:
    """Return the most memory that this process took; what ``getrusage`` says, is at least that of who started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def show(what: str, took: Took) -> None:
    """Print a line."""
    print(
        f"  {what:<44} {took.seconds * 1e3:10.1f} ms {took.requests:8.1f} requests {took.read_bytes / 1e6:8.2f} MB read"
        f" {took.peak_mb:6.0f} MB memory",
        flush=True,
    )


def measure(directory: Path, url: str, files: int) -> dict[str, Took]:
    """Measure one share and return what each thing took."""
    began = time.perf_counter()
    fill(url, directory / "scratch", files)
    print(f"  filled with {files:,} files in {time.perf_counter() - began:.0f} s")
    node, told = directory / "node", {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as alone:
        told["first sight"] = alone.apply(follow, (node, url, 1))
        told["a poll with nothing new, of a new process"] = alone.apply(follow, (node, url, 1))
        told["a poll with nothing new, on average"] = alone.apply(follow, (node, url, _POLLS))
        catalog = WrittenShareCatalog(open_objects(url))
        with Store.open(node) as store:
            catalog.append(store.shared.cursor("lab"), [file(files)], may_tell=lambda: True)
        told["a poll with one new file, of a new process"] = alone.apply(follow, (node, url, 1))
        stored(node, "1.0")
        told["push of a wheel"] = alone.apply(push_all, (node, url))
        stored(node, "2.0")
        told["push of its next version, half of it new"] = alone.apply(push_all, (node, url))
        told["push with nothing new"] = alone.apply(push_all, (node, url))
        stored(directory / "other", "3.0")
        told["the first push of another machine"] = alone.apply(push_all, (directory / "other", url))
    for what, took in told.items():
        show(what, took)
    return told


def compare(on: Ground, place: str, base: str | None, sizes: tuple[int, int]) -> None:
    """Measure shares of two sizes in one place (below ``base``; None: directories), and print the ratios."""
    told = []
    for files in sizes:
        with section(f"{place}: {files:,} files"):
            directory = on.directory / f"{place}-{files}"
            (directory / "share").mkdir(parents=True)
            told.append(measure(directory, f"{base}/{files}" if base else (directory / "share").as_uri(), files))
    small, large = told
    with section(f"{place}: {sizes[1]:,} files beside {sizes[0]:,}: times as much time, and as many requests"):
        for what, took in large.items():
            print(f"  {what:<44} {took.seconds / small[what].seconds:8.2f} {took.requests / small[what].requests:8.2f}")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--files", type=int, default=300_000, help="of the larger share; the smaller has a hundredth (%(default)s)"
    )
    parser.add_argument("--only", choices=["directory", "s3"], help="one of the two places")


def main() -> None:
    """Measure a directory, and S3 (moto's server, over a socket)."""
    asked = arguments(__doc__, rounds=None, sets=False, add=options)
    sizes = (max(ALONE, asked.files // 100), asked.files)
    with ground() as on:
        if asked.only != "s3":
            compare(on, "directory", None, sizes)
        if asked.only != "directory":
            with S3Server(on.directory) as server:
                os.environ.update(server.environment)
                compare(on, "s3", server.url, sizes)


if __name__ == "__main__":
    main()
