"""A lab's network on this machine: an internet host, a gateway and nodes, each with a network stack of its own.

```
internet 198.51.100.2 ---- 198.51.100.1 gateway 10.77.0.1 ---- switch ---- 10.77.0.11, .12, ... nodes
```

Nodes have no route to the internet until they are given one.  Links are as fast as memory unless rates are given; what went
over each is read from the kernel's counters.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple, Self

from tests.fakes.namespaces import Namespace

INTERNET: Final = "198.51.100.2"  # RFC 5737, so that nothing that is meant for a real machine can come here
_GATEWAY_OUTSIDE: Final = "198.51.100.1"
_GATEWAY: Final = "10.77.0.1"
_BURST_BYTES: Final = 256 * 1024
"""More than the largest piece that the kernel hands to a link at once (64 KiB), few enough that rates hold over any second."""
_LIMIT_BYTES: Final = 4 << 20


class Rates(NamedTuple):
    """Bits per second, in each direction of each link."""

    internet: float
    inside: float


class Machine:
    """One network stack; what is started `inside` of it has its address."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._namespace = Namespace()
        self.inside = self._namespace.inside
        self.path = self._namespace.path
        self.close = self._namespace.close

    def received_bytes(self, interface: str = "lan") -> int:
        """Return what has come in over a link so far, headers and all."""
        return self._counters(interface)[0]

    def sent_bytes(self, interface: str = "lan") -> int:
        """Return what has gone out."""
        return self._counters(interface)[8]

    def _counters(self, interface: str) -> list[int]:
        with self.inside():
            table = Path("/proc/thread-self/net/dev").read_text()
        [line] = [line for line in table.splitlines() if line.strip().startswith(f"{interface}:")]
        return [int(word) for word in line.partition(":")[2].split()]

    def ip(self, *lines: str) -> None:
        """Run ``ip`` with each of ``lines``, on this machine."""
        self._batch("ip", lines)

    def shape(self, interface: str, bits_per_s: float) -> None:
        """Let no more than that go out over a link."""
        self._batch(
            "tc",
            [
                f"qdisc add dev {interface} root tbf"
                f" rate {bits_per_s:.0f}bit burst {_BURST_BYTES} limit {_BURST_BYTES + _LIMIT_BYTES}"
            ],
        )

    def _batch(self, program: str, lines: tuple[str, ...] | list[str]) -> None:
        with self.inside():
            done = subprocess.run([program, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{program} on {self.name}: {done.stderr}\n{lines}")


class Network:
    """All machines; `network` makes it."""

    def __init__(self, nodes: int, rates: Rates | None) -> None:
        self._machines: list[Machine] = []
        self._rates = rates
        try:
            self._switch = self._machine("switch", "")
            self._switch.ip("link add bridge type bridge", "link set bridge up")
            self.gateway = self._machine("gateway", _GATEWAY)
            self.internet = self._machine("internet", INTERNET)
            self.nodes = [self._machine(f"node{number}", f"10.77.0.{10 + number}") for number in range(1, nodes + 1)]
            for machine in (self.gateway, *self.nodes):
                self._plug_in(machine)
            self._connect_to_the_internet()
        except BaseException:
            self.close()
            raise

    def _machine(self, name: str, address: str) -> Machine:
        machine = Machine(name, address)
        self._machines.append(machine)
        return machine

    def _plug_in(self, machine: Machine) -> None:
        self._switch.ip(
            f"link add {machine.name} type veth peer name lan netns {machine.path}",
            f"link set {machine.name} master bridge up",
        )
        machine.ip(f"address add {machine.address}/24 dev lan", "link set lan up")
        if self._rates is not None:
            self._switch.shape(machine.name, self._rates.inside)
            machine.shape("lan", self._rates.inside)

    def _connect_to_the_internet(self) -> None:
        self.gateway.ip(
            f"link add wan type veth peer name wan netns {self.internet.path}",
            f"address add {_GATEWAY_OUTSIDE}/24 dev wan",
            "link set wan up",
        )
        self.internet.ip(
            f"address add {INTERNET}/24 dev wan", "link set wan up", f"route add 10.77.0.0/24 via {_GATEWAY_OUTSIDE}"
        )
        with self.gateway.inside():
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        if self._rates is not None:
            for machine in (self.gateway, self.internet):
                machine.shape("wan", self._rates.internet)

    def let_nodes_out(self) -> None:
        """Give the nodes a way to the internet, over the gateway's link."""
        for node in self.nodes:
            node.ip(f"route add 198.51.100.0/24 via {_GATEWAY}")

    def keep_nodes_in(self) -> None:
        """Take it away again."""
        for node in self.nodes:
            node.ip("route delete 198.51.100.0/24")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the machines; the kernel deletes each, and its links, when nothing runs there any more."""
        while self._machines:
            self._machines.pop().close()


def why_not() -> str | None:
    """Return what keeps such a network from being made here, or None."""
    if missing := [program for program in ("ip", "tc") if shutil.which(program) is None]:
        return f"needs {' and '.join(missing)} (Debian: iproute2)"
    try:
        Network(0, Rates(1e9, 1e9)).close()
    except OSError as error:
        return f"needs root, and a kernel with veth, bridge and tbf: {error}"
    return None
