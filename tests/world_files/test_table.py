"""Every row of the table, as pip's report, uv's dry run and ``wheelfs fetch --dry-run`` have it; see `scripts/world-files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.world_files.case import Case, filled, write
from tests.world_files.cases import CASES, QUICK
from tests.world_files.programs import Answer, pip_takes, uv_takes, wheelfs_takes
from tests.world_files.shelf import stock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clients import Clients


@pytest.fixture(scope="module")
def shelf() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        stock(index)
        yield index


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def said_as_expected(case: Case, answer: Answer, directory: Path, index: FakeIndex) -> None:
    """Fail unless wheelfs has taken what the row says, and named what it says cannot be had."""
    assert answer.takes == case.expected("wheelfs"), answer.said
    names = {one["file"]["wanted"] for one in answer.objects if "file" in one and one["file"]["result"] in ("skipped", "failed")}
    assert names >= {filled(name.encode(), directory, index).decode() for name in case.names}, answer.said
    for part in case.says:
        assert part in answer.said


def test_the_rows_say_why_programs_differ() -> None:
    for case in CASES:
        differ = {case.expected("pip"), case.expected("uv")} - {None, case.expected("wheelfs")}
        assert bool(differ) <= bool(case.why), f"{case.name}: it is not said why the programs differ"
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_wheelfs_takes_what_the_table_says(case: Case, shelf: FakeIndex, directory: Path, store_dir: Path) -> None:
    write(case, directory, shelf)
    said_as_expected(case, wheelfs_takes(case, directory, shelf.url, store=store_dir), directory, shelf)


@pytest.mark.world
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_three_take_what_the_table_says(
    case: Case, shelf: FakeIndex, directory: Path, store_dir: Path, clients: Clients
) -> None:
    write(case, directory, shelf)
    said_as_expected(case, wheelfs_takes(case, directory, shelf.url, store=store_dir), directory, shelf)
    python = clients.uv().python
    if case.pip is not None:
        answer = pip_takes(case, directory, shelf.url, python)
        assert answer.takes == case.expected("pip"), answer.said
    if case.uv is not None:
        answer = uv_takes(case, directory, shelf.url, python)
        assert answer.takes == case.expected("uv"), answer.said
