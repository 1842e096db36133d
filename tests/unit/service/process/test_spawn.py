from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from wheelfs.service.process.spawn import REPORTS, Child, how_it_ended, parse_report, report, spawn, take_report_pipe

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 60.0
PIPE = f"import os; pipe = int(os.environ['{REPORTS}'])\n"


def running(code: str, **settings: object) -> Child:
    return spawn([], environment=os.environ, program=("-c", PIPE + code), **settings)  # type: ignore[arg-type]  # as given


def test_a_child_reports_on_its_pipe_and_writes_where_it_was_told(tmp_path: Path) -> None:
    code = "import sys\nprint('out'); print('err', file=sys.stderr); os.write(pipe, b'{\"ready\": true}\\n'); sys.exit(7)"
    child = running(code, output=tmp_path / "log")
    assert parse_report(child.read_report(DEADLINE_S)) == {"ready": True}
    assert child.wait(DEADLINE_S) == 7
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]
    child.close()


def test_what_is_passed_on_has_the_same_number_and_is_kept_from_other_children() -> None:
    reading, writing = os.pipe()
    child = running(f"os.write({writing}, b'here')", passed_on=[writing])
    assert not os.get_inheritable(writing)
    os.close(writing)
    assert (os.read(reading, 10), os.read(reading, 10)) == (b"here", b"")
    assert child.wait(DEADLINE_S) == 0
    assert child.read_report(DEADLINE_S) == b"", "the pipe ends with the child"
    child.close()
    os.close(reading)


def test_a_silent_child_is_given_up_in_time_and_ended() -> None:
    child = running("import time; time.sleep(600)")
    assert child.read_report(0.05) is None
    assert child.wait(0.05) is None
    assert child.end(grace_s=DEADLINE_S) == -signal.SIGTERM
    child.close()


def test_a_child_that_ignores_sigterm_is_killed() -> None:
    child = running("import signal, time; signal.signal(15, signal.SIG_IGN); os.write(pipe, b'x\\n'); time.sleep(600)")
    assert child.read_report(DEADLINE_S) == b"x\n"
    assert child.end(grace_s=0.2) == -signal.SIGKILL
    child.close()


@pytest.mark.parametrize("line", [None, b"", b"{", b"[1]\n", b"null"])
def test_what_is_no_report_is_an_empty_one(line: bytes | None) -> None:
    assert parse_report(line) == {}


def test_an_end_is_put_in_words() -> None:
    assert [how_it_ended(code) for code in (3, -9)] == ["exit code 3", "killed by SIGKILL"]


@pytest.mark.parametrize("text", ["", "x", "-1", "99999"])
def test_without_a_pipe_there_is_no_parent_to_report_to(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(REPORTS, text)
    assert take_report_pipe() is None
    assert REPORTS not in os.environ


def test_a_parent_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    report(writing, {"ready": True})
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(writing)
