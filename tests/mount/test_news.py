"""What the kernel was told once and is no longer true: it hears of it, instead of believing it for a day."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex


@pytest.mark.parametrize("view", ["", "here", "index/main"])
def test_a_file_that_its_index_replaced_under_its_name_is_the_new_one(
    fake_index: FakeIndex, mounted: MountWheelfs, view: str
) -> None:
    name, before = fake_index.add_wheel("demo", "1.0")
    project = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "0"}).path / view / "simple" / "demo"
    assert (project / name).read_bytes() == before
    after = build_wheel("demo", "1.0", big_bytes=5_000)
    fake_index.add(name, after, project="demo")
    (project / "index.html").read_bytes()
    eventually(lambda: (project / name).stat().st_size == len(after))
    assert (project / name).read_bytes() == after


def test_also_while_a_program_reads_the_old_one(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    # The kernel keeps the name of an open file when it drops its directory, and takes both back when the directory is looked up.
    name, before = fake_index.add_wheel("demo", "1.0")
    project = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "0"}).path / "simple" / "demo"
    with (project / name).open("rb") as reader:
        assert reader.read() == before
        after = build_wheel("demo", "1.0", big_bytes=5_000)
        fake_index.add(name, after, project="demo")
        eventually(lambda: hashlib.sha256(after).hexdigest().encode() in (project / "index.html").read_bytes())
        eventually(lambda: (project / name).read_bytes() == after, deadline_s=20.0)
        assert os.pread(reader.fileno(), len(before), 0) == before


def test_a_file_that_its_index_dropped_is_gone(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("demo", "1.0")
    name, _ = fake_index.add_wheel("demo", "2.0")
    project = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "0"}).path / "simple" / "demo"
    assert (project / name).stat().st_size
    fake_index.remove(name)
    (project / "index.html").read_bytes()
    eventually(lambda: not (project / name).exists())
