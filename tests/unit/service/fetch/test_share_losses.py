"""A name that a share does not have is forgotten when that is certain, and asked for again."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

import trio.testing

from tests.fakes.origins import MemoryShare
from tests.fakes.services import service
from tests.fakes.waiting import reached
from wheelfs.errors import StoreDamaged, StoreFull
from wheelfs.model.names import ProjectName
from wheelfs.model.share_catalog import file_key
from wheelfs.model.shared import SharedFile
from wheelfs.service.fetch.share_losses import AGAIN_S, FORGOTTEN_S, LOOK_S, Suspicion, missing_again
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.store.catalog.shared_names import SharedNames

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONTENT = b"a wheel"
FILE = SharedFile("demo", "demo-1.0-py3-none-any.whl", "main", b"\7" * 32, len(CONTENT))


def test_a_name_is_forgotten_when_it_is_missing_again_minutes_and_then_hours_later() -> None:
    first = missing_again(None, 0.0)
    assert first == Suspicion(1, AGAIN_S[0])
    assert missing_again(first, AGAIN_S[0] - 1) == first, "many readers in one outage count once"
    second = missing_again(first, AGAIN_S[0])
    assert second == Suspicion(2, AGAIN_S[0] + AGAIN_S[1])
    assert missing_again(second, second.due_s - 1) == second
    assert missing_again(second, second.due_s) is None


async def test_what_is_away_for_an_hour_stays_listed_and_what_is_lost_goes_and_comes_back(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    share = MemoryShare(files=(FILE,))
    async with service(tmp_path, [], shares=[share]) as one:
        names, missing = one.store.shared, one.node.fetching.missing_objects
        await one.node.follower.catch_up()

        async def later(seconds: float) -> None:
            for _ in range(int(seconds / LOOK_S)):
                mock_clock.jump(LOOK_S)
                await missing.look()

        await missing._forget_if_lost(share, file_key(FILE))
        await later(3_600.0)
        assert names.has("lab", file_key(FILE)), "an hour's outage"
        share.origin.files[FILE.sha256.hex()] = CONTENT
        await later(2 * AGAIN_S[1])
        assert not missing._suspected, "it is there again"

        share.origin.files.clear()
        await missing._forget_if_lost(share, file_key(FILE))
        await later(sum(AGAIN_S) + 3 * LOOK_S)
        assert not names.has("lab", file_key(FILE))
        assert names.forgotten("lab", 10) == [FILE]
        share.origin.files[FILE.sha256.hex()] = CONTENT
        await later(FORGOTTEN_S + 2 * LOOK_S)
        assert names.has("lab", file_key(FILE))
        assert not names.forgotten("lab", 10)


def no_room(*_: object) -> Future[None]:
    done: Future[None] = Future()
    done.set_exception(StoreFull("write to the store", "the disk is full"))
    return done


def unreadable(*_: object) -> list[SharedFile]:
    raise StoreDamaged("read the catalog", "a name cannot be read")


async def test_what_cannot_be_kept_of_a_loss_is_logged_and_ends_nothing(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    share = MemoryShare(files=(FILE,))
    async with service(tmp_path, [], shares=[share]) as one, trio.open_nursery() as nursery:
        names, missing = one.store.shared, one.node.fetching.missing_objects
        await one.node.follower.catch_up()
        monkeypatch.setattr(SharedNames, "forget", no_room)
        monkeypatch.setattr(SharedNames, "forgotten", unreadable)
        await missing._forget_if_lost(share, file_key(FILE))
        for again_s in AGAIN_S:
            mock_clock.jump(again_s + 1)
            missing.report(share.name, FileRef(ProjectName(FILE.project), FILE.index, link_of(FILE)))
            await reached(lambda: not missing._suspected or missing._suspected["lab", file_key(FILE)].times == 2)
        await reached(lambda: "the disk is full" in caplog.text)
        assert names.has("lab", file_key(FILE)), "it is listed until it can be noted"
        nursery.start_soon(missing.keep_asking)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(FORGOTTEN_S + LOOK_S)
        await reached(lambda: "a name cannot be read" in caplog.text)
        nursery.cancel_scope.cancel()
