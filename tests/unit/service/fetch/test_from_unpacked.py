"""What is unpacked is looked for where it can pay, and what is made of it keeps no other file waiting."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.fetch.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheelfs.config.settings import Delta
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.unpacked.local_wheel import LocalWheel
    from wheelfs.service.unpacked.sources import UnpackedSources

TIMEOUT_S = 60.0
FILES = {"large.bin": incompressible(300_000, "large")}


class SlowlyPacked:
    """A wheel that is unpacked, and is packed for as long as ``end`` is not set."""

    is_asked_for = False
    tail_bytes = 64 << 10

    def __init__(self) -> None:
        self.packing = 0
        self.end = threading.Event()

    def rebuild(self, *_: object) -> Spans:
        self.packing += 1
        self.end.wait(TIMEOUT_S)
        return Spans()


class OfProjects:
    """Says that the wheels of some projects are unpacked, and notes what it is asked for."""

    is_any = True

    def __init__(self, projects: Sequence[str], wheel: SlowlyPacked) -> None:
        self.projects = projects
        self.wheel = wheel
        self.asked: list[str] = []

    def of(self, ref: FileRef) -> LocalWheel | None:
        self.asked.append(ref.project)
        return cast("LocalWheel", self.wheel) if ref.project in self.projects else None


async def test_packing_keeps_no_other_file_waiting(tmp_path: Path) -> None:
    projects = [f"unpacked{number}" for number in range(20)]
    origin = MemoryOrigin()
    for project in [*projects, "other"]:
        origin.add(project, wheel_filename(project, "1.0"), build_wheel(project, "1.0", files=FILES))
    wheel = SlowlyPacked()
    sources = OfProjects(projects, wheel)
    async with service(tmp_path / "s", [origin], delta="always") as one, trio.open_nursery() as nursery:
        one.node.fetching.unpacked = cast("UnpackedSources", sources)
        try:
            for project in projects:
                nursery.start_soon(one.read, f"simple/{project}/{wheel_filename(project, '1.0')}")
            await until(lambda: wheel.packing > 0 and len(sources.asked) == len(projects))
            name = wheel_filename("other", "1.0")
            with trio.fail_after(TIMEOUT_S / 2):
                assert await one.read(f"simple/other/{name}") == origin.files[name]
        finally:
            wheel.end.set()


async def test_one_thread_at_a_time_looks_for_it(tmp_path: Path) -> None:
    projects = [f"demo{number}" for number in range(4)]
    origin = MemoryOrigin()
    for project in projects:
        origin.add(project, wheel_filename(project, "1.0"), build_wheel(project, "1.0", files=FILES))
    begun, end = list[object](), threading.Event()

    class Slow(OfProjects):
        def of(self, ref: FileRef) -> LocalWheel | None:
            begun.append(ref)
            end.wait(TIMEOUT_S)
            return super().of(ref)

    async with service(tmp_path / "s", [origin], delta="always") as one, trio.open_nursery() as nursery:
        one.node.fetching.unpacked = cast("UnpackedSources", Slow([], SlowlyPacked()))
        for project in projects:
            nursery.start_soon(one.read, f"simple/{project}/{wheel_filename(project, '1.0')}")
        try:
            await until(lambda: one.node.fetching.looking.statistics().tasks_waiting == len(projects) - 1)
            assert len(begun) == 1
        finally:
            end.set()


@pytest.mark.parametrize(("delta", "asked"), [("auto", []), ("always", ["demo"])])
async def test_it_is_looked_for_only_where_it_can_pay(tmp_path: Path, delta: Delta, asked: list[str]) -> None:
    origin, name = MemoryOrigin(), wheel_filename("demo", "1.0")
    origin.add("demo", name, build_wheel("demo", "1.0", files=FILES))
    sources = OfProjects([], SlowlyPacked())
    async with service(tmp_path / "s", [origin], delta=delta) as one:
        one.node.fetching.unpacked = cast("UnpackedSources", sources)
        assert await one.read(f"simple/demo/{name}") == origin.files[name]
    assert sources.asked == asked, "how fast the line is, is not known"
