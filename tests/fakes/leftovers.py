"""Whatever ends a run of the tests (its end, Ctrl-C, SIGTERM, SIGKILL), nothing that it started outlives it.

The process that controls the run starts a *sweeper* and holds a pipe to it.  When the pipe closes, for whatever reason, the
sweeper ends the processes of the run, takes its mounts away, and deletes its temporary files; what pytest keeps of failed tests
goes only if the run was cut short.
Processes are known by a variable in their environment, which they inherit however they detach themselves.  Rejected:
PR_SET_PDEATHSIG, which follows the thread that forked and is lost where a process detaches; a process group, which daemons leave;
a supervisor above pytest, which could be killed as pytest can.

Run as ``python -m tests.fakes.leftovers RUN DIRECTORY SCRATCH`` with the pipe as its standard input.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.fakes.mounts import mount_points, unmount_lazily
from wheelfs.config.settings import log_directory

_ROOT: Final = Path(__file__).parents[2]

MARK: Final = "WHEELFS_TEST_RUN"
_KEEP: Final = b"keep the directory"
_SWEEP_S: Final = 60.0
_POLL_S: Final = 0.01
_NGINX: Final = b"nginx: master process "


class Sweeper:
    """The sweeper of this process's run; what is started from now on is marked.

    ``directory`` is pytest's for the run, ``scratch`` where programs put temporary files; mounts are below either.
    """

    def __init__(self, directory: Path, scratch: Path) -> None:
        self.directory = directory
        self._scratch = scratch
        # A run that a test starts (of leftovers' own tests) belongs to the run of that test, too.
        self.run = f"{os.environ.get(MARK, '')}/{os.getpid()}-{secrets.token_hex(4)}"
        # Not marked itself, and in a session of its own: what ends the run, or a terminal's Ctrl-C, does not end it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fakes.leftovers", self.run, str(directory), str(scratch)],
            env={**{name: value for name, value in os.environ.items() if name != MARK}, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        os.environ[MARK] = self.run

    def end_processes(self) -> None:
        """End the processes of the run and take its mounts away, now."""
        sweep(self.run, self.directory, self._scratch)

    def sweep(self, *, keep_directory: bool) -> None:
        """Return when everything is gone."""
        self._process.communicate(_KEEP if keep_directory else b"", timeout=2 * _SWEEP_S)


def command_of(pid: int) -> str:
    """Return what a process was started as, as far as it still says."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return f"process {pid}"


def processes_of(run: str, directory: Path) -> set[int]:
    """Return the processes of a run, and their descendants, without those that have ended.

    nginx writes its title over its environment, but the title names its configuration, which is below ``directory``.
    """
    parents: dict[int, int] = {}
    found = set()
    mark = f"{MARK}={run}".encode()
    marks = (mark + b"\0", mark + b"/")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            environment, title = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is another user's
        if state in (b"Z", b"X"):
            continue
        parents[int(entry.name)] = int(parent)
        if any(one in environment for one in marks) or (title.startswith(_NGINX) and os.fsencode(directory) in title):
            found.add(int(entry.name))
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def sweep(run: str, directory: Path, scratch: Path) -> None:
    """End the processes of a run and take its mounts away; raises TimeoutError when some stay."""
    deadline_s = time.monotonic() + _SWEEP_S
    stopped: set[int] = set()
    while (pids := processes_of(run, directory)) or mount_points(directory) or mount_points(scratch):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"processes {pids} and mounts {mount_points(directory)} do not end")
        # Stopped before any is killed: nginx's master would start another worker for one that has died, and that one has no mark.
        is_new, stopped = not pids <= stopped, pids
        _signal(pids, signal.SIGSTOP)
        if is_new:
            continue
        _signal(pids, signal.SIGKILL)
        # Also what keeps a process from ending: who waits for a mount without a daemon ends with the mount.
        for path in [*mount_points(directory), *mount_points(scratch)]:
            unmount_lazily(path)
        time.sleep(_POLL_S)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def logs_of(directory: Path) -> list[Path]:
    """Return the logs of mounts below ``directory`` that lie where daemons log by default: those of root are in /var/log."""
    place, found = os.fsencode(directory) + b"/", []
    for path in log_directory(os.environ).glob("mount-*.log"):
        with contextlib.suppress(FileNotFoundError):  # another run has deleted it
            if place in path.read_bytes():
                found.append(path)
    return found


def main(run: str, directory: Path, scratch: Path) -> None:
    # Blocks until the run says how it ended, or is no more.
    keep = sys.stdin.buffer.read() == _KEEP
    sweep(run, directory, scratch)
    for path in [*logs_of(directory), *logs_of(scratch)]:
        path.unlink(missing_ok=True)
    shutil.rmtree(scratch)
    if not keep:
        with contextlib.suppress(FileNotFoundError):  # pytest may have deleted it when it was interrupted
            shutil.rmtree(directory)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
