"""A forked wheelfs is what a started one is, to those who start it and to itself."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.forking import Forked, is_forkable
from tests.fakes.processes import fork_from_now_on, run, spawn, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

_END_S = 60.0


@pytest.fixture(autouse=True)
def _forks() -> None:
    fork_from_now_on()  # also with --fresh-interpreters


def started(*words: str, environment: dict[str, str], cwd: Path) -> Finished:
    """As `run`, of a program that is no plain wheelfs, and so is not forked."""
    return run(["/usr/bin/env", *wheelfs_command(*words)], environment=environment, cwd=cwd)


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--help",),
        ("no-such-command",),
        ("--store", "relative", "ls", "--json"),
        ("--store", "relative", "show", "x"),
    ],
    ids=" ".join,
)
def test_it_prints_the_same_and_ends_the_same(tmp_path: Path, words: tuple[str, ...]) -> None:
    environment = wheelfs_environment(tmp_path / "home")
    forked = run(wheelfs_command(*words), environment=environment, cwd=tmp_path)
    fresh = started(*words, environment=environment, cwd=tmp_path)
    assert (forked.returncode, forked.stdout, forked.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_it_has_the_environment_and_the_directory_that_it_is_given(tmp_path: Path) -> None:
    environment = wheelfs_environment(tmp_path / "home") | {"WHEELFS_STORE": "from the environment"}
    assert is_forkable(environment)
    said = run(wheelfs_command("config"), environment=environment, cwd=tmp_path).succeeded().stdout
    assert "from the environment" in said
    assert "from the environment" not in run(wheelfs_command("config"), environment=wheelfs_environment(tmp_path / "home")).stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, None), (signal.SIGKILL, -signal.SIGKILL)])
def test_signals_end_it(fake_index: FakeIndex, tmp_path: Path, number: signal.Signals, code: int | None) -> None:
    fake_index.hang()
    words = ("--store", str(tmp_path / "store"), "fetch", "--index", f"main={fake_index.url}", "demo")
    environment = wheelfs_environment(tmp_path / "home") | {"WHEELFS_LOOKUP_TIMEOUT_S": "300"}
    process = spawn(wheelfs_command(*words), environment=environment)
    assert isinstance(process, Forked)
    fresh: Any = subprocess.Popen(wheelfs_command(*words[:1], str(tmp_path / "other"), *words[2:]), env=environment)
    eventually(lambda: len(fake_index.requests) >= 2, deadline_s=_END_S)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    fresh.send_signal(number)
    assert process.wait(_END_S) == fresh.wait(_END_S)
    assert code is None or process.returncode == code
    process.kill()  # nothing happens to whom the number belongs now
    assert process.poll() == process.wait() == process.returncode


def test_another_configuration_of_the_interpreter_is_not_ignored(tmp_path: Path) -> None:
    environment = wheelfs_environment(tmp_path / "home")
    for more in ({"PYTHONPATH": "elsewhere"}, {"PYTHONDEVMODE": "1"}, {"LC_ALL": "C"}):
        assert not is_forkable(environment | more)
        process = spawn([*wheelfs_command("--version")], environment=environment | more)
        assert isinstance(process, subprocess.Popen)
        process.wait(_END_S)
