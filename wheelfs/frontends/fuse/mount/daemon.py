"""A daemon that the command line leaves behind: spawned afresh, never forked from a process with LMDB or trio open.

Parent and child share one pipe.  The child writes a single line of JSON to it: ``{"ready": true, ...}`` or ``{"error":
{...}}``.  The pipe's
number comes in the environment (``WHEELFS_READY_FD``); its end closes by itself when the child dies.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wheelfs.errors import InternalError, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_READY_FD: Final = "WHEELFS_READY_FD"
_MAX_LINE_BYTES: Final = 65_536
_MAX_TAIL_BYTES: Final = 2_000
_END_S: Final = 5.0
_POLL_S: Final = 0.02
_PROGRAM: Final = ("-m", "wheelfs")


@dataclass(frozen=True, slots=True)
class DaemonReady:
    """The daemon answers; ``message`` is what it reported besides."""

    pid: int
    message: Mapping[str, Any]


# --- the parent's side ------------------------------------------------------------------------------------------------


def spawn_daemon(
    arguments: Sequence[str], *, log_path: Path, ready_timeout_s: float, program: Sequence[str] = _PROGRAM
) -> DaemonReady:
    """Run ``python PROGRAM ARGUMENTS`` in a session of its own and wait until it reports.

    Its output goes to ``log_path`` (appended).  Raises the `WheelfsError` that the child reported, or `InternalError` with the
    log's tail when
    it died silently or did not report within ``ready_timeout_s`` (it is then ended).
    """
    log_start = log_path.stat().st_size if log_path.exists() else 0
    read_end, write_end = os.pipe()
    try:
        # Inheritable only in the child: the dup2 below is what carries it over.
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, *program, *arguments],
            {**os.environ, _READY_FD: "3"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.fspath(log_path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, write_end, 3),
            ],
            setsid=True,
        )
    except OSError as error:
        os.close(read_end)
        raise InternalError(
            "start the daemon", f"{error.strerror} ({log_path})", "is the log file's directory writable?"
        ) from None
    finally:
        os.close(write_end)
    try:
        line = _read_line(read_end, time.monotonic() + ready_timeout_s)
    finally:
        os.close(read_end)
    report = _parse(line)
    if report.get("ready") is True:
        return DaemonReady(pid, report)
    tail = _tail(log_path, log_start)
    if line is None:
        _end(pid)
        raise InternalError(
            "start the daemon", f"it was not ready within {ready_timeout_s:.0f} s and was ended{tail}", f"see {log_path}"
        )
    status = _wait(pid, _END_S)
    if "error" in report:
        raise _error_of(report["error"])
    tail = _tail(log_path, log_start)
    raise InternalError("start the daemon", f"it ended ({_describe(status)}) before it was ready{tail}", f"see {log_path}")


def _read_line(fd: int, deadline: float) -> bytes | None:
    """Return what came up to a newline or the end of the pipe, or None when the time is over."""
    line = b""
    while b"\n" not in line and len(line) < _MAX_LINE_BYTES:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([fd], [], [], left_s)[0]:
            return None
        piece = os.read(fd, 4096)
        if not piece:
            break
        line += piece
    return line


def _parse(line: bytes | None) -> dict[str, Any]:
    try:
        report = json.loads(line or b"{}")
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _error_of(fields: Mapping[str, Any]) -> WheelfsError:
    attempted, happened, advice = (str(fields.get(name, "")) for name in ("attempted", "happened", "advice"))
    for known in _classes(WheelfsError):
        if known.__name__ == fields.get("class"):
            return known(attempted, happened, advice)
    return InternalError(attempted or "start the daemon", happened or "it failed with an unknown error", advice)


def _classes(base: type[WheelfsError]) -> Iterator[type[WheelfsError]]:
    yield base
    for below in base.__subclasses__():
        yield from _classes(below)


def _end(pid: int) -> None:
    """End a daemon that is late: SIGTERM unmounts cleanly, SIGKILL is for one that does not hear."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait(pid, _END_S) is not None:
            return


def _wait(pid: int, timeout_s: float) -> int | None:
    deadline = time.monotonic() + timeout_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)


def _describe(status: int | None) -> str:
    if status is None:
        return "or closed its pipe"
    return f"exit code {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _tail(path: Path, start: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _MAX_TAIL_BYTES))
            text = file.read(_MAX_TAIL_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return f"; its log ends:\n{text}" if text else ""


# --- the child's side -------------------------------------------------------------------------------------------------


def take_ready_fd() -> int | None:
    """Return the pipe to report on, or None when nobody waits; call once, before anything is spawned.

    No program started later inherits it: libfuse's fusermount3 lives as long as the mount and would keep the pipe open.
    """
    text = os.environ.pop(_READY_FD, "")
    if not text.isdecimal():
        return None
    fd = int(text)
    try:
        os.set_inheritable(fd, False)
    except OSError:
        return None
    return fd


def report_ready(fd: int, payload: Mapping[str, Any]) -> None:
    """Tell the parent that the mount answers, and leave its directory, so that it can be removed or unmounted."""
    os.chdir("/")
    _report(fd, {**payload, "ready": True})


def report_error(fd: int, error: WheelfsError) -> None:
    """Tell the parent why there will be no mount; it raises the same error."""
    fields = {"attempted": error.attempted, "happened": error.happened, "advice": error.advice}
    _report(fd, {"error": {"class": type(error).__name__, "message": str(error), "exit_code": error.exit_code, **fields}})


def _report(fd: int, report: Mapping[str, Any]) -> None:
    line = json.dumps(report, default=str).encode() + b"\n"
    try:
        # A parent that has gone away is no reason to end the mount.
        with suppress(BrokenPipeError):
            os.write(fd, line)
    finally:
        os.close(fd)
