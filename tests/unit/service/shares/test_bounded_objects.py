"""Objects asked from other threads: every operation ends, and what becomes of it is known of the host."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest
import trio

from wheelfs.errors import OriginTimeout, OriginUnreachable
from wheelfs.service.hosts.breaker import Hosts
from wheelfs.service.shares.bounded_objects import BoundedObjects
from wheelfs.service.shares.limits import SHARE_LIMITS, WriteThroughLimits
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.remote.share.objects import Objects

URL = "file:///lab/wheels"


class NoRates:
    def load(self, host: str) -> None: ...

    def save(self, host: str, rate: object) -> None: ...


class HangingObjects:
    """Answers a read when it is let go."""

    url = URL

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def read(self, key: str, *, limit_bytes: int) -> bytes:
        self.asked.set()
        self.let_go.wait(60)
        return key.encode()[:limit_bytes]


@pytest.fixture
def objects() -> Iterator[HangingObjects]:
    made = HangingObjects()
    yield made
    made.let_go.set()


def hosts_of(url: str) -> Hosts:
    async def probe(url: str) -> None: ...

    return Hosts(offline=False, probe=probe, probe_timeout_s=1.0, counters=Counters(), rates=NoRates(), file_urls=[url])


def bounded(objects: HangingObjects, hosts: Hosts, limits: WriteThroughLimits = SHARE_LIMITS.write_through) -> BoundedObjects:
    return BoundedObjects(cast("Objects", objects), hosts, limits)


async def test_an_answer_reaches_the_thread_that_asked(objects: HangingObjects) -> None:
    objects.let_go.set()
    hosts = hosts_of(URL)
    found = bounded(objects, hosts)
    assert await trio.to_thread.run_sync(lambda: found.read("packs/1", limit_bytes=5)) == b"packs"
    assert hosts.state(URL)[0] == "up"


async def test_an_operation_that_hangs_is_given_up_and_counts_against_the_host(objects: HangingObjects) -> None:
    hosts = hosts_of(URL)
    found = bounded(objects, hosts, WriteThroughLimits(operation_s=0.05))
    with pytest.raises(OriginTimeout, match=r"read packs/1 in the share file:///lab/wheels: no answer within"):
        await trio.to_thread.run_sync(lambda: found.read("packs/1", limit_bytes=5))
    assert not hosts.may_ask(URL), "the next one does not wait as long"


async def test_stopping_ends_operations_under_way_and_says_nothing_of_the_host(objects: HangingObjects) -> None:
    hosts = hosts_of(URL)
    found = bounded(objects, hosts)
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(OriginUnreachable, match="being stopped"):
                await trio.to_thread.run_sync(lambda: found.read("packs/1", limit_bytes=5))

        nursery.start_soon(ask)
        await trio.to_thread.run_sync(objects.asked.wait, 20)
        found.stop()
    with pytest.raises(OriginUnreachable, match="being stopped"):
        await trio.to_thread.run_sync(lambda: found.read("packs/2", limit_bytes=5))
    assert hosts.may_ask(URL)
