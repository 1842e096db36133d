"""What habits run on: hosts of their own on loopback, and for each client a mount and a gateway that know all their indexes.

Each client has its own store, so that the first try through wheelfs is really the first for pip and for uv.
"""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from tests.fakes.mounts import Mounted
from tests.gateway.serving import Serving
from tests.world.shop import Shop
from tests.world.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.world.habits import Habit

Client = Literal["pip", "uv"]
CLIENTS: Final[tuple[Client, Client]] = ("pip", "uv")


@dataclass(frozen=True, slots=True)
class Node:
    """A mount and a gateway that one client uses."""

    mount: Mounted
    gateway: Serving


class Rig:
    """Mounts and gateways from ``__enter__`` to ``__exit__``; a habit's hosts run while it does (`shop`).

    Without ``mounts`` nothing but straight can be tried.

    Every habit has addresses of its own in 127.77.0.0/16: what wheelfs learns of a host concerns no other habit.
    """

    def __init__(self, habits: Sequence[Habit], where: Path, *, tied: bool = True, mounts: bool = True) -> None:
        self.where = where
        self._mounts = mounts
        self._numbers = {habit.name: number for number, habit in enumerate(habits)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        where.mkdir(parents=True, exist_ok=True)
        self._config = where / "wheelfs.toml"
        self._config.write_text(
            "\n".join(self._table(habit, number, tied=tied) for habit in habits for number in range(len(habit.places)))
        )
        self.nodes: dict[Client, Node] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        environment = {"WHEELFS_CONFIG": str(self._config)}
        with ExitStack() as stack:
            for client in CLIENTS if self._mounts else ():
                home = self.where / f"home-{client}"
                home.mkdir()
                mount = Mounted(self.where / f"mnt-{client}", self.where / f"store-{client}", ["-v"], home, environment)
                stack.callback(mount.clean_up)
                mount.start()
                gateway = stack.enter_context(Serving(self.where / f"gateway-{client}", "-v", environment=environment))
                self.nodes[client] = Node(mount, gateway)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def index_name(self, habit: Habit, number: int = 0) -> str:
        """What the habit's index is called below ``index/``."""
        return habit.project if number == 0 else f"{habit.project}.{number}"

    def index_urls(self, habit: Habit) -> tuple[str, ...]:
        """What clients are given straight."""
        return tuple(
            f"http://{place.userinfo and f'{place.userinfo}@'}{self._address(habit, place.host)}:{self._port}{place.path}"
            for place in habit.places
        )

    def shop(self, habit: Habit, stack: ExitStack) -> Shop:
        """Start the habit's hosts, until ``stack`` ends."""
        sites = [stack.enter_context(Site(self._address(habit, host), self._port)) for host in range(habit.hosts)]
        return Shop(habit.project, sites, [place.path for place in habit.places], [place.host for place in habit.places])

    def _address(self, habit: Habit, host: int) -> str:
        number = self._numbers[habit.name]
        return f"127.77.{number // 25}.{number % 25 * 10 + host + 1}"

    def _table(self, habit: Habit, number: int, *, tied: bool) -> str:
        keys: dict[str, Any] = {
            "name": self.index_name(habit, number),
            "url": self.index_urls(habit)[number],
            "ttl-s": 0,
            **({"projects": [habit.project]} if tied else {}),
            **habit.places[number].options,
        }
        return "\n".join(["[[index]]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), ""])
