"""A job of continuous integration from its cache to its environment, and what caches of 5 Pythons and 3 platforms take."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uv

from scripts.bench.programs.ground import SETS, arguments, ground, index_of, project_of, store_all, wheels
from scripts.bench.programs.line import slow_line
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.run import Course
from tests.fakes.index import FakeIndex
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from scripts.bench.programs.ground import Ground
    from tests.fakes.clients import Uv

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = {
    "x86_64-manylinux_2_28": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "aarch64-apple-darwin": ("macosx_14_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64"),
    "x86_64-pc-windows-msvc": ("win_amd64",),
}
"""What uv calls a platform, and pip."""
_UV = uv.find_uv_bin()
_SYNC = (_UV, "sync", "--frozen", "--active", "--no-install-project", "--quiet")
_ALONE, _SAVED, _WARM = "uv, no cache", "uv, its cache restored from an archive", "uv, its cache kept on the runner"
_KEPT, _ARCHIVE = "wheelfs run, store kept on the runner", "wheelfs run, store restored from an archive"
_LIMIT_S = 1800.0


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextmanager
def service_of(directory: Path) -> Iterator[int]:
    """Serve archives on loopback, as a cache service does; yield the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def save(what: Path, archive: Path) -> int:
    """Write an archive as caches of such services are written (tar and zstd), and return its size."""
    subprocess.run(["tar", "--sparse", "-I", "zstd -T0", "-C", what, "-cf", archive, "."], check=True, timeout=_LIMIT_S)
    return archive.stat().st_size


def restore(url: str, where: Path) -> None:
    """Fetch an archive and unpack it while it comes."""
    where.mkdir(parents=True, exist_ok=True)
    script = 'set -o pipefail; curl -sSf "$1" | tar -I zstd -C "$2" -xf -'
    subprocess.run(["bash", "-c", script, "restore", url, where], check=True, timeout=_LIMIT_S)


@dataclass(frozen=True)
class Jobs:
    """The cases; ``archives`` is where the cache service is, at the far end of the line."""

    course: Course
    project: Path
    archives: str
    kept: Path

    def cases(self) -> list[Case]:
        course = self.course

        def install(client: Uv, command: Sequence[str] = _SYNC) -> None:
            environment = {**client.environment, "PYTHONPATH": wheelfs_environment(client.directory)["PYTHONPATH"]}
            run(list(command), environment=environment, cwd=self.project).succeeded()

        def warm() -> Uv:
            client = course.uv()
            restore(f"{self.archives}/uv.tar", Path(client.environment["XDG_CACHE_HOME"]) / "uv")
            return client

        def sync(archive: str | None, store: Path | None, *, is_wheelfs: bool) -> None:
            client = course.uv()
            where = Path(client.environment["XDG_CACHE_HOME"]) / "uv" if store is None else store
            if archive is not None:
                restore(f"{self.archives}/{archive}", where)
            install(client, course.under_run(where, *_SYNC) if is_wheelfs else _SYNC)

        return [
            Case(_ALONE, lambda _: sync(None, None, is_wheelfs=False), clear=course.forget),
            Case(_SAVED, lambda _: sync("uv.tar", None, is_wheelfs=False), clear=course.forget),
            Case(_WARM, install, warm, course.forget),
            Case(_KEPT, lambda _: sync(None, self.kept, is_wheelfs=True), clear=course.forget),
            Case(_ARCHIVE, lambda store: sync("store.tar", store, is_wheelfs=True), course.new_store, course.forget),
        ]


def measure_jobs(options: argparse.Namespace) -> None:
    """Measure a job's set-up: what is restored, and the environment made."""
    held = wheels(options.set)
    print(f"{held}\nline: {options.mbit:g} Mbit/s, {options.delay_ms:g} ms, for the index and the archives")
    with ground() as on, index_of(held, tls=True, page_format="json") as index:
        saved = on.directory / "archives"
        saved.mkdir()
        shape = {"bits_per_s": options.mbit * 1e6, "delay_s": options.delay_ms / 1e3}
        with (
            service_of(saved) as port,
            slow_line(port, **shape) as far,
            slow_line(urlsplit(index.origin).port or 0, **shape) as line,
        ):
            authority = on.directory / "authority.pem"
            authority.write_bytes(index.ca_pem or b"")
            course = Course(on, held, f"{line.origin.replace('http:', 'https:')}/simple", {"SSL_CERT_FILE": str(authority)})
            mounted = on.mount(course.index_url, env=dict(course.trust))
            store_all(mounted, held)
            mounted.stop()
            project = course.project("project", course.index_url)
            client = course.uv()
            client.run(*_SYNC[1:], cwd=project).succeeded()
            sizes = {"uv's cache": save(Path(client.environment["XDG_CACHE_HOME"]) / "uv", saved / "uv.tar")}
            sizes["the store"] = save(mounted.store, saved / "store.tar")
            course.forget()
            with section("a job, from its archive to its environment"):
                print("  archives: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))
                measured = interleaved(Jobs(course, project, far.origin, mounted.store).cases(), options.rounds)
                show_times(measured, {_SAVED: _ALONE, _WARM: _ALONE, _KEPT: _ALONE, _ARCHIVE: _ALONE})
                show_times({name: measured[name] for name in (_SAVED, _KEPT, _ARCHIVE)}, {_KEPT: _SAVED, _ARCHIVE: _SAVED})


def matrix(name: str) -> Path:
    """Return the wheels of a set for all Pythons and platforms, downloaded once by pip from the index it is configured with."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelfs" / "bench" / f"{name}-matrix"
    if not (cache / "complete").exists():
        print(f"downloading {name!r} for {len(PYTHONS)} Pythons and {len(PLATFORMS)} platforms to {cache}, once", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        for python in PYTHONS:
            for tags in PLATFORMS.values():
                platforms = [word for tag in tags for word in ("--platform", tag)]
                command = [sys.executable, "-m", "pip", "download", "-qq", "--only-binary", ":all:", "-d", str(cache), *platforms]
                command += ["--python-version", python, "--implementation", "cp", *SETS[name]]
                subprocess.run(command, check=True, timeout=_LIMIT_S, stdout=sys.stderr)
        (cache / "complete").touch()
    return cache


def measure_bytes(name: str) -> None:
    """Print what the saved caches of a matrix of jobs take: one of uv for each job, one store for all."""
    where = matrix(name)
    with ground() as on, FakeIndex(page_format="json") as index:
        paths = sorted(where.glob("*.whl"))
        for path in paths:
            index.add(path.name, path.read_bytes(), project=project_of(path))
        print(f"  {len(paths)} wheels, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB")
        whole, once = caches_of_uv(on, index, SETS[name])
        store = on.directory / "store"
        run(
            wheelfs_command("--store", str(store), "add", "--index", "main", str(where)),
            environment={**wheelfs_environment(on.directory / "home"), "WHEELFS_INDEX": f"main={index.url}"},
            timeout_s=_LIMIT_S,
        ).succeeded()
        ours = save(store, on.directory / "store.tar")
        for what, size in (("a cache of uv for each job", whole), ("one cache of uv for all", once), ("one store for all", ours)):
            print(f"  {what:<40} {size / 1e6:9.1f} MB  {size / whole:5.2f}", flush=True)


def caches_of_uv(on: Ground, index: FakeIndex, requirements: Sequence[str]) -> tuple[int, int]:
    """Return what the archives of uv's caches take: of one for each job, summed up, and of one that all jobs have filled."""
    whole = 0
    shared = on.directory / "shared-cache"
    for python in PYTHONS:
        for platform in PLATFORMS:
            for cache in (on.directory / "cache", shared):
                client = on.uv()
                target = on.directory / "target"
                options = ["--python-platform", platform, "--python-version", python, "--target", str(target), "--no-build"]
                options += ["--default-index", index.url, "--quiet", "--cache-dir", str(cache)]
                # Else uv takes a Mac for one of version 13, which numpy has no wheels for.
                newer = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
                client.run("pip", "install", *options, *requirements, environment=newer, timeout_s=_LIMIT_S).succeeded()
                shutil.rmtree(target)
            whole += save(on.directory / "cache", on.directory / "cache.tar")
            shutil.rmtree(on.directory / "cache")
            on.forget_clients()
    return whole, save(shared, on.directory / "cache.tar")


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mbit", type=float, default=200.0, help="bandwidth of the line in Mbit/s (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="delay of each request (default %(default)s)")
    parser.add_argument("--parts", choices=("jobs", "bytes"), help="only this part")


def main() -> None:
    """Measure times, then bytes."""
    options = arguments(__doc__, rounds=5, add=_more_options)
    if options.parts != "bytes":
        measure_jobs(options)
    if options.parts != "jobs":
        with section("saved bytes, 5 Pythons and 3 platforms"):
            measure_bytes(options.set)


if __name__ == "__main__":
    main()
