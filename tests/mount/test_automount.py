"""An automount (systemd's ``x-systemd.automount``, autofs): the first access mounts, and the first after an unmount, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.automount import Automount
from tests.fakes.processes import isolated_environment, run, wheelfs_command
from tests.fakes.wheels import wheel_filename
from wheelfs.frontends.fuse.kernel.connections import servers_of
from wheelfs.frontends.fuse.kernel.mountinfo import mount_at

if TYPE_CHECKING:
    from tests.conftest import RunWheelfs

NAME = wheel_filename("tools", "1.0")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or "autofs" not in Path("/proc/filesystems").read_text().split(),
    reason="needs root, and autofs in the kernel",
)


def test_an_automount_mounts_at_the_first_access_and_again_after_an_unmount(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mnt"
    place.mkdir()
    command = wheelfs_command("none", str(place), "-o", f"x-systemd.automount,offline,store={store_dir},log-file={tmp_path}/log")
    with Automount(place, command, tmp_path / "home") as automount:
        for _ in range(2):
            listed = run(["ls", str(place)], environment=isolated_environment(tmp_path / "home"))
            assert automount.answer() == "mounted"
            assert NAME in listed.succeeded().stdout
            assert (place / NAME).read_bytes() == tools
            mounted = mount_at(str(place))
            assert mounted is not None
            assert mounted.is_wheelfs
            [daemon] = servers_of(mounted.minor)
            assert os.getsid(daemon) == daemon, "it outlives the group of what mounted it"
            run_wheelfs("umount", str(place)).succeeded()
            mounted = mount_at(str(place))
            assert mounted is not None
            assert mounted.fstype == "autofs"


def test_a_mount_by_hand_on_an_automount_is_the_one_that_it_triggers(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mnt"
    place.mkdir()
    words = ("none", str(place), "-o", f"offline,store={store_dir},log-file={tmp_path}/log")
    with Automount(place, wheelfs_command(*words), tmp_path / "home") as automount:
        done = run_wheelfs(*words)
        assert automount.answer() == "mounted"
        assert (done.returncode, "in use by" in done.stderr) == (6, True), done
        assert (place / NAME).read_bytes() == tools
