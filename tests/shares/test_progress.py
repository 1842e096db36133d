"""Long work with a share and with the store's garbage is shown on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from typing import TYPE_CHECKING

from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs


def test_push_pull_and_gc_show_how_far_they_are(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    environment = {**wheelfs_environment(tmp_path / "home"), "TERM": "xterm", "COLUMNS": "150"}
    for project in ("one", "two"):
        (tmp_path / wheel_filename(project, "1.0")).write_bytes(build_wheel(project, "1.0"))
    (tmp_path / "share").mkdir()
    share = ("--share", (tmp_path / "share").as_uri())
    run_wheelfs("--store", str(tmp_path / "a"), "add", str(tmp_path)).succeeded()

    def bars(store: str, *words: str) -> bytes:
        shown, terminal = pty.openpty()
        command = wheelfs_command("--store", str(tmp_path / store), *words)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=terminal) as process:
            os.close(terminal)
            seen = b""
            # A terminal whose last writer has gone reads as EIO.
            with contextlib.suppress(OSError):
                while data := os.read(shown, 65536):
                    seen += data
            assert process.wait(60) == 0
        os.close(shown)
        return seen

    assert b"2 of 2 files" in bars("a", "push", "--private", *share)
    assert b"2 of 2 files" in bars("b", "pull", "--contents", *share)
    assert b"looking for what nothing needs" in bars("a", "gc")
    assert b"looking for what nothing needs" in bars("a", "gc", *share)
