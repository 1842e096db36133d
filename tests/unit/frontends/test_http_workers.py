"""Workers that cannot be started are reported, and leave no process and no socket."""

from __future__ import annotations

import errno
import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from tests.fakes.waiting import until
from wheelfs.errors import InternalError
from wheelfs.frontends.http import workers
from wheelfs.frontends.http.limits import WORKER_LIMITS
from wheelfs.frontends.http.scoreboard import made_board
from wheelfs.frontends.http.workers import Workers, head_socket
from wheelfs.service.process.spawn import spawn


def children() -> set[str]:
    """The processes that this one has to wait for (proc(5)); the linters may be among them."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


async def test_a_worker_that_never_answers_is_an_error_and_not_started_again_and_again(tmp_path: Path) -> None:
    before, children_before = set(os.listdir("/proc/self/fd")), children()
    with socket.create_server(("127.0.0.1", 0)) as listening, made_board() as board:
        kept = Workers(["no-such-command"], listening, tmp_path, "head")
        with pytest.RaisesGroup(pytest.RaisesExc(InternalError, match="exit code 2"), flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                await nursery.start(kept.keep, [board])
    assert set(os.listdir("/proc/self/fd")) == before
    assert children() <= children_before


def test_the_socket_of_a_killed_head_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(tmp_path / "2.head"))
        living.listen()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "1.head"))
        with head_socket(tmp_path) as (made, name):
            assert {path.name for path in tmp_path.iterdir()} == {"2.head", name}
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
            assert made.fileno() >= 0
    assert {path.name for path in tmp_path.iterdir()} == {"2.head"}


ANSWERS = """
import os, signal
os.write(int(os.environ["WHEELFS_READY_FD"]), b'{"ready": true}\\n')
signal.pause()
"""


@pytest.mark.parametrize("failing", ["posix_spawn", "pipe", "pidfd_open"])
async def test_a_worker_that_cannot_be_replaced_at_once_is_replaced_later_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failing: str
) -> None:
    before, children_before = set(os.listdir("/proc/self/fd")), children()
    genuine, failures = getattr(os, failing), [True]

    def failing_once(*words: Any, **named: Any) -> Any:
        if failures:
            failures.clear()
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return genuine(*words, **named)

    monkeypatch.setattr(workers, "spawn", partial(spawn, program=("-c", ANSWERS)))
    limits = msgspec.structs.replace(WORKER_LIMITS, first_pause_s=0.01)
    with socket.create_server(("127.0.0.1", 0)) as listening, made_board() as one, made_board() as other:
        kept = Workers([], listening, tmp_path, "head", limits=limits)

        def living() -> set[int]:
            return {child.pid for child in kept._children}

        async with trio.open_nursery() as nursery:
            await nursery.start(kept.keep, [one, other])
            killed, stays = living()
            monkeypatch.setattr(os, failing, failing_once)
            os.kill(killed, signal.SIGKILL)
            await until(lambda: len(living() - {killed}) == 2)
            assert failures == []
            assert stays in living()
            nursery.cancel_scope.cancel()
    assert "start a worker: Resource temporarily unavailable" in caplog.text
    assert set(os.listdir("/proc/self/fd")) == before
    assert children() <= children_before
