"""The kit notices mounts that do not come up, and finds and clears those that are left."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.mounts import mount_points, unmount_lazily

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs


def test_a_command_that_ends_instead_of_mounting_fails_with_its_log(mounted: MountWheelfs) -> None:
    with pytest.raises(AssertionError, match="No such option"):
        mounted("--no-such-option")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a tmpfs")
def test_mounts_are_found_whatever_their_names_and_cleared_while_in_use(tmp_path: Path) -> None:
    odd = tmp_path / "a b\\c ü"
    inner = odd / "inner"
    for path in (odd, inner):
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    try:
        assert mount_points(tmp_path) == [inner, odd]
        with (inner / "open").open("wb"):
            for path in mount_points(tmp_path):
                unmount_lazily(path)
            assert mount_points(tmp_path) == []
    finally:
        for path in mount_points(tmp_path):
            unmount_lazily(path)
