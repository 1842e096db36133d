"""An automount as systemd makes it: autofs at a directory, and a process that mounts there what the kernel asks it for.

Run as ``python -m tests.fakes.automount DIRECTORY COMMAND...`` in a session of its own: what is in the group of the process that
mounted autofs goes through it without a wait, all others wait until it has answered.  It prints a line for each request that it
has answered, and ends when its standard input is closed.  However it ends, no process waits on: its end closes the pipe that
the kernel asks through, and waits of autofs can be killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from tests.fakes.processes import ROOT, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOUNT_S: Final = 120.0
_END_S: Final = 30.0
_MNT_DETACH: Final = 2

# linux/auto_fs.h
_READY: Final = 0x9360
_FAIL: Final = 0x9361
_CATATONIC: Final = 0x9362
_PACKET: Final = struct.Struct("@iiIIQIIIII256s4x")
_MISSING_DIRECT: Final = 5


class Automount:
    """The process, as a test sees it."""

    def __init__(self, path: Path, command: Sequence[str], home: Path) -> None:
        """``command`` mounts at ``path``, which is a directory."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fakes.automount", str(path), *command],
            env=wheelfs_environment(home),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """Return when the automount is there."""
        assert self.answer() == "waiting"
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away, with whatever is mounted on it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S + _MOUNT_S)
        finally:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def answer(self) -> str:
        """Return what the next request came to: ``mounted``, or ``failed`` with the command's words."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _MOUNT_S + _END_S)
        assert ready, "no request has come"
        return self._process.stdout.readline().strip()


def main(path: str, command: Sequence[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    reading, writing = os.pipe()
    options = f"fd={writing},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
    if libc.mount(b"systemd-1", os.fsencode(path), b"autofs", ctypes.c_ulong(0), options.encode()):
        raise OSError(ctypes.get_errno(), f"cannot mount autofs: {os.strerror(ctypes.get_errno())}")
    os.close(writing)
    # We are in the group that the kernel lets through, so this does not wait.
    control = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    print("waiting", flush=True)
    try:
        while reading in (ready := select.select([reading, 0], [], [])[0]) and 0 not in ready:
            _, kind, token, *_ = _PACKET.unpack(os.read(reading, _PACKET.size))
            _answer(control, token, command if kind == _MISSING_DIRECT else ["false"])
    finally:
        with suppress(OSError):
            fcntl.ioctl(control, _CATATONIC, 0)
        os.close(control)
        # What was mounted on it goes first.
        while not libc.umount2(os.fsencode(path), _MNT_DETACH):
            pass


def _answer(control: int, token: int, command: Sequence[str]) -> None:
    failure = "too late"
    try:
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MOUNT_S, check=False
            )
            failure = f"{done.stdout} {done.stderr}" if done.returncode else ""
    finally:
        fcntl.ioctl(control, _FAIL if failure else _READY, token)
    print(f"failed {failure!r}" if failure else "mounted", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
