"""Workers that cannot be started are reported, and leave no process and no socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import trio

from wheelfs.errors import InternalError
from wheelfs.frontends.http.scoreboard import made_board
from wheelfs.frontends.http.workers import Workers, head_socket


def children() -> set[str]:
    """The processes that this one has to wait for (proc(5)); the linters may be among them."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


async def test_a_worker_that_never_answers_is_an_error_and_not_started_again_and_again(tmp_path: Path) -> None:
    before, children_before = set(os.listdir("/proc/self/fd")), children()
    with socket.create_server(("127.0.0.1", 0)) as listening, made_board() as board:
        workers = Workers(["no-such-command"], listening, tmp_path, "head")
        with pytest.RaisesGroup(pytest.RaisesExc(InternalError, match="exit code 2"), flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                await nursery.start(workers.keep, [board])
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
