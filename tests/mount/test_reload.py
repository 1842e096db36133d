"""SIGHUP: a mount takes over what it can of its files, keeps the rest, and ends with its terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import objects
from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.processes import Finished


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "mnt"
    yield point
    for left in mount_points(point):
        unmount_lazily(left)


def test_a_daemon_reads_its_file_again(run_wheelfs: RunWheelfs, store_dir: Path, point: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("no-index = true\n")

    def wheelfs(*words: str) -> Finished:
        return run_wheelfs("--config", str(file), "--store", str(store_dir), *words, env={"WHEELFS_QUOTA": "1GB"}).succeeded()

    [mounted] = objects(wheelfs("mount", str(point), "--json"))

    def status() -> dict[str, Any]:
        [status] = objects(wheelfs("status", "--json"))
        return status

    def log() -> str:
        # Without the file, which is broken at times.
        return run_wheelfs("--store", str(store_dir), "log", "-n", "1000", str(point)).succeeded().stdout

    assert not status()["mounts"][0]["offline"]
    file.write_text('no-index = true\nverify = "strict"\n[offline]\nalways = true\n[cache]\nquota = "2GB"\n')
    os.kill(mounted["pid"], signal.SIGHUP)
    eventually(lambda: status()["mounts"][0]["offline"])
    eventually(lambda: "SIGHUP: taken over: offline.always; needs a restart: verify" in log())
    file.write_text("no-index = true\n[offline]\nalways = maybe\n")
    os.kill(mounted["pid"], signal.SIGHUP)
    eventually(lambda: "SIGHUP: the configuration could not be taken over, and stays as it was" in log())
    file.write_text("no-index = true\n")
    os.kill(mounted["pid"], signal.SIGHUP)
    eventually(lambda: not status()["mounts"][0]["offline"])
    wheelfs("umount", str(point))


def test_a_mount_ends_with_the_terminal_that_it_was_started_from(store_dir: Path, point: Path, tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    command = wheelfs_command("--store", str(store_dir), "mount", "-f", str(point), "--no-index", "--offline")

    def take_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        command,
        env=wheelfs_environment(tmp_path / "home"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as process:
        os.close(terminal)
        eventually(lambda: point.is_mount())
        os.kill(process.pid, signal.SIGHUP)
        said = b""
        while b"SIGHUP: taken over: nothing" not in said:
            said += os.read(ours, 65536)
        assert point.is_mount()
        os.close(ours)
        process.wait(60)  # 120: what it says last cannot be written any more
    assert not point.is_mount()
