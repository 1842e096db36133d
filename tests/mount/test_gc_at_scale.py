"""Housekeeping of a very large store takes no more memory than that of a small one, and its mount goes on answering."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.many_chunks import fill
from tests.fakes.memory import Taken, most_taken_by
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from wheelfs.store.local import Store

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def collected(directory: Path, chunks: int) -> tuple[Taken, dict[str, int]]:
    """Remove every second file of a store of so many chunks; return the most that ``wheelfs gc`` took, and what it says."""
    with Store.open(directory / "store") as store:
        for name in fill(store, chunks=chunks)[::2]:
            store.catalog.remove_name(name.key).result()
    process = subprocess.Popen(
        wheelfs_command("--store", str(directory / "store"), "--json", "gc"),
        env=wheelfs_environment(directory / "home"),
        stdout=subprocess.PIPE,
        text=True,
    )
    most, printed = most_taken_by(process, timeout_s=1200)
    assert process.returncode == 0
    return most, json.loads(printed)


@pytest.mark.soak
def test_collecting_three_million_chunks_takes_hardly_more_memory_than_collecting_a_few(tmp_path: Path) -> None:
    few, _ = collected(tmp_path / "few", 20_000)
    many, done = collected(tmp_path / "many", 3_000_000)
    assert done["blocks"] > 1_600
    # As objects in memory, a thirtieth of the entries would be more.
    assert many.anonymous < few.anonymous + 16 * MIB
    # The index and the recipes, all of which are gone through, have 400 MB.
    assert many.resident < few.resident + 192 * MIB
