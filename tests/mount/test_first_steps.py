"""``wheelfs`` alone, beside a mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.cli.client_lines import mount_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs


def test_wheelfs_alone_prints_the_lines_of_the_mount_that_runs(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    mount = mounted("--offline")
    shown = run_wheelfs("--store", str(store_dir))
    assert (shown.returncode, shown.stdout) == (2, "")
    lines = shown.stderr.splitlines()
    assert lines[0] == f"mounted at {mount.path}"
    assert any(line.strip().startswith(mount_lines(mount.path)["pip"]) for line in lines)
