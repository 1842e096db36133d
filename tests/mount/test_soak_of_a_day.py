"""``scripts/soak/day``: that it sees what is wrong in logs and memory, and that some minutes of it are right."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.soak.programs.day import growth, unexpected
from tests.fakes.jumping_clock import JumpingClock
from tests.fakes.processes import ROOT, isolated_environment

if TYPE_CHECKING:
    from pathlib import Path

MB = 1_000_000
AT = "2026-11-30 16:47:31,024"


def test_records_that_nothing_explains_are_seen() -> None:
    explained = (
        f"mounted at /mnt\n{AT} INFO wheelfs.app: started\n"
        f"{AT} WARNING wheelfs.service.fetch.download: it answered with status 503\n"
        f"{AT} ERROR wheelfs.service.vfs.tree: request failed: it answered with status 429\n"
    )
    assert unexpected(explained) == []
    bug = f"{AT} ERROR wheelfs.service.tasks: look up demo: a bug in wheelfs\nTraceback (most recent call last):\nOSError"
    refused = f"{AT} WARNING wheelfs.service.vfs.tree: request failed: unexpected OSError (please report it, with the log)"
    foreign = f"{AT} WARNING wheelfs.store.engine.environment: something"
    assert unexpected(f"{explained}{bug}\n{refused}\n{foreign}\n") == [bug, refused, foreign]


def test_memory_that_grows_is_seen() -> None:
    assert growth([20 * MB, 40 * MB, 50 * MB, *[50 * MB] * 3, *[55 * MB] * 3]) is None
    assert growth([20 * MB, 40 * MB, 50 * MB, *[50 * MB] * 3, *[90 * MB] * 3]) == "the gateway's memory grew from 50 to 90 MB"


def test_programs_go_by_a_clock_that_jumps(tmp_path: Path) -> None:
    clock = JumpingClock(tmp_path / "clock")
    script = "import sys, time\nfor line in sys.stdin:\n    print(time.time(), time.time_ns() // 1_000_000_000, flush=True)"
    environment = {**isolated_environment(tmp_path / "home"), **clock.environment}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        said = []
        for ahead_s in (0, 1_000_000, -1_000_000):
            clock.set(ahead_s)
            program.stdin.write("\n")
            program.stdin.flush()
            seconds, whole = program.stdout.readline().split()
            assert abs(float(seconds) - int(whole)) <= 1
            said.append(float(seconds))
        program.stdin.close()
    assert said[1] - said[0] > 900_000
    assert said[0] - said[2] > 900_000


@pytest.mark.soak
def test_some_minutes_with_everything_at_once_are_right(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "soak" / "day"), "--minutes", "3"]
    done = subprocess.run(command, env=isolated_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
