"""A mount whose process is stopped answers nothing: no command of ours waits for it, and unmounting works."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.mounts import mount_points
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.mounts import Mounted

BOUND_S = 60.0


@pytest.fixture
def frozen(tools: bytes, mounted: MountWheelfs) -> Iterator[Mounted]:
    mount = mounted("--offline")
    eventually(lambda: "mounted at" in mount.log)  # it has looked at the mount itself, which holds it for that long
    mount.process.send_signal(signal.SIGSTOP)
    yield mount
    mount.process.send_signal(signal.SIGCONT)


def test_no_path_on_a_frozen_mount_holds_a_command_up(
    frozen: Mounted, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    mount = frozen.path
    (tmp_path / "link").symlink_to(mount)
    store = ("--store", str(store_dir))
    for words in (
        (*store, "add", str(mount / "x.whl")),
        (*store, "add", str(tmp_path / "fine"), str(mount)),
        (*store, "add", "--pip-cache", str(mount)),
        (*store, "fetch", "-r", str(mount / "requirements.txt")),
        (*store, "export", str(mount / "export")),
        (*store, "mount", str(mount)),
        (*store, "mount", str(tmp_path / "link")),
        (*store, "mount", str(mount / "below")),
        ("--store", str(mount / "store"), "ls"),
        ("--config", str(mount / "wheelfs.toml"), "ls"),
        ("umount", str(mount / "below")),
    ):
        done = run_wheelfs("--json", *words, timeout_s=BOUND_S)
        assert (words, done.returncode) == (words, 6)
        assert f"kill -CONT {frozen.process.pid}" in error_of(done)["message"]
    run_wheelfs(*store, "ls", timeout_s=BOUND_S).succeeded()
    run_wheelfs(*store, "status", timeout_s=BOUND_S).succeeded()
    run_wheelfs("config", "pip", "--mount", str(mount), timeout_s=BOUND_S).succeeded()


@pytest.mark.parametrize("words", [("umount",), ("umount", "--lazy")])
def test_a_frozen_mount_is_unmounted(frozen: Mounted, run_wheelfs: RunWheelfs, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(frozen.path)
    done = run_wheelfs(*words, str(tmp_path / "link"), timeout_s=BOUND_S).succeeded()
    assert f"`kill -CONT {frozen.process.pid}` lets it end" in done.stderr
    assert mount_points(frozen.path) == []
    frozen.process.send_signal(signal.SIGCONT)
    assert frozen.process.wait(BOUND_S) == 0


def test_a_frozen_mount_in_use_is_detached_when_asked_to(frozen: Mounted, run_wheelfs: RunWheelfs) -> None:
    frozen.process.send_signal(signal.SIGCONT)
    descriptor = os.open(frozen.path, os.O_RDONLY)
    try:
        frozen.process.send_signal(signal.SIGSTOP)
        refused = run_wheelfs("umount", str(frozen.path), timeout_s=BOUND_S)
        assert (refused.returncode, f"({os.getpid()})" in refused.stderr) == (6, True), refused
        [done] = objects(run_wheelfs("umount", "--lazy", "--json", str(frozen.path), timeout_s=BOUND_S).succeeded())
        assert (done["ended"], done["left"]) == (False, [frozen.process.pid])
        assert mount_points(frozen.path) == []
    finally:
        os.close(descriptor)
