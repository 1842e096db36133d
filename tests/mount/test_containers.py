"""Containers on one store: processes that have the same number, each in a PID namespace of its own."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.processes import run, spawn, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.processes import Finished, Process

CONTAINER = ["unshare", "--pid", "--fork", "--kill-child"]
NAME = wheel_filename("tools", "1.0")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: PID namespaces are made")


@pytest.fixture
def contained(store_dir: Path, tmp_path: Path) -> Callable[..., Finished]:
    """Run wheelfs as process 1 of a PID namespace of its own."""

    def contained(*words: str) -> Finished:
        command = wheelfs_command("--store", str(store_dir), *words)
        return run([*CONTAINER, *command], environment=wheelfs_environment(tmp_path / "home"))

    return contained


@contextmanager
def serving(store: Path, log: Path) -> Iterator[Process]:
    """A gateway that is process 1, as in most containers; it reads in the store as long as it lives."""
    command = wheelfs_command("--store", str(store), "serve", "--listen", "127.0.0.1:0", "--offline")
    environment = wheelfs_environment(log.parent / "home")
    with log.open("wb") as output:
        process = spawn([*CONTAINER, *command], environment=environment, stdout=output.fileno(), stderr=output.fileno())
    try:
        eventually(lambda: process.poll() is not None or b"http://" in log.read_bytes())
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()  # unshare itself obeys no other signal; with it goes process 1, and so its namespace
        process.wait(60)


@pytest.fixture
def gateway(tools: bytes, store_dir: Path, tmp_path: Path) -> Iterator[Process]:
    with serving(store_dir, tmp_path / "gateway.log") as process:
        yield process


def test_commands_whose_number_another_container_has_work(
    gateway: Process, contained: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "share").mkdir()
    push, command = ("push", "--share", f"file://{tmp_path}/share"), ("run", "--offline", "--", "true")
    for words in (("gc",), ("pin", "tools"), push, command):
        assert "wheelfs: " not in contained(*words).succeeded().stderr
    [file] = objects(contained("ls", "--json").succeeded())
    assert (file["filename"], file["pinned"]) == (NAME, True)
    # Having come and gone, none of them has taken the number from the gateway that reads under it.
    gateway.kill()
    gateway.wait(60)
    assert NAME in contained("ls").succeeded().stdout


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_number_that_its_starter_knows_ends_it(
    gateway: Process, store_dir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(store_dir, tmp_path / "second.log") as second:
        [first] = children_of(second.pid)
        [other] = children_of(first)
        os.kill(first, number)
        ended_cleanly = second.wait(60) == 0
        assert ended_cleanly is (number == signal.SIGTERM), (tmp_path / "second.log").read_text()
        eventually(lambda: not Path(f"/proc/{other}").exists())
    assert gateway.poll() is None
