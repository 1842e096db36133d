"""``wheelfs log``: what a mount has logged, from now on with -f, also when it has ended."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.mounts import Mounted, mount_points, unmount_lazily
from tests.fakes.processes import wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunWheelfs


@pytest.fixture
def mount(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> Iterator[Path]:
    """A mount whose daemon logs to its own file."""
    path = tmp_path / "mnt"
    run_wheelfs("--store", str(store_dir), "mount", str(path), "--offline", "--no-index").succeeded()
    yield path
    for left in mount_points(path):
        unmount_lazily(left)


def test_the_log_of_the_running_mount_and_of_one_that_has_ended(
    mount: Path, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    store = ("--store", str(store_dir))
    running = run_wheelfs(*store, "log").succeeded().stdout
    assert f"serving {mount}" in running or str(mount) in running
    [last] = objects(run_wheelfs(*store, "log", "-n", "1", "--json", str(mount)).succeeded())
    assert running.splitlines()[-1] == last["line"]
    run_wheelfs("umount", str(mount)).succeeded()
    assert running.splitlines()[0] in run_wheelfs(*store, "log", str(mount)).succeeded().stdout
    nothing = error_of(run_wheelfs(*store, "log", "--json"))
    assert (nothing["class"], "nothing is mounted" in nothing["message"]) == ("NotKnown", True)
    assert error_of(run_wheelfs(*store, "log", "--json", str(tmp_path / "other")))["class"] == "NotKnown"


def test_the_log_of_an_earlier_mount_is_not_shown_for_one_that_logs_elsewhere(
    mount: Path, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    store = ("--store", str(store_dir))
    run_wheelfs("umount", str(mount)).succeeded()
    foreground = Mounted(mount, store_dir, ["--offline", "--no-index"], tmp_path / "home", {}).start()
    try:
        for words in ((), (str(mount),)):
            error = error_of(run_wheelfs(*store, "log", "--json", *words))
            assert (error["class"], f"journalctl _PID={foreground.process.pid}" in error["message"]) == ("NotKnown", True)
    finally:
        foreground.stop()
    own = tmp_path / "own.log"
    run_wheelfs(*store, "mount", str(mount), "--offline", "--no-index", "--log-file", str(own)).succeeded()
    [last] = objects(run_wheelfs(*store, "log", "-n", "1", "--json").succeeded())
    assert last["log"] == str(own)


def test_following_shows_what_comes_until_ctrl_c(mount: Path, store_dir: Path, tmp_path: Path) -> None:
    command = wheelfs_command("--store", str(store_dir), "log", "-f", "-n", "1")
    with subprocess.Popen(command, env=wheelfs_environment(tmp_path / "home"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        # A mount says so when it ends.
        subprocess.run(wheelfs_command("umount", str(mount)), env=wheelfs_environment(tmp_path / "home"), check=True)
        assert "WARNING" in (line := process.stdout.readline()) or "INFO" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (-signal.SIGINT, 130)
