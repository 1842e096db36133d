"""A mount asks its indexes once in the background, so that a wrong address or password shows before the first install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs


def test_an_index_that_does_not_answer_shows_in_log_and_status_and_nothing_else_comes_of_it(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    with FakeIndex() as away, FakeIndex(credentials=("me", "hunter2")) as closed, FakeIndex() as good:
        name, content = away.add_wheel("demo", "1.0")
        away.stop()
        options = [f"--index={name}={index.url}" for name, index in (("away", away), ("closed", closed), ("good", good))]
        mount = mounted(*options)

        def origins() -> dict[str, Any]:
            [status] = objects(run_wheelfs("--store", str(store_dir), "status", "--json").succeeded())
            return {origin["name"]: origin for origin in status["origins"]}

        eventually(lambda: mount.log.count("gave no good answer when the mount began") == 2)
        eventually(lambda: origins()["good"]["state"] == "up")
        told = origins()
        assert "401" in told["closed"]["last_error"]
        assert told["away"]["last_error"]
        assert (told["good"]["last_error"], told["away"]["state"]) == (None, "unknown")
        assert f"index   away  {away.url}  unknown: " in run_wheelfs("--store", str(store_dir), "status").stdout
        # It is asked for the first project as if nothing had been, not when a pause is over.
        away.start()
        assert (mount.path / "index" / "away" / "simple" / "demo" / name).read_bytes() == content
        assert origins()["away"]["last_error"] is None


def test_a_mount_that_is_offline_asks_nothing(mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path) -> None:
    with FakeIndex() as index:
        mounted("--offline", index=index.url)
        [status] = objects(run_wheelfs("--store", str(store_dir), "status", "--json").succeeded())
        assert (index.requests, status["counters"]["requests"]) == ([], 0)
