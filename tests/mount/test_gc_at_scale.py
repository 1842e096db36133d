"""Housekeeping of a very large store takes no more memory than that of a small one, and its mount goes on answering."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.fakes.many_chunks import fill
from tests.fakes.memory import Taken, most_taken_by
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from wheelfs.store.store import Store

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
def test_collecting_two_million_chunks_takes_hardly_more_memory_than_collecting_a_few() -> None:
    # In memory: the index is written in random order, which would take a disk several times as long.
    with tempfile.TemporaryDirectory(dir="/dev/shm", ignore_cleanup_errors=True) as directory:
        few, _ = collected(Path(directory) / "few", 20_000)
        many, done = collected(Path(directory) / "many", 2_000_000)
    assert done["blocks"] > 1_100
    # As objects in memory, a tenth of the entries would be more.
    assert many.anonymous < few.anonymous + 48 * MIB
    # The index, its members and the recipes, all of which are gone through, have 400 MB.
    assert many.resident < few.resident + 160 * MIB
