"""Real mounts for tests, each in a process of its own, none of them left over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wheelfs.frontends.fuse.kernel.mountinfo import canonical, mount_at
from wheelfs.frontends.fuse.kernel.syscalls import umount

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], object], what: str) -> None:
    """Poll ``condition``; a generous deadline turns a hang into a failure."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {DEADLINE_S:.0f} s: {what}")
        time.sleep(0.01)


def is_mounted(path: Path) -> bool:
    return mount_at(canonical(path)) is not None


def shell(*command: str) -> str:
    """Run a program that looks at a mount; a hang of the mount fails the test instead of stopping it."""
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout


@dataclass
class Mount:
    path: Path
    process: subprocess.Popen[str]
    log: Path

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def tell(self, *command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def signal(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def start(path: Path, **settings: Any) -> Mount:
    log = path.parent / f"{path.name}.log"
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.fuse_runner", str(path), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
        )
    return Mount(path, process, log)


@contextmanager
def mounted(path: Path, **settings: Any) -> Iterator[Mount]:
    mount = start(path, **settings)
    try:
        first = mount.answer()
        assert first == "ready", f"{first}\n{mount.log.read_text()}"
        yield mount
    finally:
        end(mount)


def end(mount: Mount) -> None:
    if mount.process.poll() is None:
        mount.process.terminate()
        try:
            mount.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            mount.process.kill()
            mount.process.wait()
    for pipe in (mount.process.stdin, mount.process.stdout):
        if pipe is not None:
            pipe.close()
    detach(mount.path)


def detach(path: Path) -> None:
    """Take away whatever a failed test left."""
    place = canonical(path)
    for _ in range(4):
        if mount_at(place) is None:
            return
        try:
            umount(place, lazy=True)
        except OSError:
            return


def requires_fuse() -> pytest.MarkDecorator:
    usable = os.access("/dev/fuse", os.R_OK | os.W_OK) and os.geteuid() == 0
    return pytest.mark.skipif(not usable, reason="real mounts need root and /dev/fuse")
