"""A lab on one machine: an index over a slow line, room for servers on the gateway, and nodes with stores and mounts."""

from __future__ import annotations

import math
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from scripts.bench.programs.ground import ground, index_of, project_of
from scripts.bench.programs.line import slow_line
from scripts.bench.programs.processors import all_s, machine_s, used_s
from tests.fakes.mounts import Mounted
from tests.fakes.network import INTERNET, Network, Rates
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.bench.programs.ground import Ground, Wheels
    from tests.fakes.clients import Uv
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

GATEWAY_PORT = 8080
INSTALL_LIMIT_S = 300.0
"""Ten times the longest wait of wheelfs for an index, many times what an install takes: who takes longer hangs."""

_KNOWN_S = 60.0


class Traffic(NamedTuple):
    """What went over each link since a moment, in bytes, and the processor seconds of all that took part.

    Of them are ``gateway_s`` the gateway's and ``mounts_s`` those of all mounts together; the rest are the clients'.
    ``machine_s`` has been used by anything on the machine.
    """

    internet: int
    nodes: tuple[int, ...]
    processor_s: float
    gateway_s: float
    mounts_s: float
    machine_s: float


class Lab:
    """What is there as long as the bench runs; `lab` makes it."""

    def __init__(self, on: Ground, held: Wheels, network: Network, index: FakeIndex, index_url: str, rates: Rates) -> None:
        self.on = on
        self.held = held
        self.network = network
        self.index = index
        self.index_url = index_url
        self.rates = rates
        self.gateway_address = network.gateway.address
        self.gateway_url = f"http://{self.gateway_address}:{GATEWAY_PORT}"
        self.mounted: Sequence[Mounted] = ()
        """The mounts that there are."""
        self._serving: Serving | None = None
        self._made = 0

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self.network.nodes)

    def new_directory(self, stack: ExitStack, name: str) -> Path:
        """Make a directory that goes away with ``stack``."""
        self._made += 1
        path = self.on.directory / f"{name}-{self._made}"
        path.mkdir()
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def gateway(self, where: Path) -> Serving:
        """Return a gateway whose store is below ``where``; it has to be started on the gateway's machine."""
        return Serving(where, "--index", f"main={self.index_url}", listen=f"{self.gateway_address}:{GATEWAY_PORT}")

    @contextmanager
    def serving(self, where: Path) -> Iterator[Serving]:
        """Run a gateway on its machine."""
        with self.network.gateway.inside():
            gateway = self._serving = self.gateway(where).start()
        try:
            yield gateway
        finally:
            self._serving = None
            gateway.kill()

    @contextmanager
    def mounts(self, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[list[Mounted]]:
        """Mount a new store on every node, all at once; they are gone afterwards."""
        with ExitStack() as stack:
            mounts = []
            for node in self.network.nodes:
                home = self.new_directory(stack, node.name)
                mounts.append(Mounted(home / "mnt", home / "store", options, home, environment or {}))
                stack.callback(mounts[-1].clean_up)

            def start(number: int) -> None:
                with self.network.nodes[number].inside():
                    mounts[number].start()

            with ThreadPoolExecutor(4) as pool:  # a start is Python importing: more than a few at once only take turns
                list(pool.map(start, range(self.size)))
            self.mounted = mounts
            try:
                yield mounts
            finally:
                self.mounted = ()

    def wait_until_known(self, mounts: Sequence[Mounted]) -> None:
        """Return when every mount knows the set: it learns within seconds what a share has, which is not what is measured.

        What only a share names is not listed before an index in charge has answered for it, so status.json has the rest.
        """
        for mounted in mounts:
            eventually(partial(self._knows_all, mounted), deadline_s=_KNOWN_S)

    def _knows_all(self, mounted: Mounted) -> bool:
        listed = sum(1 for _ in mounted.path.glob("*.whl"))
        status = mounted.status()
        return bool(listed + status["withheld"]["files"] >= len(self.held.paths))

    def stock(self, where: Path) -> None:
        """Fetch the set into the store of a gateway."""
        versions = [f"{project_of(wheel)}=={wheel.name.split('-')[1]}" for wheel in self.held.paths]
        with self.network.gateway.inside():
            self.wheelfs(where, "fetch", "--index", f"main={self.index_url}", *versions)

    def wheelfs(self, where: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """Run a command on the store of the gateway below ``where``."""
        whole = {**wheelfs_environment(self.on.directory / "home"), **(environment or {})}
        run(wheelfs_command("--store", str(where / "store"), *words), environment=whole, timeout_s=INSTALL_LIMIT_S).succeeded()

    def traffic(self) -> Traffic:
        """Return what the kernel has counted so far."""
        nodes = tuple(node.received_bytes() for node in self.network.nodes)
        gateway_s = used_s(self._serving.pid) if self._serving is not None else 0.0
        mounts_s = sum(used_s(mounted.process.pid) for mounted in self.mounted)
        return Traffic(self.network.gateway.received_bytes("wan"), nodes, all_s(), gateway_s, mounts_s, machine_s())

    def traffic_since(self, before: Traffic) -> Traffic:
        """Return what has been counted since then."""
        now = self.traffic()
        nodes = tuple(mine - its for mine, its in zip(now.nodes, before.nodes, strict=True))
        return Traffic(
            now.internet - before.internet,
            nodes,
            now.processor_s - before.processor_s,
            now.gateway_s - before.gateway_s,
            now.mounts_s - before.mounts_s,
            now.machine_s - before.machine_s,
        )

    def uvs(self) -> list[Uv]:
        """Return a uv that has never run for each node."""
        return [self.on.uv() for _ in self.network.nodes]

    def install_everywhere(self, uvs: Sequence[Uv], urls: Sequence[str], each: Callable[[int, Finished], None]) -> None:
        """Run ``uv pip install`` of the set on all nodes at once, and tell ``each`` of what became of it, in its own thread.

        Raises SystemExit when one of them hangs.
        """

        def install(number: int) -> None:
            with self.network.nodes[number].inside():
                options = ["pip", "install", "--default-index", urls[number]]
                try:
                    ended = uvs[number].run(*options, *self.held.requirements, timeout_s=INSTALL_LIMIT_S)
                except subprocess.TimeoutExpired:
                    raise SystemExit(f"WRONG: an install from {urls[number]} hangs: {INSTALL_LIMIT_S:.0f} s") from None
            each(number, ended)

        with ThreadPoolExecutor(self.size) as pool:
            list(pool.map(install, range(self.size)))


@contextmanager
def lab(held: Wheels, options: argparse.Namespace) -> Iterator[Lab]:
    """Make the lab; at the end nothing is left of it."""
    rates = Rates(options.mbit * 1e6, options.inside_mbit * 1e6)
    with ground() as on, Network(options.nodes, rates) as network, ExitStack() as stack:
        with network.internet.inside():
            index = stack.enter_context(index_of(held))
            # The kernel's shaping bounds the rate; the relay only delays.
            line = stack.enter_context(
                slow_line(urlsplit(index.origin).port or 0, bits_per_s=math.inf, delay_s=options.delay_ms / 1e3, address=INTERNET)
            )
        yield Lab(on, held, network, index, f"{line.origin}/simple", rates)
