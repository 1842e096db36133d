"""A lab in small: nodes with mounts of their own, and no way to the internet but through the gateway, on links of their own."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.fakes.faults import Fault, Slow
from tests.fakes.index import FakeIndex
from tests.fakes.mounts import Mounted
from tests.fakes.network import INTERNET, Machine, Network, Rates, why_not
from tests.fakes.readers import read_at_once
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.fakes.clients import Clients
    from tests.fakes.processes import Finished

NODES = 3
READERS = 4
BOUND_S = 100.0
"""More than any bound of wheelfs on a busy machine: an installer that takes longer hangs."""

CLEAR = re.compile("Network is unreachable|Connection timed out|Remote I/O error")
"""What errnos of an origin that is away say, through an installer (EIO would blame the disk)."""


@pytest.fixture
def network() -> Iterator[Network]:
    """Links that let a kill come in the midst of a transfer of some megabytes."""
    if reason := why_not():
        pytest.skip(reason)
    with Network(NODES, Rates(internet=1e9, inside=40e6)) as made:
        yield made


@pytest.fixture
def mounts() -> Iterator[list[Mounted]]:
    """Takes mounts, and cleans them up."""
    made: list[Mounted] = []
    yield made
    for one in reversed(made):
        one.clean_up()


@pytest.fixture
def index(network: Network) -> Iterator[FakeIndex]:
    with network.internet.inside(), FakeIndex(address=INTERNET) as made:
        yield made


@contextmanager
def gateway_of(network: Network, where: Path, index: FakeIndex) -> Iterator[Serving]:
    """Run a gateway that may be killed and started again: it keeps its address."""
    gateway = Serving(where / "gateway", "--index", f"main={index.url}", listen=f"{network.gateway.address}:8080")
    with network.gateway.inside():
        gateway.start()
        try:
            yield gateway
        finally:
            gateway.kill()


def mount_on(machine: Machine, where: Path, gateway: Serving, index_url: str) -> Mounted:
    home = where / machine.name
    home.mkdir()
    mounted = Mounted(home / "mnt", home / "store", ["--share", gateway.url, "--index", f"main={index_url}"], home, {})
    with machine.inside():
        return mounted.start()


def test_processes_on_all_nodes_that_open_a_new_wheel_cost_one_upstream_fetch(
    tmp_path: Path, network: Network, mounts: list[Mounted], index: FakeIndex
) -> None:
    filename, content = index.add_wheel("demo", "1.0", big_bytes=1_000_000)
    index.faults.append(Fault(filename, Slow(2_000_000), times=None))  # so that all of them come while it is under way
    with gateway_of(network, tmp_path, index) as gateway:
        mounts.extend(mount_on(node, tmp_path, gateway, f"{gateway.url}/simple") for node in network.nodes)
        read = read_at_once([mounted.path / "simple/demo" / filename for mounted in mounts for _ in range(READERS)])
        assert set(read) == {hashlib.sha256(content).hexdigest()}
        assert index.body_bytes(filename) == len(content)
        for received_bytes in (network.gateway.received_bytes("wan"), *(node.received_bytes() for node in network.nodes)):
            assert received_bytes < 1.2 * len(content)


@pytest.mark.parametrize("online", [False, True], ids=["nodes-without-internet", "nodes-with-an-index"])
def test_a_gateway_that_is_killed_while_all_install_and_comes_back_leaves_nobody_hanging(
    tmp_path: Path, network: Network, mounts: list[Mounted], index: FakeIndex, clients: Clients, online: bool
) -> None:
    index.add_wheel("app", "1.0", requires=["library"])
    filename, content = index.add_wheel("library", "1.0", big_bytes=2_000_000)

    def install_everywhere() -> list[Future[Finished]]:
        installers = [(clients.uv(), (mounted.path / "simple").as_uri()) for mounted in mounts]
        return [pool.submit(uv.run, "pip", "install", "--default-index", url, "app", timeout_s=BOUND_S) for uv, url in installers]

    with gateway_of(network, tmp_path, index) as gateway, ThreadPoolExecutor(NODES) as pool:
        if online:
            network.let_nodes_out()
        assert httpx2.get(f"{gateway.url}/simple/library/{filename}", trust_env=False).content == content
        own = index.url if online else f"{gateway.url}/simple"
        mounts.extend(mount_on(node, tmp_path, gateway, own) for node in network.nodes)
        under_way = install_everywhere()
        eventually(lambda: network.gateway.sent_bytes() > len(content), deadline_s=BOUND_S)
        gateway.kill()
        for ended in [one.result() for one in under_way]:
            assert ended.returncode == 0 or (not online and CLEAR.search(ended.stderr)), ended.stderr
        gateway.start()
        eventually(lambda: all(mounted.is_all_up() for mounted in mounts))
        for one in install_everywhere():
            one.result().succeeded()
