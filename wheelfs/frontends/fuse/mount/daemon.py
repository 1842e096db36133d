"""The daemon that ``wheelfs mount`` leaves running: the same command, which reports when it answers, and then goes on by itself.

It stays in the process group of its parent until then: an automount (autofs) lets the group of what it calls through to the mount
point, and lets every other process wait until the mount is there, also us.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelfs.errors import InternalError, WheelfsError
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.service.process.spawn import PROGRAM, Child, how_it_ended, parse_report, report, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DaemonReady:
    """The daemon answers; ``message`` is what it reported besides."""

    pid: int
    message: Mapping[str, Any]


# --- the parent's side ------------------------------------------------------------------------------------------------


def spawn_daemon(
    arguments: Sequence[str], *, log_path: Path, ready_timeout_s: float, program: Sequence[str] = PROGRAM
) -> DaemonReady:
    """Run ``python PROGRAM ARGUMENTS`` and wait until it reports; from then on it has a session of its own.

    Its output goes to ``log_path`` (appended).  Raises the `WheelfsError` that the child reported, or `InternalError` with the
    log's tail when it died silently or did not report within ``ready_timeout_s`` (it is then ended).
    """
    log_start = log_path.stat().st_size if log_path.exists() else 0
    try:
        child = spawn(arguments, environment=os.environ, output=log_path, program=program)
    except OSError as error:
        raise InternalError(
            "start the daemon", f"{error.strerror} ({log_path})", "is the log file's directory writable?"
        ) from None
    try:
        return DaemonReady(child.pid, _ready_report(child, log_path, log_start, ready_timeout_s))
    finally:
        child.close()


def _ready_report(child: Child, log_path: Path, log_start: int, ready_timeout_s: float) -> Mapping[str, Any]:
    line = child.read_report(ready_timeout_s)
    message = parse_report(line)
    if message.get("ready") is True:
        return message
    if line is None:
        tail = _tail(log_path, log_start)
        child.end(grace_s=FUSE_LIMITS.end_s)
        raise InternalError(
            "start the daemon", f"it was not ready within {ready_timeout_s:.0f} s and was ended{tail}", f"see {log_path}"
        )
    code = child.wait(FUSE_LIMITS.end_s)
    if "error" in message:
        raise _error_of(message["error"], log_path)
    how = "or closed its pipe" if code is None else how_it_ended(code)
    tail = _tail(log_path, log_start)
    raise InternalError("start the daemon", f"it ended ({how}) before it was ready{tail}", f"see {log_path}")


def _error_of(fields: Mapping[str, Any], log_path: Path) -> WheelfsError:
    attempted, happened, advice = (str(fields.get(name, "")) for name in ("attempted", "happened", "advice"))
    advice = f"{advice}; its log: {log_path}" if advice else f"its log: {log_path}"
    for known in _classes(WheelfsError):
        if known.__name__ == fields.get("class"):
            return known(attempted, happened, advice)
    return InternalError(attempted or "start the daemon", happened or "it failed with an unknown error", advice)


def _classes(base: type[WheelfsError]) -> Iterator[type[WheelfsError]]:
    yield base
    for below in base.__subclasses__():
        yield from _classes(below)


def _tail(path: Path, start: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - FUSE_LIMITS.tail_bytes))
            text = file.read(FUSE_LIMITS.tail_bytes).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return f"; its log ends:\n{text}" if text else ""


# --- the child's side -------------------------------------------------------------------------------------------------


def report_ready(descriptor: int, payload: Mapping[str, Any]) -> None:
    """Tell the parent that the mount answers; leave its directory, so that it can be removed, and its session, which may end.

    Not to touch the mount point afterwards: an automount that waits for the parent's end would let us wait, too.
    """
    os.chdir("/")
    os.setsid()
    report(descriptor, {**payload, "ready": True})


def report_error(descriptor: int, error: WheelfsError) -> None:
    """Tell the parent why there will be no mount; it raises the same error."""
    fields = {"attempted": error.attempted, "happened": error.happened, "advice": error.advice}
    report(descriptor, {"error": {"class": type(error).__name__, "message": str(error), "exit_code": error.exit_code, **fields}})
