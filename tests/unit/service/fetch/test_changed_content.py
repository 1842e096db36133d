"""Files that turn out to be others than before: no reader gets half of each, and what no index vouches for is not stored."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import Service, rest_of, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import ContentChanged, ContentMismatch, WheelfsError
from wheelfs.service.fetch.facts import FileFacts

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.service.file_refs import FileRef

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
WHEEL = build_wheel("demo", "1.0", big_bytes=3_000_000)
OTHER = build_wheel("demo", "1.0", big_bytes=3_000_000, big_seed="other")


def origin_with(*, hashed: bool = True, sized: bool = True) -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=hashed, sized=sized)
    return origin


async def until_stored(one: Service) -> None:
    await until(lambda: any(name.filename == NAME for name in one.store.catalog.stored_names("demo")))


async def test_an_answer_that_began_before_the_file_changed_brings_nothing_into_the_new_one(tmp_path: Path) -> None:
    origin = origin_with(hashed=False)
    async with service(tmp_path / "s", [origin], open_s=1.0) as one:
        file = await one.open(PATH)
        origin.pause = held = trio.Event()
        async with trio.open_nursery() as nursery:

            async def reader() -> None:
                with suppress(ContentChanged):
                    await file.read(0, 1_000_000)

            nursery.start_soon(reader)  # its stream has begun with the old file, and is held in the middle
            await trio.testing.wait_all_tasks_blocked()
            origin.pause = None
            origin.files[NAME] = OTHER
            with suppress(ContentChanged):
                await file.read(2_500_000, 1000)  # a stream beside it notices
            held.set()
        file.close()
        assert await one.read(PATH) == OTHER
        await until_stored(one)
        assert await one.read(PATH) == OTHER


async def test_bytes_of_two_versions_are_never_mixed_where_no_hash_tells(tmp_path: Path) -> None:
    origin = origin_with(hashed=False)
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)  # the tail of the first version is here
        origin.files[NAME] = OTHER
        try:
            found = await rest_of(file)
        except ContentChanged:
            found = OTHER
        assert found == OTHER
        file.close()
        await until_stored(one)
        assert await one.read(PATH) == OTHER


async def test_a_reader_of_the_old_version_is_told_and_does_not_get_half_of_the_new_one(tmp_path: Path) -> None:
    origin = origin_with(hashed=False)
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        assert await file.read(len(WHEEL) - 100, 100) == WHEEL[-100:]
        origin.files[NAME] = OTHER
        with pytest.raises(ContentChanged):
            await rest_of(file)
        file.close()


async def test_a_file_that_grew_is_fetched_at_its_new_size(tmp_path: Path) -> None:
    origin = origin_with(hashed=False, sized=False)
    async with service(tmp_path / "s", [origin]) as one:
        (await one.open(PATH)).close()
    origin.files[NAME] = longer = build_wheel("demo", "1.0", big_bytes=3_500_000)
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        try:
            found = await rest_of(file)
        except ContentChanged:
            found = longer
        file.close()
        await until_stored(one)
        assert found == await one.read(PATH) == longer


async def test_wrong_bytes_are_fetched_once_more_and_metadata_of_them_is_forgotten(tmp_path: Path) -> None:
    origin = origin_with()
    wrong = build_wheel("demo", "1.0", big_bytes=3_000_000, big_seed="wrong", requires=["evil"])[: len(WHEEL)]
    wrong += b"\0" * (len(WHEEL) - len(wrong))
    origin.troubles.extend([None, Trouble(content=wrong)])
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        with suppress(ContentChanged):  # it may have been given some of the wrong ones, or all, before anybody could know
            await rest_of(file)
        file.close()
        await until_stored(one)
        assert await one.read(PATH) == WHEEL
        assert b"evil" not in await one.read(f"{PATH}.metadata")


async def test_bytes_that_are_wrong_twice_are_quarantined_and_not_fetched_at_every_try(
    tmp_path: Path,
) -> None:
    origin = origin_with()
    origin.files[NAME] = WHEEL[:-5] + b"wrong"
    async with service(tmp_path / "s", [origin], strict=True) as one:
        for _ in range(5):
            with pytest.raises(ContentMismatch):
                await one.read(PATH)
    assert origin.requests["range"] <= 4


async def test_who_reads_on_in_a_file_that_was_quarantined_does_not_prolong_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = origin_with()
    origin.files[NAME] = WHEEL[:1_000_000] + b"wrong" + WHEEL[1_000_005:]
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        error: WheelfsError | None = None
        while not isinstance(error, ContentMismatch):  # a reader may learn of the change before the second try ends
            with pytest.raises((ContentMismatch, ContentChanged)) as raised:
                await rest_of(file)
            error = raised.value
        for _ in range(3):
            with pytest.raises(ContentMismatch):
                await rest_of(file)
        file.close()
    assert caplog.text.count("it is quarantined") == 1


async def test_what_is_read_while_a_file_is_quarantined_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = origin_with()
    origin.files[NAME] = WHEEL[:1_000_000] + b"wrong" + WHEEL[1_000_005:]
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        quarantine, done = FileFacts.quarantine, trio.Event()

        async def read_meanwhile(facts: FileFacts, ref: FileRef, error: ContentMismatch) -> None:
            with suppress(ContentChanged):
                await file.read(0, 1000)
            await quarantine(facts, ref, error)
            done.set()

        monkeypatch.setattr(FileFacts, "quarantine", read_meanwhile)
        with pytest.raises((ContentMismatch, ContentChanged)):
            await rest_of(file)
        await done.wait()
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            with pytest.raises(ContentMismatch):
                await file.read(0, 1000)
        file.close()
