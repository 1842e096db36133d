"""One new wheel, a gateway and a node that has it for a share: each byte comes from the index once, whatever happens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2

from tests.fakes.faults import Fault, Slow
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

READERS = 16
BYTES = 6_000_000
SLACK_BYTES = 1_000_000
"""What may have been on its way in each of the two, and not counted yet."""


def get(url: str) -> bytes:
    return httpx2.get(url, trust_env=False, timeout=60).content


def test_a_node_reads_along_while_its_gateway_fetches(tmp_path: Path) -> None:
    with FakeIndex() as index, ThreadPoolExecutor(1 + READERS) as readers:
        name, content = index.add_wheel("big", "1.0", big_bytes=BYTES)
        path = f"/simple/big/{name}"
        index.faults.append(Fault(name, Slow(BYTES), times=None))
        gateway = Serving(tmp_path / "gateway", "--index", f"main={index.url}", "--workers", "2")
        with gateway, Serving(tmp_path / "node", "--index", f"main={index.url}", "--share", gateway.url) as node:
            first = readers.submit(get, gateway.url + path)
            eventually(lambda: index.body_bytes(name) > BYTES / 8)
            rest = [readers.submit(get, node.url + path) for _ in range(READERS)]
            assert {first.result(), *(one.result() for one in rest)} == {content}
            assert index.body_bytes(name) == len(content)


def fetched_bytes(node: Serving) -> int:
    status = httpx2.get(f"{node.url}/.wheelfs/status.json", trust_env=False).json()
    return int(status["counters"]["fetched_bytes"])


def test_when_the_gateway_dies_in_the_middle_the_node_goes_on_from_the_index_where_it_was(tmp_path: Path) -> None:
    with FakeIndex() as index, ThreadPoolExecutor(1 + READERS) as readers:
        name, content = index.add_wheel("big", "1.0", big_bytes=BYTES)
        path = f"/simple/big/{name}"
        gateway = Serving(tmp_path / "gateway", "--index", f"main={index.url}").__enter__()
        with Serving(tmp_path / "node", "--index", f"main={index.url}", "--share", gateway.url) as node:
            index.faults.append(Fault(name, Slow(BYTES // 8), times=None))
            first = readers.submit(get, gateway.url + path)
            eventually(lambda: fetched_bytes(gateway) > BYTES // 16)
            rest = [readers.submit(get, node.url + path) for _ in range(READERS)]
            eventually(lambda: fetched_bytes(node) > BYTES // 16)
            gateway.kill()
            index.faults.clear()
            had, before = fetched_bytes(node), index.body_bytes(name)
            assert {one.result() for one in rest} == {content}
            assert first.exception() is not None
            assert index.body_bytes(name) - before <= len(content) - had + SLACK_BYTES
