"""Every habit: what pip and uv do straight from an index is what they do through wheelfs.

The quick ones are part of every run; all of them run with ``-m world``.  Two habits run at once, whatever pytest does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.world.all_habits import HABITS
from tests.world.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.habits import Habit

JOBS = 2


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Every selected habit, on its way."""
    names = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item, "callspec")
        if not item.get_closest_marker("skip")
    }
    chosen = [habit for habit in HABITS if habit.name in names]
    with Running(chosen, tmp_path_factory.mktemp("world"), jobs=JOBS) as it:
        yield it


@pytest.mark.parametrize("habit", [pytest.param(one, id=one.name, marks=pytest.mark.world(quick=one.quick)) for one in HABITS])
def test_wheelfs_does_what_straight_does(habit: Habit, running: Running) -> None:
    report = running.report(habit)
    assert not report.oracle, "straight is not what the habit says of it:\n" + "\n".join(report.oracle)
    assert not report.worse, f"{habit.because} ({habit.reported}):\n" + "\n".join(report.worse)
