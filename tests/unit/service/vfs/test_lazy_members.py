"""Members of wheels that are not stored, as a run opens them: who waits for them, and where their wheels are found."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.installation import install
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.model.environment import EnvironmentLabel, EnvironmentWheel, Interpreter
from wheelfs.service.limits import ServiceLimits
from wheelfs.service.projects.limits import ProjectLimits
from wheelfs.store.catalog.mounted_environments import encoded

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")
NAME = wheel_filename("demo", "2.0")
DATA = incompressible(400_000)
WHEEL = build_wheel("demo", "2.0", files={"demo/data.bin": DATA})
MEMBER = f"env/it/{PYTHON.site_packages}/demo/data.bin"


def make(one: Service) -> None:
    """Make the environment ``it`` of the wheel, which is not stored."""
    location, directory = converse(search_directory(len(WHEEL), 1 << 16), lambda at, size: WHEEL[at : at + size])
    members = zip_layout.parse_directory(directory, location)
    wheel = EnvironmentWheel("demo", NAME, "corp", hashlib.sha256(WHEEL).digest(), len(WHEEL))
    given = install(0, NAME, "demo", members, PYTHON, lambda member: zip_layout.extract_member(member, WHEEL, 0))
    digest, encoding = encoded(assemble(PYTHON, [wheel], [given], b"")[0])
    one.store.mounted.put(EnvironmentLabel("it", digest, 1, (wheel.sha256,)), encoding).result()


@pytest.mark.parametrize("is_fresh", [True, False])
async def test_a_page_that_is_older_than_the_wheel_is_asked_for_again(tmp_path: Path, is_fresh: bool) -> None:
    origin = MemoryOrigin()
    origin.add("demo", wheel_filename("demo", "1.0"), build_wheel("demo", "1.0"))
    limits = ServiceLimits(projects=ProjectLimits(renew_after_s=0.0))
    async with service(tmp_path / "s", [origin], ttl_s=600.0 if is_fresh else 0.0, limits=limits) as one:
        make(one)
        await one.read("simple/demo/index.html")
        origin.add("demo", NAME, WHEEL)
        assert await one.read(MEMBER) == DATA


async def test_a_wheel_that_no_page_lists_costs_no_more_than_one_page(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", wheel_filename("demo", "1.0"), build_wheel("demo", "1.0"))
    async with service(tmp_path / "s", [origin]) as one:
        make(one)
        for _ in range(5):
            with pytest.raises(OriginMissing, match="no index lists"):
                await one.open(MEMBER)
        assert origin.requests["page"] == 1, "it was read a moment ago"
    async with service(tmp_path / "s", [origin], offline=True) as one:
        with pytest.raises(OriginUnreachable, match="corp cannot be asked now"):
            await one.open(MEMBER)


async def test_who_waits_for_what_another_one_brings_waits_for_the_network_too(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL)
    async with service(tmp_path / "s", [origin], places=2) as one:
        make(one)
        await one.read("simple/demo/index.html")
        origin.gate = trio.Event()
        node = await one.node_at(MEMBER)
        opened: list[bytes] = []

        async def read() -> None:
            file = await one.node.tree.open(node)
            opened.append(bytes(await file.read(0, len(DATA))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await until(lambda: origin.requests["range"] == 1)
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(OriginTimeout, match="too many requests wait"):
                await one.node.tree.open(node)
            origin.gate.set()
        assert opened == [DATA] * 2
        await read()
