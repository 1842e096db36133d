"""However a soak ends, its processes, mounts, sockets and files are gone: at its end, and by Ctrl-C in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fakes.mounts import mount_points
from tests.fakes.processes import ROOT, isolated_environment
from tests.fakes.waiting import eventually
from tests.fuse.mounting import requires_fuse

pytestmark = requires_fuse()

SHORT: Final = {
    "cluster": ("--file-systems", "directory", "--kills", "1"),
    "day": ("--minutes", "0.05"),
    "faults": ("--cells", "pip/reset"),
    "kills": ("--instants", "6"),
    "power": ("--cuts", "2"),
}
LONG: Final = {**dict.fromkeys(SHORT, ()), "cluster": ("--file-systems", "directory")}
_END_S: Final = 120.0


def started(tmp_path: Path, name: str, words: tuple[str, ...]) -> subprocess.Popen[str]:
    """Start a soak in a group of its own, as a terminal does, with a place of its own for temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**isolated_environment(tmp_path / "home"), "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", f"scripts.soak.programs.{name}", *words]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def works(temporary: Path) -> bool:
    """Tell whether a soak is in the middle of something: a process of its own has made a store, or mounted."""
    return any(temporary.glob("*/ground/**/data.mdb")) or bool(mount_points(temporary))


def left_by(temporary: Path) -> list[str]:
    """Return what is left of a soak: files, mounts, sockets, and processes, which have its directory in their environment."""
    found = [str(path) for path in temporary.iterdir()] + [str(path) for path in mount_points(temporary)]
    found += [line for line in Path("/proc/net/unix").read_text().splitlines() if str(temporary) in line]
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.fsencode(temporary) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended, or is another user's
    return found


@pytest.mark.soak
@pytest.mark.parametrize("name", SHORT)
def test_a_soak_that_comes_to_its_end_leaves_nothing(tmp_path: Path, name: str) -> None:
    with started(tmp_path, name, SHORT[name]) as soak:
        said, _ = soak.communicate()
    assert soak.returncode == 0, said
    assert left_by(tmp_path / "temporary") == []


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.soak(quick=name == "kills")) for name in LONG])
def test_a_soak_that_is_interrupted_leaves_nothing(tmp_path: Path, name: str) -> None:
    temporary = tmp_path / "temporary"
    with started(tmp_path, name, LONG[name]) as soak:
        try:
            eventually(lambda: soak.poll() is not None or works(temporary))
        finally:
            os.killpg(soak.pid, signal.SIGINT)
            said, _ = soak.communicate(timeout=_END_S)
    assert soak.returncode == 1, said
    assert "interrupted" in said
    assert "scripts/soak" not in said, "a traceback"
    assert left_by(temporary) == []


@pytest.mark.soak
def test_a_soak_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    with started(tmp_path, "kills", ()) as soak:
        eventually(lambda: soak.poll() is not None or works(temporary))
        soak.kill()
        soak.communicate()
    eventually(lambda: left_by(temporary) == [], deadline_s=_END_S)
