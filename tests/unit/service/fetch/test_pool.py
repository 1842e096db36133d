"""One download for each file, as long as it is of use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.fakes.origins import MemoryOrigin, MemoryShare, Trouble
from tests.fakes.services import Service, rest_of, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import ContentMismatch, OriginFault
from wheelfs.model.names import ProjectName
from wheelfs.service.fetch.limits import FetchLimits
from wheelfs.service.file_refs import FileRef
from wheelfs.service.limits import ServiceLimits

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)
DIGEST = hashlib.sha256(WHEEL).digest()


def origin_with(content: bytes = WHEEL) -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", NAME, content)
    return origin


def ref_of(origin: MemoryOrigin) -> FileRef:
    return FileRef(ProjectName("demo"), origin.name, origin.pages["demo"].files[0])


async def until_stored(one: Service) -> None:
    await until(lambda: any(name.filename == NAME for name in one.store.catalog.stored_names("demo")) and not descriptors())


def descriptors() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if "spool" in target:
            found.add(target)
    return found


async def test_all_users_of_a_file_share_one_download_and_it_is_idle_when_the_last_has_gone(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        pool = one.node.downloads
        assert pool.present_bytes(ref_of(origin)) is None
        with pool.using(ref_of(origin)) as first, pool.using(ref_of(origin)) as second:
            assert first is second
            await first.ensure_tail()
            assert not pool.is_idle
        await until(lambda: pool.is_idle)
        assert 0 < (pool.present_bytes(ref_of(origin)) or 0) < len(WHEEL)
        with pool.using(ref_of(origin)) as third:
            assert third is first, "it knows the tail"
    async with service(tmp_path / "s", [origin]) as one:
        assert 0 < (one.node.downloads.present_bytes(ref_of(origin)) or 0) < len(WHEEL), "also after a restart"


async def test_a_share_that_was_mended_is_asked_again_by_those_who_open_the_file_later(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    origin, share = origin_with(), MemoryShare("lab")
    share.add(WHEEL)
    broken = Trouble(after_bytes=0, error=OriginFault("ask", "a chunk in it does not have its digest"))
    share.origin.troubles.append(broken)
    origin.fate = lambda: broken
    async with service(tmp_path / "s", [origin], shares=[share]) as one:
        pool = one.node.downloads
        for _ in range(2):
            with pool.using(ref_of(origin)) as download, pytest.raises(OriginFault):
                await download.ensure_tail()
            assert share.origin.requests["range"] == 1, "not again so soon"
        mock_clock.jump(FetchLimits().share_again_s)
        with pool.using(ref_of(origin)) as download:
            await download.ensure_tail()
        assert share.origin.requests["range"] == 2


async def test_a_quarantined_file_gets_no_download(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        await one.node.fetching.facts.quarantine(ref_of(origin), ContentMismatch("fetch demo", "it is another file"))
        with pytest.raises(ContentMismatch, match="quarantined"):
            one.node.downloads.acquire(ref_of(origin))
        assert one.node.downloads.is_idle


@pytest.mark.parametrize("from_share", [False, True])
async def test_a_file_is_in_progress_while_all_of_it_comes_from_its_index(tmp_path: Path, from_share: bool) -> None:
    origin, share = origin_with(), MemoryShare("lab")
    source = share.origin if from_share else origin
    if from_share:
        share.add(WHEEL)
    async with service(tmp_path / "s", [origin], shares=[share]) as one, trio.open_nursery() as nursery:
        pool = one.node.downloads
        file = await one.open(PATH)
        assert pool.in_progress(DIGEST) is None, "only the tail was asked for"
        source.pause, before = trio.Event(), source.requests["range"]
        nursery.start_soon(file.read, 0, 1000)
        await until(lambda: source.requests["range"] > before)
        await trio.testing.wait_all_tasks_blocked()
        found = pool.in_progress(DIGEST)
        told = None if found is None else (found[0].key, found[1])
        assert told == (None if from_share else (ref_of(origin).key, len(WHEEL)))
        source.pause.set()
        source.pause = None
        await until_stored(one)
        assert pool.in_progress(DIGEST) is None
        file.close()


async def test_contents_that_are_forgotten_while_others_are_fetched_leave_no_descriptor(
    tmp_path: Path,
) -> None:
    few = ServiceLimits(fetch=FetchLimits(idle_downloads=2))
    origin = MemoryOrigin()
    wheels = {wheel_filename("demo", f"1.{n}"): build_wheel("demo", f"1.{n}", big_bytes=300_000) for n in range(12)}
    for filename, content in wheels.items():
        origin.add("demo", filename, content)
    async with service(tmp_path / "s", [origin], limits=few) as one:
        async with trio.open_nursery() as nursery:

            async def opener(filename: str) -> None:
                with trio.move_on_after(0.03):  # some are interrupted at the worst moment
                    (await one.open(f"simple/demo/{filename}")).close()

            for filename in wheels:
                nursery.start_soon(opener, filename)
        await until(lambda: len(descriptors()) <= 4)
        for filename, content in wheels.items():
            assert await one.read(f"simple/demo/{filename}") == content
    assert descriptors() == set()


async def test_a_content_that_was_removed_from_the_store_is_fetched_again(tmp_path: Path) -> None:
    origin = origin_with()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        await rest_of(file)
        await until_stored(one)
        for name in one.store.catalog.stored_names("demo"):
            one.store.catalog.remove_name(name.key).result()
        assert await one.read(PATH) == WHEEL
        file.close()
