"""What is fetched ahead of installers, and of which clients nothing is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from tests.fakes.origins import MemoryOrigin
from tests.fakes.programs import Program
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.http.ranges import Range
from wheelfs.errors import ContentChanged, ContentMismatch, StoreDamaged
from wheelfs.service.limits import SERVICE_LIMITS
from wheelfs.service.vfs.clients.client import CLIENT
from wheelfs.service.vfs.clients.whole_wheels import WholeWheels
from wheelfs.service.vfs.limits import VFS_LIMITS
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import PageOutcome

BIG_BYTES = 2_000_000


def index(*projects: str, versions: Sequence[str] = ("1.0",)) -> MemoryOrigin:
    origin = MemoryOrigin()
    for project in projects:
        for version in versions:
            origin.add(project, wheel_filename(project, version), build_wheel(project, version, big_bytes=BIG_BYTES))
    return origin


def index_with_metadata(*projects: str) -> MemoryOrigin:
    origin = MemoryOrigin()
    for project in projects:
        wheel = build_wheel(project, "1.0", big_bytes=BIG_BYTES)
        metadata = zipfile.ZipFile(io.BytesIO(wheel)).read(f"{project}-1.0.dist-info/METADATA")
        origin.add(project, wheel_filename(project, "1.0"), wheel, metadata=metadata)
    return origin


async def open_as(purpose: Purpose, one: Service, project: str, version: str = "1.0", pid: int = 1) -> None:
    CLIENT.set(Program(purpose, pid))
    (await one.open(f"simple/{project}/{wheel_filename(project, version)}")).close()


async def quiet(one: Service) -> None:
    await until(lambda: one.node.whole_wheels.is_idle and one.node.prefetcher.is_idle)


def is_whole(origin: MemoryOrigin, project: str, version: str = "1.0") -> bool:
    name = wheel_filename(project, version)
    return origin.sent_bytes[name] == len(origin.files[name])


async def test_what_an_installer_opens_comes_whole_before_it_reads_and_no_byte_twice(tmp_path: Path) -> None:
    origin = index("app", "base")
    async with service(tmp_path / "s", [origin]) as one:
        for project in ("app", "base"):
            await open_as(Purpose.INSTALLING, one, project)
        await quiet(one)
        assert is_whole(origin, "app")
        assert is_whole(origin, "base")
        asked = origin.requests.total()
        assert await one.read(f"simple/app/{wheel_filename('app', '1.0')}") == origin.files[wheel_filename("app", "1.0")]
        assert origin.requests.total() == asked


@pytest.mark.parametrize("purpose", [Purpose.RESOLVING, Purpose.UNKNOWN])
async def test_nothing_comes_ahead_of_others(tmp_path: Path, purpose: Purpose) -> None:
    origin = index("app")
    async with service(tmp_path / "s", [origin]) as one:
        await open_as(purpose, one, "app")
        await quiet(one)
        assert 0 < origin.sent_bytes[wheel_filename("app", "1.0")] < BIG_BYTES / 10


async def test_nothing_comes_ahead_when_that_is_switched_off(tmp_path: Path) -> None:
    origin = index("app")
    async with service(tmp_path / "s", [origin], look_ahead=False) as one:
        await open_as(Purpose.INSTALLING, one, "app")
        await quiet(one)
        assert not is_whole(origin, "app")


async def test_an_installer_that_looks_for_a_version_costs_one_wheel_of_the_project(tmp_path: Path) -> None:
    origin = index("app", versions=("1.0", "1.1", "1.2"))
    async with service(tmp_path / "s", [origin]) as one:
        for version in ("1.2", "1.1", "1.0"):
            await open_as(Purpose.INSTALLING, one, "app", version)
        await quiet(one)
        assert [is_whole(origin, "app", version) for version in ("1.2", "1.1", "1.0")] == [True, False, False]
        await open_as(Purpose.INSTALLING, one, "app", "1.0", pid=os.getpid())  # another installer, which wants this one
        await quiet(one)
        assert is_whole(origin, "app", "1.0")


async def test_what_fails_ahead_of_an_installer_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(*_: object) -> None:
        raise StoreDamaged("read the catalog", "a name cannot be read")

    origin = index("app")
    monkeypatch.setattr(WholeWheels, "_fetch", failing)
    async with service(tmp_path / "s", [origin]) as one:
        await open_as(Purpose.INSTALLING, one, "app")
        await quiet(one)
        name = wheel_filename("app", "1.0")
        assert await one.read(f"simple/app/{name}") == origin.files[name]
    assert "a name cannot be read" in caplog.text


async def test_what_a_wrong_guess_may_cost_is_bounded(tmp_path: Path) -> None:
    origin = index("app", "base", "leaf")
    vfs = msgspec.structs.replace(VFS_LIMITS, ahead_bytes=2 * BIG_BYTES + BIG_BYTES // 2)
    async with service(tmp_path / "s", [origin], limits=msgspec.structs.replace(SERVICE_LIMITS, vfs=vfs)) as one:
        for project in ("app", "base", "leaf"):
            await open_as(Purpose.INSTALLING, one, project)
        await quiet(one)
        assert [is_whole(origin, project) for project in ("app", "base", "leaf")] == [True, True, False]


async def test_a_wheel_that_is_larger_than_resolving_is_worth_is_not_fetched_ahead(tmp_path: Path) -> None:
    origin = index("app")
    vfs = msgspec.structs.replace(VFS_LIMITS, ahead_file_bytes=BIG_BYTES // 2)
    async with service(tmp_path / "s", [origin], limits=msgspec.structs.replace(SERVICE_LIMITS, vfs=vfs)) as one:
        await open_as(Purpose.INSTALLING, one, "app")
        await quiet(one)
        assert not is_whole(origin, "app")


async def test_who_reads_metadata_does_not_wait_for_the_whole(tmp_path: Path) -> None:
    origin = index("app")
    name = wheel_filename("app", "1.0")
    size_bytes = len(origin.files[name])
    async with service(tmp_path / "s", [origin]) as one:
        CLIENT.set(Program(Purpose.INSTALLING))
        file = await one.open(f"simple/app/{name}")
        origin.pause = trio.Event()  # nothing more comes but what is on its way
        with trio.fail_after(60):
            end = await file.read(size_bytes - 100_000, 1 << 20)
            assert end == origin.files[name][-100_000:]
            assert not await file.read(size_bytes, 8_192)
            assert await file.read(size_bytes - 2_048, 8_192) == end[-2_048:]
        origin.pause.set()
        file.close()
        await quiet(one)


async def test_who_reads_all_of_what_came_ahead_gets_the_last_bytes_only_when_they_are_right(tmp_path: Path) -> None:
    origin = index("app")
    name = wheel_filename("app", "1.0")
    right = origin.files[name]
    origin.files[name] = right[:1_000_000] + b"wrong" + right[1_000_005:]
    async with service(tmp_path / "s", [origin]) as one:
        CLIENT.set(Program(Purpose.INSTALLING))
        # When it is opened, if all is here by then; while it is fetched once more, that it has changed.
        with pytest.raises((ContentMismatch, ContentChanged)):
            await one.read(f"simple/app/{name}")
        await quiet(one)


async def test_pip_which_reads_the_metadata_file_alone_gets_the_wheel_ahead_too(tmp_path: Path) -> None:
    origin = index("app")
    async with service(tmp_path / "s", [origin]) as one:
        CLIENT.set(Program(Purpose.INSTALLING))
        await one.read(f"simple/app/{wheel_filename('app', '1.0')}.metadata")
        await quiet(one)
        assert is_whole(origin, "app")


async def test_a_wheel_is_asked_for_from_its_beginning_beside_its_tail(tmp_path: Path) -> None:
    origin = index("app")
    size_bytes = len(origin.files[wheel_filename("app", "1.0")])
    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/app/index.html")
        await open_as(Purpose.INSTALLING, one, "app")
        await quiet(one)
        ranges = sorted((asked.start, asked.end) for asked in origin.asked if isinstance(asked, Range))
        assert ranges[0][0] == 0
        assert ranges[0][1] == ranges[1][0] < ranges[1][1] == size_bytes


async def test_installers_and_resolvers_look_projects_up_without_waiting_for_each_other(tmp_path: Path) -> None:
    origin = index("app")
    answering = trio.Event()

    async def page(project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        await answering.wait()
        return await MemoryOrigin.project_page(origin, project, validators=validators)

    async with service(tmp_path / "s", [origin]) as one:
        CLIENT.set(Program(Purpose.RESOLVING))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(origin, "project_page", page)
            assert not isinstance(await one.lookup("simple/app"), Absent)
            answering.set()
        assert not isinstance(await one.lookup("simple/app/index.html"), Absent)
        assert isinstance(await one.lookup("simple/nosuch/index.html"), Absent)


@contextmanager
def an_installer() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def opened_and_killed(one: Service, origin: MemoryOrigin, *projects: str) -> trio.Event:
    """Let an installer open wheels and be killed when their first bytes have come; return what lets the rest come."""
    origin.pause = pause = trio.Event()
    with an_installer() as process:
        CLIENT.set(Program(Purpose.INSTALLING, process.pid))
        for project in projects:
            # It reads METADATA from a file of its own, and no wheel: all that comes of it comes ahead.
            await one.read(f"simple/{project}/{wheel_filename(project, '1.0')}.metadata")
        await until(lambda: bool(one.node.downloads.transfers()))
    return pause


async def test_nothing_more_comes_ahead_of_one_that_was_killed(tmp_path: Path) -> None:
    origin = index_with_metadata("app", "base")
    vfs = msgspec.structs.replace(VFS_LIMITS, ahead_at_once=1)
    async with service(tmp_path / "s", [origin], limits=msgspec.structs.replace(SERVICE_LIMITS, vfs=vfs)) as one:
        pause = await opened_and_killed(one, origin, "app", "base")
        await until(lambda: any(download.partial.is_given_up for download in one.node.downloads._downloads.values()))
        pause.set()
        await quiet(one)
        await until(lambda: one.node.downloads.is_idle)
        for project in ("app", "base"):
            assert not is_whole(origin, project)
            name = wheel_filename(project, "1.0")
            assert await one.read(f"simple/{project}/{name}") == origin.files[name], "who asks for it gets it as ever"


async def test_what_another_program_has_open_comes_all_the_same(tmp_path: Path) -> None:
    origin = index_with_metadata("app")
    name = wheel_filename("app", "1.0")
    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/app/index.html")
        CLIENT.set(Program(Purpose.UNKNOWN))
        file = await one.open(f"simple/app/{name}")
        pause = await opened_and_killed(one, origin, "app")
        pause.set()
        await quiet(one)
        file.close()
        assert is_whole(origin, "app")


async def test_a_reader_that_comes_while_it_is_given_up_gets_all_of_it(tmp_path: Path) -> None:
    origin = index_with_metadata("app")
    name = wheel_filename("app", "1.0")
    async with service(tmp_path / "s", [origin]) as one:
        pause = await opened_and_killed(one, origin, "app")
        await until(lambda: any(download.partial.is_given_up for download in one.node.downloads._downloads.values()))
        origin.pause = None
        CLIENT.set(Program(Purpose.UNKNOWN))
        async with trio.open_nursery() as nursery:
            read: list[bytes] = []

            async def reading() -> None:
                read.append(await one.read(f"simple/app/{name}"))

            nursery.start_soon(reading)
            nursery.start_soon(reading)
            pause.set()
        assert read == [origin.files[name]] * 2


async def test_an_upgrade_is_fetched_ahead_too_and_only_what_is_new_in_it(tmp_path: Path) -> None:
    parts = {f"app/part{number:02}.bin": incompressible(30_000, f"part {number}") for number in range(30)}
    new = {"app/part07.bin": incompressible(50_000, "new")}
    origin = MemoryOrigin()
    for version, files in (("1.0", parts), ("1.1", parts | new)):
        origin.add("app", wheel_filename("app", version), build_wheel("app", version, files=files))
    async with service(tmp_path / "s", [origin], delta="always") as one:
        await one.read(f"simple/app/{wheel_filename('app', '1.0')}")
        await until(lambda: bool(one.store.catalog.stored_names("app")))
        asked = origin.requests["range"]
        await open_as(Purpose.INSTALLING, one, "app", "1.1")
        await quiet(one)
        assert await one.read(f"simple/app/{wheel_filename('app', '1.1')}") == origin.files[wheel_filename("app", "1.1")]
        assert origin.sent_bytes[wheel_filename("app", "1.1")] < 50_000 + 40_000
        assert origin.requests["range"] - asked == 2  # the tail, and what is new
