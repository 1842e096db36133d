"""``wheelfs run -- uv sync --frozen`` of a canonical lock, first and stored, beside uv alone over a slow line; start, memory."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uv

from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, store_all, wheels
from scripts.bench.programs.line import slow_line
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.processors import waited_for_s
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from tests.fakes.clients import Uv

_UV = uv.find_uv_bin()
_SYNC = (_UV, "sync", "--frozen", "--active", "--no-install-project", "--quiet")
_PEER = "uv alone, straight from the index"
_MOUNT = "uv alone, mount, here/simple, all stored"
_STORED = "wheelfs run, all stored"
_WITH_MEMORY = """
import json, os, subprocess, sys
from scripts.bench.programs.memory import amounts_of
subprocess.run(sys.argv[1:], check=True)
print(json.dumps(amounts_of(os.getppid())))
"""
_BEGUN = "import time; print(time.time())"


@dataclass(frozen=True)
class Course:
    """The index at the far end of a line, whom clients trust, and what `wheelfs run` of a store is called."""

    on: Ground
    held: Wheels
    index_url: str
    trust: Mapping[str, str]
    stores: list[Path] = field(default_factory=list)
    processor_s: dict[str, list[float]] = field(default_factory=dict)
    """Of each sync by case: what the client and `wheelfs run` took, and not a mount's daemon."""

    def uv(self) -> Uv:
        """Return a uv that has never run, with a bare virtual environment, that trusts the index."""
        client = self.on.uv()
        client.environment.update(self.trust)
        return client

    def new_store(self) -> Path:
        """Return where a store may be made, which `forget` deletes."""
        self.stores.append(Path(tempfile.mkdtemp(prefix="store-", dir=self.on.directory)))
        return self.stores[-1]

    def forget(self) -> None:
        """Throw away what clients have made, and the new stores."""
        self.on.forget_clients()
        while self.stores:
            shutil.rmtree(self.stores.pop())

    def under_run(self, store: Path, *command: str) -> list[str]:
        """Return the command line of ``wheelfs run -- COMMAND``."""
        return wheelfs_command("--store", str(store), "run", "--index", f"main={self.index_url}", "--", *command)

    def project(self, name: str, index_url: str) -> Path:
        """Return a project with a lock that was made from ``index_url``."""
        where = self.on.directory / name
        where.mkdir()
        wanted = json.dumps(self.held.requirements)
        version = ".".join(map(str, sys.version_info[:2]))
        described = f'[project]\nname = "app"\nversion = "0"\nrequires-python = "=={version}.*"\ndependencies = {wanted}\n'
        # What other systems need is not in the set.
        described += "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
        (where / "pyproject.toml").write_text(described)
        self.uv().run("lock", "--quiet", "--default-index", index_url, cwd=where).succeeded()
        return where

    def case(self, name: str, project: Path, store: Callable[[], Path] | None = None) -> Case:
        """``uv sync --frozen`` with a new cache and environment, under ``wheelfs run`` where there is a store."""

        def ready() -> tuple[Uv, list[str]]:
            return self.uv(), list(_SYNC) if store is None else self.under_run(store(), *_SYNC)

        def sync(given: tuple[Uv, list[str]]) -> None:
            client, command = given
            environment = {**client.environment, "PYTHONPATH": wheelfs_environment(client.directory)["PYTHONPATH"]}
            before_s = waited_for_s()
            run(command, environment=environment, cwd=project).succeeded()
            self.processor_s.setdefault(name, []).append(waited_for_s() - before_s)

        return Case(name, sync, ready, self.forget)


def measure_syncs(course: Course, canonical: Path, through_mount: Path, store: Path, rounds: int) -> None:
    """Measure time, of a first sync and of stored ones."""
    measured = interleaved(
        [
            course.case(_PEER, canonical),
            course.case("wheelfs run, empty store", canonical, course.new_store),
            course.case(_STORED, canonical, lambda: store),
            course.case(_MOUNT, through_mount),
        ],
        rounds,
    )
    show_times(measured, {"wheelfs run, empty store": _PEER, _STORED: _PEER, _MOUNT: _PEER})
    show_times({name: measured[name] for name in (_MOUNT, _STORED)}, {_STORED: _MOUNT})
    for name, seconds in course.processor_s.items():
        print(f"  {name:<58} {statistics.median(seconds):9.3f} s of processor time")


def measure_memory(course: Course, canonical: Path, store: Path) -> None:
    """Print the memory of the proxy after it has served a sync; the store is on disk, where its pages are the kernel's."""
    for title in ("first", "stored"):
        client = course.uv()
        environment = {**client.environment, "PYTHONPATH": wheelfs_environment(client.directory)["PYTHONPATH"]}
        command = course.under_run(store, sys.executable, "-c", _WITH_MEMORY, *_SYNC)
        amounts = json.loads(run(command, environment=environment, cwd=canonical).succeeded().stdout)
        shown = "  ".join(f"{name} {amounts[name]:6.1f}" for name in ("Rss", "Pss", "Anonymous", "VmHWM"))
        print(f"  {title:<44} {shown}", flush=True)


def measure_start(course: Course, store: Path, rounds: int) -> None:
    """Print when the command begins, and when all is over, beside ``wheelfs --help``."""
    environment = {**wheelfs_environment(course.on.directory / "home"), **course.trust}
    seconds: dict[str, list[float]] = {"--help": [], "the command begins": [], "the run of a command that does nothing": []}
    for _ in range(rounds):
        began_s = time.time()
        run(wheelfs_command("--help"), environment=environment).succeeded()
        seconds["--help"].append(time.time() - began_s)
        began_s = time.time()
        said = run(course.under_run(store, sys.executable, "-S", "-c", _BEGUN), environment=environment).succeeded()
        seconds["the command begins"].append(float(said.stdout) - began_s)
        seconds["the run of a command that does nothing"].append(time.time() - began_s)
    for name, times in seconds.items():
        over = statistics.median(mine - its for mine, its in zip(times, seconds["--help"], strict=True))
        print(f"  {name:<58} {statistics.median(times):6.3f} s, {over * 1e3:+5.0f} ms beside --help", flush=True)


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mbit", type=float, default=200.0, help="bandwidth of the line in Mbit/s (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="delay of each request (default %(default)s)")


def main() -> None:
    """Measure times, then the start, then memory."""
    options = arguments(__doc__, rounds=5, add=_more_options)
    held = wheels(options.set)
    print(f"{held}\nline: {options.mbit:g} Mbit/s, {options.delay_ms:g} ms a request and a connection; ratio: of times")
    with (
        tempfile.TemporaryDirectory(prefix="wheelfs-bench-") as disk,
        ground() as on,
        index_of(held, tls=True, page_format="json") as index,
        slow_line(urlsplit(index.origin).port or 0, bits_per_s=options.mbit * 1e6, delay_s=options.delay_ms / 1e3) as line,
    ):
        authority = on.directory / "authority.pem"
        authority.write_bytes(index.ca_pem or b"")
        course = Course(on, held, f"{line.origin.replace('http:', 'https:')}/simple", {"SSL_CERT_FILE": str(authority)})
        mounted = on.mount(course.index_url, env=dict(course.trust))
        store_all(mounted, held)
        canonical = course.project("canonical", course.index_url)
        through_mount = course.project("through-the-mount", f"file://{mounted.path}/here/simple")
        with section("uv sync --frozen"):
            measure_syncs(course, canonical, through_mount, mounted.store, options.rounds)
        with section("start"):
            measure_start(course, mounted.store, 2 * options.rounds)
        with section("memory of the proxy after a sync, MB"):
            measure_memory(course, canonical, Path(disk) / "store")
        mounted.stop()


if __name__ == "__main__":
    main()
