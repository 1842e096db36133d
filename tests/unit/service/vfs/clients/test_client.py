"""Who asks: the purpose of a process, as its command line says."""

from __future__ import annotations

import subprocess
import sys

import trio

from tests.fakes.waiting import eventually
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.service.vfs.clients.client import CLIENT, Client


def test_a_process_is_known_by_its_command_line_while_it_lives() -> None:
    program = [sys.executable, "-c", "input()", "pip", "install", "numpy"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        eventually(lambda: trio.run(Client(process.pid).purpose) is Purpose.INSTALLING)
        process.stdin.close()
    assert trio.run(Client(process.pid).purpose) is Purpose.UNKNOWN


def test_nothing_is_known_of_one_that_has_no_number_here() -> None:
    assert trio.run(CLIENT.get().purpose) is Purpose.UNKNOWN
