from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakes.network import INTERNET, Machine, Network, why_not
from tests.fakes.processes import run, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 10.0


@pytest.fixture
def network() -> Iterator[Network]:
    if reason := why_not():
        pytest.skip(reason)
    with Network(2, None) as made:
        yield made


def send(size_bytes: int, sender: Machine, receiver: Machine) -> None:
    with receiver.inside():
        listening = socket.create_server((receiver.address, 0))
    with listening, sender.inside(), socket.create_connection(listening.getsockname(), PATIENCE_S) as connection:
        accepted, _ = listening.accept()
        sending = threading.Thread(target=connection.sendall, args=(bytes(size_bytes),))
        sending.start()
        with accepted, accepted.makefile("rb") as arriving:
            assert arriving.read(size_bytes) == bytes(size_bytes)
            sending.join()


def test_a_node_reaches_the_gateway_and_other_nodes_and_each_link_counts_its_own(network: Network) -> None:
    one, other = network.nodes
    send(200_000, one, network.gateway)
    assert 200_000 < network.gateway.received_bytes() < 220_000
    assert 200_000 < one.sent_bytes() < 220_000
    assert other.sent_bytes() < 20_000
    send(100_000, one, other)
    assert 100_000 < other.received_bytes() < 120_000
    assert network.gateway.received_bytes() < 220_000


def test_the_internet_is_the_gateway_s_alone_until_nodes_are_let_out(network: Network) -> None:
    [node, _] = network.nodes
    send(200_000, network.internet, network.gateway)
    with node.inside(), pytest.raises(OSError, match="unreachable") as refused:
        socket.create_connection((INTERNET, 80), PATIENCE_S)
    assert refused.value.errno == errno.ENETUNREACH
    network.let_nodes_out()
    send(200_000, network.internet, node)
    assert 400_000 < network.gateway.received_bytes("wan") < 440_000
    network.keep_nodes_in()
    with node.inside(), pytest.raises(OSError, match="unreachable"):
        socket.create_connection((INTERNET, 80), PATIENCE_S)


def test_who_may_not_make_one_is_told_why_and_goes_on(tmp_path: Path) -> None:
    """As every test does that needs one, on a machine where the tests are not run by root."""
    if os.geteuid():
        assert why_not()
        return
    script = "import os, sys; os.setgid(65534); os.setuid(65534); print(why_not())"
    program = [sys.executable, "-c", f"from tests.fakes.network import why_not; {script}"]
    done = run(program, environment=wheelfs_environment(tmp_path), cwd=tmp_path).succeeded()
    assert "needs root" in done.stdout
