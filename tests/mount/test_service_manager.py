"""A mount and a gateway tell systemd when they answer, and that they live: as units of ``wheelfs service`` ask them to."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from wheelfs.cli.units import mount_unit
from wheelfs.service.process.service_manager import notify, watchdog_s

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs


@pytest.mark.parametrize("words", [("mount", "-f", "MNT", "--no-index"), ("serve", "--listen", "127.0.0.1:0", "--no-index")])
def test_it_says_when_it_answers_and_then_that_it_lives(words: tuple[str, ...], store_dir: Path, tmp_path: Path) -> None:
    mountpoint = tmp_path / "mnt"
    command = wheelfs_command("--store", str(store_dir), *(str(mountpoint) if word == "MNT" else word for word in words))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environment = wheelfs_environment(tmp_path / "home")
        environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                said = [manager.recv(4096)]
                while said[-1] != b"READY=1":
                    said.append(manager.recv(4096))
                assert words[0] != "mount" or mountpoint.is_mount()
                assert manager.recv(4096) == b"WATCHDOG=1"
                assert manager.recv(4096) == b"WATCHDOG=1"
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
                for left in mount_points(mountpoint):
                    unmount_lazily(left)


def test_only_a_process_that_is_watched_says_that_it_lives() -> None:
    assert watchdog_s({}) is None
    assert watchdog_s({"WATCHDOG_USEC": "30000000"}) == 30.0
    assert watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getppid())}) == 30.0
    assert watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1234567"}) is None
    assert watchdog_s({"WATCHDOG_USEC": "soon"}) is None
    notify("READY=1", {"NOTIFY_SOCKET": "/nowhere/at/all"})  # is logged, and ends nothing


def unit_commands(store: Path, mountpoint: Path) -> tuple[list[str], list[str]]:
    """Return what the unit of a mount runs at its start, and after every end."""
    unit = mount_unit(wheelfs_command("--store", str(store)), mountpoint, ["--no-index"], for_user=False)
    says = dict(line.split("=", 1) for line in unit.text.splitlines() if line.startswith("Exec"))
    return shlex.split(says["ExecStart"]), shlex.split(says["ExecStopPost"].removeprefix("-"))


def test_a_unit_that_is_started_beside_a_mount_made_by_hand_leaves_that_in_its_place(
    mounted: MountWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    by_hand = mounted("--no-index")
    environment = wheelfs_environment(tmp_path / "home")
    refusals = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        for command in unit_commands(store_dir, by_hand.path)  # the second also after a start that failed, systemd.service(5)
    ]
    assert ["in use by wheelfs" in refusals[0].stderr, "is alive" in refusals[1].stderr] == [True, True]
    assert mount_points(by_hand.path) == [by_hand.path]
    assert by_hand.status()["mounts"][0]["path"] == str(by_hand.path)


def test_what_a_unit_runs_when_its_processes_were_killed_takes_the_dead_mount_away(store_dir: Path, tmp_path: Path) -> None:
    mountpoint = tmp_path / "mnt"
    start, clear = unit_commands(store_dir, mountpoint)
    environment = wheelfs_environment(tmp_path / "home")
    process = subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: process.poll() is not None or mountpoint.is_mount())
        # As a service manager does when it has waited long enough: all of them, fusermount3 too, which would have cleared it.
        below = [
            child for task in Path(f"/proc/{process.pid}/task").iterdir() for child in (task / "children").read_text().split()
        ]
        for pid in (*map(int, below), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(60)
        assert mount_points(mountpoint) == [mountpoint]
        for _ in range(2):  # it is run after every end, also where there is nothing to clear
            subprocess.run(clear, env=environment, capture_output=True, check=False, timeout=60)
            assert mount_points(mountpoint) == []
        assert list(mountpoint.iterdir()) == []
    finally:
        process.kill()
        for left in mount_points(mountpoint):
            unmount_lazily(left)
