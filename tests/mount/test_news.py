"""What the kernel was told once and is no longer true: it hears of it, instead of believing it for a day."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.service.process.control_client import let_mounts_look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
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


WORKS_IN_IT = """
import os, sys
os.chdir(sys.argv[1])
print("there", flush=True)
sys.stdin.readline()
print(os.getcwd(), flush=True)
"""


def test_a_program_that_works_in_a_project_keeps_its_directory_when_a_file_comes(
    tools: bytes, mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    mount = mounted("--offline")
    project = mount.path.resolve() / "simple" / "tools"
    (tmp_path / (name := wheel_filename("tools", "1.1"))).write_bytes(build_wheel("tools", "1.1"))
    program = [sys.executable, "-c", WORKS_IN_IT, str(project)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as working:
        assert working.stdout is not None
        assert working.stdout.readline() == "there\n"
        run_wheelfs("--store", str(store_dir), "add", str(tmp_path / name)).succeeded()
        let_mounts_look(store_dir / "run")
        said, _ = working.communicate("\n", timeout=60)  # before anything else looks the directory up, which would mend it
        assert said == f"{project}\n"
    assert name in os.listdir(project)
    assert (project / name).exists()
