"""What tests of several commands begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished


@pytest.fixture
def tools(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> bytes:
    """A store with the one wheel tools 1.0 in it; its content."""
    content = build_wheel("tools", "1.0", big_bytes=500_000)
    path = tmp_path / wheel_filename("tools", "1.0")
    path.write_bytes(content)
    run_wheelfs("--store", str(store_dir), "add", str(path)).succeeded()
    return content


@pytest.fixture
def fetch(run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path) -> Callable[..., Finished]:
    def fetch(*words: str, **settings: Any) -> Finished:
        return run_wheelfs("--store", str(store_dir), "fetch", "--index", f"main={fake_index.url}", *words, **settings)

    return fetch


@pytest.fixture
def command(run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path) -> Callable[..., Finished]:
    """Run a command on the store, whose index is the fake one; ``settings`` are further variables."""

    def command(*words: str, **settings: str) -> Finished:
        environment = {"WHEELFS_INDEX": f"main={fake_index.url}", **settings}
        return run_wheelfs("--store", str(store_dir), *words, env=environment)

    return command
