"""Who asks: the purpose of a process, as its command line says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import trio
import trio.testing

from tests.fakes.waiting import eventually
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.service.vfs.clients import client
from wheelfs.service.vfs.clients.client import CLIENT, Client, Process

if TYPE_CHECKING:
    import pytest


def test_a_process_is_known_by_its_command_line_while_it_lives() -> None:
    program = [sys.executable, "-c", "input()", "pip", "install", "numpy"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        eventually(lambda: trio.run(Client(process.pid).purpose) is Purpose.INSTALLING)
        process.stdin.close()
    assert trio.run(Client(process.pid).purpose) is Purpose.UNKNOWN


def test_nothing_is_known_of_one_that_has_no_number_here() -> None:
    assert trio.run(CLIENT.get().purpose) is Purpose.UNKNOWN


def test_the_threads_of_a_process_are_one_process() -> None:
    found: list[Process] = []
    threads = [threading.Thread(target=lambda: found.append(trio.run(Client(threading.get_native_id()).process))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {process.number for process in found} == {os.getpid()}


async def test_looks_that_are_stuck_keep_no_thread_from_what_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def stuck(_: int) -> Process:
        answered.wait(60)
        return Process()

    monkeypatch.setattr(client, "_look", stuck)
    limiter = trio.to_thread.current_default_thread_limiter()
    async with trio.open_nursery() as nursery:
        for _ in range(int(limiter.total_tokens) + 1):
            nursery.start_soon(Client(1).purpose)
        await trio.testing.wait_all_tasks_blocked()
        assert limiter.borrowed_tokens == 0
        await trio.to_thread.run_sync(answered.set)
