"""The same program once more, in a process of its own: spawned afresh (LMDB and trio do not survive a fork), heard, and ended.

A child reports on a pipe: one line of JSON, ``{"ready": true, ...}`` or ``{"error": {...}}``.  The pipe's number comes in the
environment; its end closes by itself when the child dies.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PROGRAM: Final = ("-m", "wheelfs")

MAX_REPORT_BYTES: Final = 65_536
"""A report is one error's words; what is longer is not ours."""

ENDING: Final = (signal.SIGTERM, signal.SIGKILL)
"""In this order: the first asks for a clean end, the second is for a process that does not react."""


REPORTS: Final = "WHEELFS_READY_FD"
"""The variable with the number of the pipe to report on."""

_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Child:
    """A process that this one has spawned, and the pipe that it reports on.

    Its number is its own until its end has been waited for, so it may be signalled; `exit_code` is None until then.
    """

    pid: int
    reports: int

    def close(self) -> None:
        """Close the pipe; the process is not touched."""
        os.close(self.reports)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def exit_code(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), or None while it runs.  Once it is there, it is gone."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if done else None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end, and return its exit code, None when it still runs after ``timeout_s``; blocks."""
        deadline_s = time.monotonic() + timeout_s
        while (code := self.exit_code()) is None and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return code

    def end(self, *, grace_s: float) -> int | None:
        """End it: each signal of `ENDING` has ``grace_s``.  Return its exit code, None when neither had an effect; blocks."""
        code = None
        for number in ENDING:
            self.send(number)
            code = self.wait(grace_s)
            if code is not None:
                break
        return code

    def read_report(self, timeout_s: float) -> bytes | None:
        """Return what came up to a newline or the end of the pipe, or None when the time is over; blocks."""
        deadline_s = time.monotonic() + timeout_s
        line = b""
        while b"\n" not in line and len(line) < MAX_REPORT_BYTES:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self.reports], [], [], left_s)[0]:
                return None
            piece = os.read(self.reports, 4096)
            if not piece:
                break
            line += piece
        return line


def spawn(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    passed_on: Sequence[int] = (),
    output: Path | None = None,
    program: Sequence[str] = PROGRAM,
) -> Child:
    """Run ``python PROGRAM ARGUMENTS``; raises OSError.

    ``passed_on`` are descriptors that the child has under the same numbers.  Its output is appended to the file ``output``, else
    all of it goes to our stderr.
    """
    reading, writing = os.pipe()
    try:
        stdout = (
            [(os.POSIX_SPAWN_DUP2, 2, 1)]
            if output is None
            else [
                (os.POSIX_SPAWN_OPEN, 1, os.fspath(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ]
        )
        with _inheritable([writing, *passed_on]):
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *program, *arguments],
                {**environment, REPORTS: str(writing)},
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *stdout],
                # A terminal's Ctrl-C reaches children too: one that imports would print a traceback. `obey_signals` unblocks.
                setsigmask=[signal.SIGINT],
            )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Child(pid, reading)


@contextmanager
def _inheritable(descriptors: Sequence[int]) -> Iterator[None]:
    """Let the children that are spawned in the block inherit these; nothing else may be spawned in it."""
    try:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        yield
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def parse_report(line: bytes | None) -> dict[str, Any]:
    """Return what a child reported; empty where it was cut short or is no report."""
    try:
        report = json.loads(line or b"{}")
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def how_it_ended(code: int) -> str:
    """Return an exit code in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


# --- the child's side -------------------------------------------------------------------------------------------------


def take_report_pipe() -> int | None:
    """Return the pipe to report on, or None when no parent waits; call it once, before anything is spawned.

    No program started later inherits it: libfuse's fusermount3 lives as long as the mount and would keep the pipe open.
    """
    text = os.environ.pop(REPORTS, "")
    if not text.isdecimal():
        return None
    descriptor = int(text)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    return descriptor


def report(descriptor: int, message: Mapping[str, Any]) -> None:
    """Report to the parent, once; a parent that has gone away is no reason to fail."""
    try:
        with suppress(BrokenPipeError):
            os.write(descriptor, json.dumps(message, default=str).encode() + b"\n")
    finally:
        os.close(descriptor)
