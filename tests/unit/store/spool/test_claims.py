"""Claims on ranges of a file that several openers fetch: seen by the others, and gone with their holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wheelfs.store.spool.claims import RangeClaims

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (
    "import sys; from pathlib import Path; from wheelfs.store.spool.claims import RangeClaims\n"
    "claims = RangeClaims(Path(sys.argv[1])); claims.take(100, 200); print(flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "a.part"
    path.write_bytes(b"")
    return path


def test_what_is_claimed_is_in_the_way_of_others_until_it_is_given_back(part: Path) -> None:
    first, second = RangeClaims(part), RangeClaims(part)
    assert first.take(100, 200) is None
    assert first.take(150, 300) is None, "one's own are not in the way"
    assert second.take(0, 101) == (100, 300)
    assert second.take(0, 100) is None
    assert first.take(50, 60) == (0, 100)
    first.give_back(100, 100)
    assert second.take(299, 300) == (100, 300)
    first.give_back(100, 200)
    assert second.take(0, 210) == (150, 300), "what it has claimed twice stays"
    assert first.take(180, 200) is None
    first.give_back(150, 300)
    assert second.take(0, 210) == (180, 200)
    first.close()
    assert second.take(0, 1 << 40) is None
    assert first.take(0, 10) is None, "it claims nothing any more"
    second.close()
    second.give_back(0, 10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_claim_ends_with_its_process_and_not_while_that_is_stopped(part: Path, number: signal.Signals) -> None:
    holder = subprocess.Popen([sys.executable, "-c", PROGRAM, str(part)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        claims = RangeClaims(part)
        assert claims.take(0, 1000) == (100, 200)
        holder.send_signal(signal.SIGSTOP)
        assert claims.take(0, 1000) == (100, 200)
        holder.send_signal(signal.SIGCONT)
    finally:
        holder.send_signal(number)
        holder.communicate()
    assert claims.take(0, 1000) is None
    claims.close()


def test_where_nothing_can_be_claimed_nothing_is_in_the_way(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RangeClaims(part.with_name("b.part")).take(0, 10) is None

    def unknown(*_: object) -> bytes:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    claims = RangeClaims(part)
    monkeypatch.setattr(fcntl, "fcntl", unknown)
    assert claims.take(0, 10) is None
    claims.close()


def test_a_file_that_was_begun_again_is_another_one(part: Path) -> None:
    first, second = RangeClaims(part), RangeClaims(part)
    assert first.take(0, 10) is None
    part.unlink()
    part.write_bytes(b"")
    assert second.take(0, 10) is None
    assert first.take(5, 6) == (0, 10)
    for one in (first, second):
        one.close()
