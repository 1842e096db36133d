"""A command run as a shell runs it.  Each runs in a process of its own, since signals are a whole process's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import os, sys
from wheelfs.service.process.child import Child, end_like, signals_held
with signals_held():
    child = Child(sys.argv[1:], os.environ)
    status = child.wait()
end_like(status)
"""
SHOWS_SIGNALS = """
import signal, sys, time
def show(number, _):
    print(signal.Signals(number).name, flush=True)
    if number != signal.SIGUSR1:
        sys.exit(7)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, show)
print("ready", flush=True)
while True:
    signal.pause()
"""


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture
def listening() -> Iterator[subprocess.Popen[str]]:
    with started(sys.executable, "-c", SHOWS_SIGNALS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_the_exit_code_is_the_commands() -> None:
    with started(sys.executable, "-c", "raise SystemExit(42)") as process:
        assert process.wait(30) == 42


def test_standard_streams_are_the_commands() -> None:
    with started("cat") as process:
        assert process.communicate("through and through", timeout=30)[0] == "through and through"


def test_a_signal_that_ends_the_command_ends_us_likewise() -> None:
    with started("sh", "-c", "kill -TERM $$") as process:
        assert process.wait(30) == -signal.SIGTERM
    with started("sh", "-c", "kill -SEGV $$") as process:
        assert process.wait(30) == 128 + signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_sent_to_us_alone_is_passed_on(listening: subprocess.Popen[str], number: signal.Signals) -> None:
    listening.send_signal(signal.SIGUSR1)
    assert listening.stdout is not None
    assert listening.stdout.readline() == "SIGUSR1\n"
    listening.send_signal(number)
    assert listening.stdout.readline() == f"{number.name}\n"
    assert listening.wait(30) == 7


def test_the_command_does_not_outlive_us(listening: subprocess.Popen[str]) -> None:
    listening.kill()
    assert listening.stdout is not None
    assert listening.stdout.readline() == "SIGTERM\n"  # and the pipe's end follows, when it has gone
    assert listening.stdout.read() == ""


def test_a_command_that_cannot_be_started_is_told_from_all_other_errors() -> None:
    from wheelfs.service.process.child import Child, NotStarted

    for command, error in {"/no/such": FileNotFoundError, "/": PermissionError, "/dev/null/x": NotADirectoryError}.items():
        with pytest.raises(NotStarted) as caught:
            Child([command], os.environ)
        assert isinstance(caught.value.error, error)
