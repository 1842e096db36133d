"""However a run of the tests ends, its processes, mounts, sockets and files are gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.leftovers import logs_of
from tests.fakes.mounts import mount_points
from tests.fakes.processes import ROOT
from tests.fakes.waiting import eventually

_BEGIN_S = 300.0
_END_S = 120.0

# Is in the middle of a test when it is ended; has what tests start, each thing detached as far as it ever is.
_TEST = """
import json, tempfile, time
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.fakes.nginx import Nginx, nginx_program
from tests.fakes.processes import isolated_environment, run


@pytest.mark.parametrize("number", range(WORKERS))
def test_that_takes_long(number, tmp_path, mounted, fake_index, run_wheelfs):
    fake_index.add_wheel("demo", "1.0")
    mount = mounted(index=fake_index.url)
    detached = tmp_path / "detached"
    run_wheelfs("--store", str(tmp_path / "another"), "mount", str(detached), "--index", f"main={fake_index.url}").succeeded()
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"left")
    served = tmp_path / "served"
    served.mkdir()
    detach = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    daemon = int(run(["sh", "-c", detach], environment=isolated_environment(tmp_path / "home")).succeeded().stdout)
    with Nginx(served, tmp_path / "nginx") if nginx_program() else nullcontext() as nginx:
        begun = {
            "mounts": [str(mount.path), str(detached)],
            "processes": [mount.process.pid, daemon] + ([nginx.pid] if nginx else []),
            "origins": [fake_index.origin] + ([nginx.url] if nginx else []),
            "file": file.name,
        }
        Path("BEGUN", str(number)).write_text(json.dumps(begun))
        # In short naps: a signal that another thread takes does not end a sleep of the main thread.
        for _ in range(6000 if HELD else 0):
            time.sleep(0.1)
    run_wheelfs("umount", str(detached)).succeeded()
"""


def started(tmp_path: Path, workers: int, *, held: bool = True) -> subprocess.Popen[str]:
    begun = tmp_path / "begun"
    begun.mkdir()
    test = tmp_path / "test_long.py"
    test.write_text(_TEST.replace("WORKERS", str(workers or 1)).replace("BEGUN", str(begun)).replace("HELD", str(held)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        str(ROOT / "pyproject.toml"),
        f"--rootdir={ROOT}",
        "-p",
        "tests.conftest",
    ]
    command += ["-p", "no:cacheprovider", str(test)]
    if workers:
        command += ["--numprocesses", str(workers), "--dist", "worksteal"]  # by files, one of them would have nothing
    environment = {**os.environ, "PYTEST_DEBUG_TEMPROOT": str(temporary), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is not reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != b"Z"


def temporary_files(tmp_path: Path) -> list[Path]:
    """Return what the run has left, without pytest's directory of the user, which is for all runs, and its link to the latest."""
    found = (tmp_path / "temporary").rglob("*")
    return [path for path in found if not path.name.startswith("pytest-of-") and path.name != "pytest-current"]


def is_reachable(origin: str) -> bool:
    host, _, port = origin.removeprefix("http://").partition(":")
    with socket.socket() as asking:
        return asking.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 0), (signal.SIGTERM, 2), (signal.SIGKILL, 2)])
def test_a_run_that_is_ended_in_the_middle_leaves_nothing(tmp_path: Path, workers: int, number: signal.Signals) -> None:
    begun = tmp_path / "begun"
    with started(tmp_path, workers) as run:
        try:
            eventually(lambda: run.poll() is not None or len(list(begun.iterdir())) == (workers or 1), deadline_s=_BEGIN_S)
            assert run.poll() is None, run.communicate()[0]
            eventually(lambda: all(path.read_text().endswith("}") for path in begun.iterdir()))
            whats: list[dict[str, Any]] = [json.loads(path.read_text()) for path in begun.iterdir()]
            assert all(is_alive(pid) for what in whats for pid in what["processes"])
            assert all(is_reachable(origin) for what in whats for origin in what["origins"])
            assert len(logs_of(tmp_path)) == (workers or 1), "that of the mount in the background"
            mounted = {str(path) for path in mount_points(tmp_path)}
            assert all(mounted.issuperset(what["mounts"]) for what in whats)
        finally:
            run.send_signal(number)
            try:
                said, _ = run.communicate(timeout=_END_S)
            finally:
                run.kill()
    # After SIGKILL nothing waits for the sweeper.
    eventually(lambda: temporary_files(tmp_path) == [], deadline_s=_END_S)
    assert mount_points(tmp_path) == []
    assert logs_of(tmp_path) == []
    assert [pid for what in whats for pid in what["processes"] if is_alive(pid)] == [], said
    assert [origin for what in whats for origin in what["origins"] if is_reachable(origin)] == []
    assert run.returncode != 0


def test_a_process_that_a_test_leaves_fails_the_run_and_is_named(tmp_path: Path) -> None:
    with started(tmp_path, 0, held=False) as run:
        said, _ = run.communicate(timeout=_BEGIN_S)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 passed" in said, said
    [what] = [json.loads(path.read_text()) for path in (tmp_path / "begun").iterdir()]
    assert "left over by a test, and ended: sleep 600" in said
    assert not any(is_alive(pid) for pid in what["processes"])
    assert mount_points(tmp_path) == []
