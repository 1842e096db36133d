"""Commands whose stdout, stdin or stderr is closed, full, or has no reader any more."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.processes import Finished

NAME = wheel_filename("tools", "1.0")
_TRACEBACK = "Traceback"
_NO_READER = """
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
raise SystemExit(subprocess.run(sys.argv[1:], stdout=writer).returncode)
"""


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], Finished]:
    """Run a line of a shell in which ``wheelfs`` has a store with one wheel."""
    (tmp_path / NAME).write_bytes(build_wheel("tools", "1.0"))
    environment = wheelfs_environment(tmp_path / "home")
    command = shlex.join(wheelfs_command("--store", str(tmp_path / "store")))

    def run_line(line: str) -> Finished:
        script = f'wheelfs() {{ {command} "$@"; }}\n{line}'
        return run(["bash", "-c", script], environment=environment, cwd=tmp_path)

    run_line(f"wheelfs add {NAME}").succeeded()
    return run_line


@pytest.mark.parametrize("arguments", ["stats", "show tools", "export out", "man out", "gc --json", "--help"])
def test_a_reader_that_is_gone_ends_the_command_without_a_word(shell: Callable[[str], Finished], arguments: str) -> None:
    shell(f"printf %s {shlex.quote(_NO_READER)} > no_reader.py").succeeded()
    shell("declare -f wheelfs > wheelfs.sh").succeeded()
    done = shell(f"{sys.executable} no_reader.py env PYTHONUNBUFFERED=1 bash -c '. ./wheelfs.sh; wheelfs {arguments}'")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- <&- 2>&-"])
def test_closed_streams_harm_neither_command_nor_store(shell: Callable[[str], Finished], closed: str) -> None:
    for command in ("ls", "verify", "gc --json"):
        done = shell(f"wheelfs {command} {closed}").succeeded()
        assert _TRACEBACK not in done.stderr
    assert shell(f"wheelfs nosuch {closed}").returncode == 2
    assert shell("wheelfs verify --json").succeeded().stdout.count('"ok":true') == 1


def test_no_file_of_the_store_gets_the_number_of_a_closed_stream(shell: Callable[[str], Finished]) -> None:
    look = "for n in 0 1 2; do readlink /proc/$PPID/fd/$n; done > names"
    shell(f"wheelfs run --no-index -- bash -c {shlex.quote(look)} <&- >&- 2>&-").succeeded()
    assert shell("cat names").stdout.splitlines() == ["/dev/null"] * 3


@pytest.mark.parametrize("arguments", ["ls", "--json ls"])
def test_a_full_disk_below_stdout_is_said_on_stderr(shell: Callable[[str], Finished], arguments: str) -> None:
    done = shell(f"wheelfs {arguments} > /dev/full")
    assert done.returncode == 43
    assert "No space left on device" in done.stderr
    assert _TRACEBACK not in done.stderr


def test_paths_that_are_not_utf8_are_escaped_or_refused_with_the_reason(shell: Callable[[str], Finished]) -> None:
    shell(r"mkdir $'no\xff'").succeeded()
    refused = shell(r"wheelfs --json add $'no\xff/tools.whl'")
    assert refused.returncode == 3
    assert json.loads(refused.stdout.splitlines()[0])["file"]["filename"] == "tools.whl"
    other = shell(rf"wheelfs --json --store $'no\xff/store' add {NAME}")
    assert "its name is not UTF-8" in json.loads(other.stdout)["error"]["message"]
    assert "its name is not UTF-8" in shell(rf"wheelfs --store $'no\xff/store' add {NAME}").stderr
    assert shell(r"ls -A $'no\xff'").stdout == "", "nothing is made there"
    settings = shell(r"wheelfs --json --store $'no\xff/store' config").succeeded().stdout
    assert r"no\udcff/store" in settings


def test_an_error_still_is_json_for_who_asked_for_it(shell: Callable[[str], Finished]) -> None:
    assert json.loads(shell("wheelfs --json nosuch").stdout)["error"]["exit_code"] == 2


def test_what_the_encoding_of_stdout_lacks_is_escaped(shell: Callable[[str], Finished]) -> None:
    wheelfs = "PYTHONIOENCODING=iso-8859-1 wheelfs --store 'ä→😀'"
    assert r"\u2192\U0001f600" in shell(f"{wheelfs} status").succeeded().stdout
    assert json.loads(shell(f"{wheelfs} --json status").succeeded().stdout)["store"].endswith("ä→😀")
