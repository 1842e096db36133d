"""A name that a share does not have is forgotten when that is certain, and asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.origins import MemoryShare
from tests.fakes.services import service
from wheelfs.model.share_catalog import file_key
from wheelfs.model.shared import SharedFile
from wheelfs.service.fetch.share_losses import AGAIN_S, FORGOTTEN_S, LOOK_S, Suspicion, missing_again

if TYPE_CHECKING:
    from pathlib import Path

    import trio.testing

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
