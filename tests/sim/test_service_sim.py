"""Seeded simulations of the service: many clients at once, over origins that fail, stall, lie, go down and come back.

What must hold whatever the seed: every byte served from a file whose hash is known and verified equals the truth, every call ends
within its bound, what is sealed is right, and nothing is left open.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.collisions import forged
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_sdist, build_wheel, incompressible, sdist_filename, wheel_filename
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing, OriginTimeout, OriginUnreachable, WheelfsError
from wheelfs.service.projects.limits import PROJECT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.config.settings import Delta

PROJECTS = ("numbers", "letters", "points")
SIZES = (1_000, 150_000, 400_000, 2_500_000)
SLACK_BYTES = 1_000_000
CALL_BOUND_S = 30.0
"""Far above the bounds given to the service: what takes longer waits without end."""


def house(seed: int) -> dict[str, dict[str, bytes]]:
    """Return files by project."""
    files: dict[str, dict[str, bytes]] = {}
    for project in PROJECTS:
        files[project] = {
            wheel_filename(project, f"1.{n}"): build_wheel(project, f"1.{n}", big_bytes=size, big_seed=f"{seed}-{project}-{n}")
            for n, size in enumerate(SIZES)
        }
        files[project][sdist_filename(project, "1.0")] = build_sdist(project, "1.0")
    return files


def relatives(seed: int) -> dict[str, dict[str, bytes]]:
    """Return wheels that share members, among them ones that only look shared: same CRC-32, sizes and method, other bytes."""
    parts = {f"shared/part{n}.bin": incompressible(30_000 + n, f"{seed} {n}") for n in range(12)}
    files: dict[str, dict[str, bytes]] = {}
    for project in PROJECTS:
        files[project] = {}
        for n in range(4):
            own = {f"shared/part{n}.bin": incompressible(20_000, f"{seed} {project} {n}")}
            lies = {
                f"shared/part{at}.bin": forged(parts[f"shared/part{at}.bin"][::-1], parts[f"shared/part{at}.bin"])
                for at in (n, 7)
            }
            content = build_wheel(
                project,
                f"1.{n}",
                files=parts | (own if n % 2 else lies),
                compression="stored",
                data_descriptors=n == 1,
                made_at=(2020 + n, 1, 1, 0, 0, 0),
            )
            files[project][wheel_filename(project, f"1.{n}")] = content
    return files


def origins_with(files: dict[str, dict[str, bytes]], draw: random.Random) -> list[MemoryOrigin]:
    """Spread the projects over two indexes; some links have no size."""
    origins = [MemoryOrigin(name=name, url=f"https://{name}.index.example/simple") for name in ("first", "second")]
    for number, (project, named) in enumerate(files.items()):
        for filename, content in named.items():
            origins[number % 2].add(project, filename, content, sized=draw.random() < 0.6)
    return origins


class Weather:
    """Decides what becomes of each answer of an origin; ``is_bad`` may be switched while clients are at work."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self.is_bad = True

    def __call__(self) -> Trouble | None:
        if not self.is_bad or self._draw.random() < 0.55:
            return None
        after_bytes = self._draw.choice((0, 0, 1, 5_000, 70_000, 300_000, 1_500_000))
        match self._draw.randrange(8):
            case 0:
                return Trouble(after_bytes=after_bytes)
            case 1:
                return Trouble(after_bytes=after_bytes, error=OriginUnreachable("fetch", "connection reset"))
            case 2:
                return Trouble(after_bytes=0, error=OriginDenied("fetch", "403"))
            case 3:
                return Trouble(after_bytes=0, error=OriginMissing("fetch", "404"))
            case 4:
                return Trouble(ignores_range=True)
            case 5:
                return Trouble(after_bytes=after_bytes, error=ValueError("a bug"))
            case 6:
                return Trouble(ignores_range=True, tells_size=False)
            case _:
                return Trouble(after_bytes=after_bytes, error=OriginFault("fetch", "truncated"))


class Client:
    """One client that looks up, reads and asks for metadata at random, and checks what it gets."""

    def __init__(self, one: Service, files: dict[str, dict[str, bytes]], draw: random.Random) -> None:
        self._one = one
        self._files = files
        self._draw = draw
        self.served_bytes = 0
        self.errors: list[WheelfsError] = []

    async def work(self, calls: int) -> None:
        for _ in range(calls):
            project = self._draw.choice(sorted(self._files))
            filename = self._draw.choice(sorted(self._files[project]))
            try:
                with trio.fail_after(CALL_BOUND_S):
                    await self._call(project, filename)
            except WheelfsError as error:
                self.errors.append(error)
            await trio.sleep(self._draw.choice((0, 0, 0.01)))

    async def _call(self, project: str, filename: str) -> None:
        what = self._draw.randrange(10)
        if what == 0:
            page = await self._one.read(f"simple/{project}/index.html")
            assert all(name.encode() in page for name in self._files[project])
        elif what == 1:
            await self._one.lookup("simple/there-is-none")
        elif what == 2 and filename.endswith(".whl"):
            text = await self._one.read(f"simple/{project}/{filename}.metadata")
            assert f"Name: {project}".encode() in text
        elif what == 3:
            with trio.move_on_after(self._draw.random() * 0.02):  # interrupted
                await self._read(project, filename)
        else:
            await self._read(project, filename)

    async def _read(self, project: str, filename: str) -> None:
        truth = self._files[project][filename]
        file = await self._one.open(f"simple/{project}/{filename}")
        try:
            for _ in range(self._draw.randrange(1, 12)):
                offset = self._draw.choice((0, max(0, len(truth) - 30_000), self._draw.randrange(len(truth))))
                size = self._draw.choice((22, 4_096, 131_072, len(truth)))
                data = bytes(await file.read(offset, size))
                assert data == truth[offset : offset + len(data)], f"{filename} at {offset}"
                assert data, f"{filename} at {offset}: an empty read is not the end"
                self.served_bytes += len(data)
        finally:
            file.close()


def spool_descriptors() -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += "/spool/" in str(entry.readlink())
        except FileNotFoundError:
            continue
    return found


async def settle(one: Service) -> None:
    """Wait until no content is being worked on."""
    await until(lambda: not any(download.is_busy for download in one.node.downloads._downloads.values()))


def check_sealed(one: Service, files: dict[str, dict[str, bytes]]) -> int:
    sealed = 0
    for project, named in files.items():
        for name in one.store.catalog.stored_names(project):
            content = named[name.filename]
            assert name.sha256 == hashlib.sha256(content).digest()
            stored = one.store.open_sealed(name.sha256)
            assert stored.read(0, stored.size) == content
            sealed += 1
    return sealed


async def clients_at_work(
    one: Service, files: dict[str, dict[str, bytes]], draw: random.Random, *, clients: int, calls: int
) -> Sequence[Client]:
    made = [Client(one, files, random.Random(draw.random())) for _ in range(clients)]
    async with trio.open_nursery() as nursery:
        for client in made:
            nursery.start_soon(client.work, calls)
    return made


async def read_in_the_end(one: Service, path: str) -> bytes:
    """Return the bytes of a file whose origin works.

    The bounds of `simulate_bad_weather` are short, and of the real clock: on a busy machine they may pass although the origin
    answers, and its host then counts as down for a while.  What has come is kept, so that this ends.
    """
    with trio.fail_after(CALL_BOUND_S):
        while True:
            try:
                return await one.read(path)
            except (OriginTimeout, OriginUnreachable):
                await trio.sleep(0.05)


async def simulate_bad_weather(path: Path, seed: int, *, clients: int, calls: int, delta: bool = False) -> None:
    draw = random.Random(seed)
    files = relatives(seed) if delta else house(seed)
    origins = origins_with(files, draw)
    weathers = []
    for origin in origins:
        origin.fate = weather = Weather(random.Random(draw.random()))
        weathers.append(weather)
        origin.page_troubles = deque(
            draw.choice((OriginFault("look up", "500"), OriginUnreachable("look up", "refused"), KeyError("a bug")))
            for _ in range(draw.randrange(3))
        )
        origin.etags = draw.random() < 0.7
    # A look-up that fails is not repeated for a second, and as long as that one is down: all calls may be over by then.
    no_pages = any(origin.page_troubles for origin in origins)
    strict = draw.random() < 0.3
    ttl_s = draw.choice((0.0, 600.0))
    in_parts: Delta = "always" if delta else "auto"
    async with service(path, origins, open_s=0.2, lookup_s=0.2, ttl_s=ttl_s, strict=strict, delta=in_parts) as one:
        worked = await clients_at_work(one, files, draw, clients=clients, calls=calls)
        for weather in weathers:
            weather.is_bad = False
        for origin in origins:
            origin.page_troubles.clear()
        await settle(one)  # stalls that began before end later
        for url in ("https://files.first.example", "https://files.second.example", *(origin.url for origin in origins)):
            await until(lambda: one.node.hosts.may_ask(url))  # noqa: B023
        await trio.sleep(PROJECT_LIMITS.failed_ttl_s)
        await settle(one)
        for project, named in files.items():
            for filename, content in named.items():
                assert await read_in_the_end(one, f"simple/{project}/{filename}") == content
        await settle(one)
        check_sealed(one, files)
    # In the worst weather no file comes whole while it lasts, and a strict service serves no other.
    assert no_pages or strict or sum(client.served_bytes for client in worked) > 0
    assert spool_descriptors() == 0
    assert all(origin.open_answers == 0 for origin in origins)
    unexpected = [error for client in worked for error in client.errors if not isinstance(error, OriginError)]
    assert {type(error).__name__ for error in unexpected} <= {"InternalError"}


async def simulate_fair_weather(path: Path, seed: int, *, clients: int, calls: int) -> None:
    draw = random.Random(seed)
    files = house(seed)
    origins = origins_with(files, draw)
    async with service(path, origins) as one:
        worked = await clients_at_work(one, files, draw, clients=clients, calls=calls)
        await settle(one)
        check_sealed(one, files)
    assert [error for client in worked for error in client.errors] == []
    for origin in origins:
        for filename, content in origin.files.items():
            assert origin.sent_bytes[filename] <= len(content) + SLACK_BYTES, filename
        assert origin.requests["page"] <= len(PROJECTS) + 1
    assert spool_descriptors() == 0


@pytest.mark.parametrize("seed", range(4))
async def test_clients_in_bad_weather_get_true_bytes_or_errors(tmp_path: Path, seed: int) -> None:
    await simulate_bad_weather(tmp_path / "store", seed, clients=8, calls=6)


@pytest.mark.parametrize("seed", range(200, 204))
async def test_clients_in_bad_weather_never_see_what_is_only_assumed(tmp_path: Path, seed: int) -> None:
    await simulate_bad_weather(tmp_path / "store", seed, clients=8, calls=6, delta=True)


@pytest.mark.parametrize("seed", range(4))
async def test_clients_in_fair_weather_meet_no_error_and_no_byte_is_wasted(tmp_path: Path, seed: int) -> None:
    await simulate_fair_weather(tmp_path / "store", seed, clients=16, calls=8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(300, 360))
async def test_many_clients_in_long_bad_weather_never_see_what_is_only_assumed(tmp_path: Path, seed: int) -> None:
    await simulate_bad_weather(tmp_path / "store", seed, clients=24, calls=20, delta=True)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 140))
async def test_many_clients_in_long_bad_weather_get_true_bytes_or_errors(tmp_path: Path, seed: int) -> None:
    await simulate_bad_weather(tmp_path / "store", seed, clients=24, calls=20)
