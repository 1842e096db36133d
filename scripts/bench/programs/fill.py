"""One node filling itself from a gateway with ``wheelfs fetch --share``, against curl from nginx: rates, whole and per core.

"Per core" is bytes over the processor seconds of server and client together.  What the two sides cost each is told apart by
pairing them otherwise: curl asks the gateway, and ``wheelfs fetch`` takes nginx for its index.  What it costs to know that the
bytes are right, and to have them in a store, is told by curl followed by openssl, and by ``wheelfs add``.
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import subprocess
import time
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.parser import HeaderParser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from scripts.bench.programs import figures
from scripts.bench.programs.builds import OTHER, THIS, Build
from scripts.bench.programs.corpus import GROUPS, add_option, corpus
from scripts.bench.programs.ground import arguments, ground
from scripts.bench.programs.measuring import Case, Measured, interleaved, ratio, section, show_times
from scripts.bench.programs.processors import used_s, waited_for_s
from tests.fakes.nginx import Nginx
from tests.fakes.processes import ROOT, run, wheelfs_command, wheelfs_environment
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from scripts.bench.programs.corpus import Chosen, Corpus
    from scripts.bench.programs.ground import Ground

_PYTHON = "3.11"
_PLATFORM = "manylinux_2_28_x86_64"
_GROUPS = tuple(group for group in GROUPS if group != "cross")
"""Of several platforms ``wheelfs fetch`` takes one; what is left is 1 GB."""

_LIMIT_S = 300.0
_PEER = "nginx, curl"
_CLIENTS = 4


class Wheels:
    """The wheels in one directory in memory, with pages of an index above it, and the requirements that name them."""

    def __init__(self, held: Corpus, most_bytes: float, directory: Path) -> None:
        self.root = directory
        self.folder = directory / "wheels"
        self.folder.mkdir(parents=True)
        self.chosen: list[Chosen] = []
        self.total_bytes = 0
        # By turns, so that a small run has some of everything.
        projects = [[one for one in held.chosen if one.group in _GROUPS and one.project == name] for name in _projects(held)]
        for one in filter(None, itertools.chain(*itertools.zip_longest(*projects))):
            size_bytes = held.path(one).stat().st_size
            if self.total_bytes + size_bytes <= most_bytes and _fits(held.path(one)):
                shutil.copy(held.path(one), self.folder)
                self.chosen.append(one)
                self.total_bytes += size_bytes
        for one in self.chosen:
            page = directory / "simple" / one.project / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            with page.open("a") as links:
                links.write(f'<a href="../../wheels/{one.filename}#sha256={one.sha256}">{one.filename}</a>\n')
        # Words, and no file of requirements: of one project's there all would have to be met by one version.
        self.requirements = [f"{one.project}=={one.version}" for one in self.chosen]

    def __str__(self) -> str:
        return (
            f"{len(self.chosen)} wheels of {len({one.project for one in self.chosen})} projects, {self.total_bytes / 1e6:.0f} MB"
        )


def _projects(held: Corpus) -> list[str]:
    return list(dict.fromkeys(one.project for one in held.chosen if one.group in _GROUPS))


def _fits(path: Path) -> bool:
    """Tell whether a wheel is for the Python that all are fetched for."""
    with zipfile.ZipFile(path) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
        said = HeaderParser().parsestr(archive.read(name).decode())
    return SpecifierSet(said.get("Requires-Python") or "").contains(_PYTHON)


@dataclass(slots=True)
class _Meter:
    """Processor seconds of one case: the server's (a process and all below it) and the clients', per run; and what came."""

    server: int
    server_s: list[float] = field(default_factory=list)
    client_s: list[float] = field(default_factory=list)
    brought_bytes: list[int] = field(default_factory=list)
    _before: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        self._before = used_s(self.server), waited_for_s()

    def end(self) -> None:
        self.server_s.append(used_s(self.server) - self._before[0])
        self.client_s.append(waited_for_s() - self._before[1])


class Scene:
    """The servers, and the cases that ask them."""

    def __init__(self, on: Ground, wheels: Wheels) -> None:
        self.wheels = wheels
        self.meters: dict[str, _Meter] = {}
        self.node = on.directory / "node"
        self._directory = on.directory
        self._environment = wheelfs_environment(on.directory / "home")
        self._checked: set[str] = set()

    def curl(
        self, name: str, server: int, url_of: Callable[[Chosen], str], *, clients: int = 1, then: Sequence[str] = ()
    ) -> Case:
        """Return a case of ``clients`` that take all files between them, each one after the other over one connection.

        ``then`` is a command that is given the files.
        """
        meter = self.meters[name] = _Meter(server)
        target = self._directory / "curl"

        def prepare() -> list[Path]:
            target.mkdir()
            lists = []
            for number in range(clients):
                lists.append(self._directory / f"urls-{number}")
                with lists[-1].open("w") as text:
                    for one in self.wheels.chosen[number::clients]:
                        text.write(f'url = "{url_of(one)}"\noutput = "{target / one.filename}"\n')
            meter.begin()
            return lists

        def work(lists: Sequence[Path]) -> None:
            running = [subprocess.Popen(["curl", "-q", "-sSf", "--noproxy", "*", "-K", str(one)]) for one in lists]
            codes = [process.wait(_LIMIT_S) for process in running]  # of all, or a later round would count them
            if any(codes):
                raise SystemExit(f"{name}: curl failed")
            if then:
                paths = [str(target / one.filename) for one in self.wheels.chosen]
                run([*then, *paths], environment=self._environment, timeout_s=_LIMIT_S).succeeded()

        def clear() -> None:
            meter.end()
            shutil.rmtree(self.node, ignore_errors=True)
            meter.brought_bytes.append(self.wheels.total_bytes)
            if name not in self._checked:
                self._checked.add(name)
                for one in self.wheels.chosen:
                    if (target / one.filename).read_bytes() != (self.wheels.folder / one.filename).read_bytes():
                        raise SystemExit(f"{name}: {one.filename} is not what was served")
            shutil.rmtree(target)

        return Case(name, work, prepare, clear)

    def fetch(self, name: str, server: int, *sources: str) -> Case:
        """Return a case of ``wheelfs fetch`` with a new store."""
        meter = self.meters[name] = _Meter(server)
        store = self.node
        fixed = [*self.wheels.requirements, "--python", _PYTHON, "--platform", _PLATFORM]
        command = wheelfs_command("--store", str(store), "--json", "fetch", *fixed, *sources)

        def work(_: None) -> None:
            done = run(command, environment=self._environment, timeout_s=_LIMIT_S)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stdout}{done.stderr}")
            meter.brought_bytes.append(json.loads(done.stdout.splitlines()[-1])["summary"]["fetched_bytes"])

        def clear() -> None:
            meter.end()
            if name not in self._checked:
                self._checked.add(name)
                self._check(store)
            shutil.rmtree(store)

        return Case(name, work, meter.begin, clear)

    def _check(self, store: Path) -> None:
        """See that a store reads back every wheel by its sha256, and no other."""
        run(wheelfs_command("--store", str(store), "verify"), environment=self._environment, timeout_s=_LIMIT_S).succeeded()
        listed = run(wheelfs_command("--store", str(store), "--json", "ls"), environment=self._environment)
        found = {one["filename"]: one["sha256"] for one in map(json.loads, listed.succeeded().stdout.splitlines())}
        if found != {one.filename: one.sha256 for one in self.wheels.chosen}:
            raise SystemExit("the node's store does not hold what the gateway's does")

    def show(self, measured: Measured, peer: str) -> None:
        """Print a line for each case."""
        told = f"{'MB/s':>6} {'of peer':>17}   {'processor s':>13}   {'MB/s per core':>13} {'of peer':>8}   {'MB brought':>10}"
        print(f"  {'case (processor s: server + client)':<44} {told}")
        per_core = {}
        for name, seconds in measured.items():
            meter = self.meters[name]
            used = [server + client for server, client in zip(meter.server_s, meter.client_s, strict=True)]
            per_core[name] = [self.wheels.total_bytes / 1e6 / one for one in used]
            figures.note(f"processor s a GB, {name}", [one / self.wheels.total_bytes * 1e9 for one in used])
            rate, least, largest = (1 / one for one in ratio(measured, name, peer))
            shares = statistics.median(mine / its for mine, its in zip(per_core[name], per_core[peer], strict=True))
            print(
                f"  {name:<44} {self.wheels.total_bytes / 1e6 / statistics.median(seconds):6.0f}"
                f" {f'{rate:.2f} ({largest:.2f}-{least:.2f})':>17}"
                f"   {statistics.median(meter.server_s):5.2f} + {statistics.median(meter.client_s):5.2f}"
                f"   {statistics.median(per_core[name]):13.0f} {shares:8.2f}"
                f"   {statistics.median(meter.brought_bytes) / 1e6:10.1f}",
                flush=True,
            )


def measure(on: Ground, wheels: Wheels, rounds: int) -> None:
    """Measure one client at a time, then several."""
    scene = Scene(on, wheels)
    add = wheelfs_command("--store", str(on.directory / "gateway" / "store"), "add", str(wheels.folder))
    began = time.perf_counter()
    run(add, environment=wheelfs_environment(on.directory / "home"), timeout_s=_LIMIT_S).succeeded()
    print(f"  added to the gateway's store in {time.perf_counter() - began:.1f} s", flush=True)
    with ExitStack() as stack:
        nginx = [stack.enter_context(Nginx(wheels.root, on.directory / f"nginx-{n}", workers=n)) for n in (1, 2)]
        gateways = [
            stack.enter_context(Serving(on.directory / "gateway", "--offline", "--workers", str(workers))) for workers in (1, 2)
        ]

        def plain(server: Nginx) -> Callable[[Chosen], str]:
            return lambda one: f"{server.url}/wheels/{one.filename}"

        def stored(server: Serving) -> Callable[[Chosen], str]:
            return lambda one: f"{server.url}/simple/{one.project}/{one.filename}"

        def share(server: Serving) -> tuple[str, ...]:
            return "--share", server.url, "--index", f"main={server.url}/simple"

        # The first to write that much into new memory pays for it.
        interleaved([scene.curl("warming up", nginx[0].pid, plain(nginx[0]))], 1)

        names = ("gateway", "gateway of 2 workers")
        cases = [scene.curl(_PEER, nginx[0].pid, plain(nginx[0]))]
        cases.append(
            scene.curl("nginx, curl, openssl sha256", nginx[0].pid, plain(nginx[0]), then=["openssl", "dgst", "-sha256"])
        )
        add = wheelfs_command("--store", str(scene.node), "add")
        cases.append(scene.curl("nginx, curl, wheelfs add", nginx[0].pid, plain(nginx[0]), then=add))
        for name, gateway in zip(names, gateways, strict=True):
            cases.append(scene.curl(f"{name}, curl", gateway.pid, stored(gateway)))
        cases.append(scene.fetch("nginx, node", nginx[0].pid, "--index", f"main={nginx[0].url}/simple", "--delta", "never"))
        for name, gateway in zip(names, gateways, strict=True):
            cases.append(scene.fetch(f"{name}, node, all bytes", gateway.pid, *share(gateway), "--delta", "never"))
        cases.append(scene.fetch("gateway, node", gateways[0].pid, *share(gateways[0])))
        with section("one client: curl into files; wheelfs fetch into a new store (all bytes: --delta never)"):
            scene.show(interleaved(cases, rounds), _PEER)

        several = f"{_CLIENTS} curls"
        cases = [scene.curl(f"nginx, {several}", nginx[0].pid, plain(nginx[0]), clients=_CLIENTS)]
        cases.append(scene.curl(f"nginx of 2 workers, {several}", nginx[1].pid, plain(nginx[1]), clients=_CLIENTS))
        for name, gateway in zip(names, gateways, strict=True):
            cases.append(scene.curl(f"{name}, {several}", gateway.pid, stored(gateway), clients=_CLIENTS))
        with section(f"{_CLIENTS} clients at once, which take a part of the files each"):
            measured = interleaved(cases, rounds)
            scene.show(measured, cases[0].name)
            times, least, largest = ratio(measured, cases[3].name, cases[2].name)
            print(f"  2 workers of the gateway against 1: {1 / times:.2f} of the rate ({1 / largest:.2f}-{1 / least:.2f})")


def measure_beside(on: Ground, wheels: Wheels, other: Path, rounds: int) -> None:
    """Measure the processor seconds of a node beside those of another checkout, and of curl with ``add`` after it."""
    builds = [Build(name, checkout, on.directory / name.replace(" ", "-")) for name, checkout in ((THIS, ROOT), (OTHER, other))]
    command = wheelfs_command("--store", str(on.directory / "gateway" / "store"), "add", str(wheels.folder))
    run(command, environment=wheelfs_environment(on.directory / "home"), timeout_s=_LIMIT_S).succeeded()
    with Nginx(wheels.root, on.directory / "nginx") as nginx, Serving(on.directory / "gateway", "--offline") as gateway:
        sources = ("--share", gateway.url, "--index", f"main={gateway.url}/simple")
        fixed = (*wheels.requirements, "--python", _PYTHON, "--platform", _PLATFORM, *sources)
        scene = Scene(on, wheels)
        add = wheelfs_command("--store", str(scene.node), "add")
        then = "nginx, curl, wheelfs add"
        curl = scene.curl(then, nginx.pid, lambda one: f"{nginx.url}/wheels/{one.filename}", then=add)

        def fetching(build: Build, words: Sequence[str]) -> Case:
            clear = partial(shutil.rmtree, build.store)
            return Case(build.name, lambda _: build.run("fetch", *fixed, *words), clear=clear)

        for title, words in (("all bytes", ("--delta", "never")), ("new chunks alone", ())):
            cases = [fetching(build, words) for build in builds]
            with section(f"a node that takes {title} from a gateway: its processor time, start included"):
                show_times(interleaved([*cases, curl], rounds, clock_s=waited_for_s), {THIS: OTHER, then: OTHER})


def _more_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser)
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="only a node's processor time, beside this build")
    parser.add_argument("--mb", type=float, default=1100.0, help="how many MB of wheels at most (default %(default)s)")


def main() -> None:
    """Measure everything."""
    options = arguments(__doc__, rounds=3, sets=False, add=_more_options)
    held = corpus(options.corpus)
    with ground() as on:
        wheels = Wheels(held, options.mb * 1e6, on.directory / "plain")
        print(f"{wheels}; files and stores on tmpfs; ratio: of rates, higher is better")
        if options.other is not None:
            measure_beside(on, wheels, options.other.resolve(), options.rounds)
            return
        measure(on, wheels, options.rounds)


if __name__ == "__main__":
    main()
