"""Several openers of one partial file: each takes what the others have, and nothing is left over that no opener wants."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wheelfs.model.content import ContentKey
from wheelfs.store.spool import spool as spool_module
from wheelfs.store.spool.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

KEY = ContentKey(bytes(range(32)))
SIZE = 1000
KILLED = (
    "import os, sys, signal; from pathlib import Path; from wheelfs.store.spool.spool import Spool\n"
    "file = Spool(Path(sys.argv[1])).open(bytes(range(32)), size_bytes=1000)\n"
    "file.write(300, b'k' * 50); os.kill(os.getpid(), signal.SIGKILL)\n"
)
OLD = (
    "import fcntl, os, sys; from pathlib import Path; del fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK, os.copy_file_range\n"
    "from wheelfs.store.spool.spool import Spool\n"
    "file = Spool(Path(sys.argv[1])).open(bytes(range(32)), size_bytes=1000)\n"
    "print(file.read(0, 5).decode(), file.claims.take(150, 160))\n"
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def names(spool: Spool) -> set[str]:
    return {path.suffix for path in spool.directory.iterdir()}


def test_the_owner_takes_what_guests_bring_and_keeps_it(spool: Spool) -> None:
    owner, guests = spool.open(KEY, size_bytes=SIZE), [spool.open(KEY, size_bytes=SIZE) for _ in range(2)]
    guests[0].write(100, b"a" * 10)
    guests[1].write(200, b"b" * 10)
    assert not owner.is_caught_up
    owner.catch_up()
    assert owner.is_caught_up
    guests[1].catch_up()
    assert list(guests[1].spans) == list(owner.spans) == [(100, 110), (200, 210)]
    guests[0].delete()
    guests[1].close()
    owner.close()
    again = spool.open(KEY, size_bytes=SIZE)
    assert (again.read(100, 10), again.read(200, 10)) == (b"a" * 10, b"b" * 10)
    assert names(spool) == {".part", ".spans"}, "what guests left over has gone with the copy"
    again.delete()
    assert names(spool) == set()


def test_what_a_guest_that_was_killed_had_brought_is_taken(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    subprocess.run([sys.executable, "-c", KILLED, str(spool.directory)], check=False, timeout=60)
    assert names(spool) == {".part", ".spans", ".guest"}
    owner.catch_up()
    assert owner.read(300, 50) == b"k" * 50
    assert names(spool) == {".part", ".spans"}
    owner.close()


def test_what_a_full_disk_keeps_from_being_taken_is_taken_later(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    subprocess.run([sys.executable, "-c", KILLED, str(spool.directory)], check=False, timeout=60)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "write_all", full)
        owner.catch_up()
    assert owner.spans.total == 0
    assert ".guest" in names(spool)
    owner.catch_up()
    assert owner.read(300, 50) == b"k" * 50
    assert names(spool) == {".part", ".spans"}
    owner.close()


def test_looking_at_an_owner_without_data_leaves_no_file_open(spool: Spool) -> None:
    owner, guest = spool.open(KEY, size_bytes=SIZE), spool.open(KEY, size_bytes=SIZE)
    (spool.directory / f"{KEY.hex()}.part").unlink()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        owner.write(number, b"x")
        guest.catch_up()
    assert len(os.listdir("/proc/self/fd")) == before
    assert guest.spans.total == 0
    guest.close()
    owner.close()


def test_a_guest_of_a_file_that_is_gone_leaves_nothing(spool: Spool) -> None:
    owner, guest = spool.open(KEY, size_bytes=SIZE), spool.open(KEY, size_bytes=SIZE)
    guest.write(0, b"guest")
    owner.delete()
    assert guest.read(0, 5) == b"guest"
    later = spool.open(KEY, size_bytes=SIZE)
    assert later.read(0, 5) == b"guest", "it is no less a source of others"
    later.delete()
    guest.close()
    assert names(spool) == set()


def test_where_bytes_were_wrong_nothing_is_exchanged(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    owner.write(0, b"wrong")
    fresh = spool.open(KEY, size_bytes=SIZE, copies=False)
    assert (fresh.spans.total, fresh.claims) == (0, None)
    fresh.write(0, b"right")
    owner.catch_up()
    assert owner.read(0, 5) == b"wrong"
    fresh.close()
    owner.close()


def test_what_is_left_over_counts_and_is_trimmed(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    subprocess.run([sys.executable, "-c", KILLED, str(spool.directory)], check=False, timeout=60)
    assert spool.usage_bytes() > 0
    assert set(spool.states()) == {KEY}
    assert spool.trim(0) == 1, "the owner's is in use"
    assert names(spool) == {".part", ".spans"}
    owner.close()


def test_where_bytes_were_wrong_what_is_left_over_of_others_is_not_taken(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    owner.write(0, b"wrong")
    guest = spool.open(KEY, size_bytes=SIZE)
    owner.close()
    guest.delete()
    fresh = spool.open(KEY, size_bytes=SIZE, copies=False)
    assert fresh.spans.total == 0
    fresh.close()


def test_one_opener_too_many_sees_nothing_of_the_others(spool: Spool) -> None:
    openers = [spool.open(KEY, size_bytes=SIZE) for _ in range(34)]
    openers[0].write(0, b"owner")
    openers[-1].write(10, b"last")
    for opener in openers:
        opener.catch_up()
    assert [list(opener.spans) for opener in openers] == [[(0, 5)]] * 33 + [[(10, 14)]]
    for opener in openers:
        opener.delete()
    assert names(spool) == set()


def test_looking_for_others_lists_no_directory(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of 60,000 would hold up an event loop."""
    owner, guest = spool.open(KEY, size_bytes=SIZE), spool.open(KEY, size_bytes=SIZE)
    owner.write(0, b"owner")
    monkeypatch.setattr(os, "scandir", None)
    monkeypatch.setattr(os, "listdir", None)
    assert not guest.is_caught_up
    guest.catch_up()
    assert guest.read(0, 5) == b"owner"
    guest.close()
    owner.close()


def test_data_that_is_shorter_than_its_journal_says_gives_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    owner.write(0, b"owner")
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: b"" if size == len(b"owner") else read(fd, size, at))
    guest = spool.open(KEY, size_bytes=SIZE)
    assert guest.spans.total == 0, "they would be zeros"
    guest.close()
    owner.close()


def test_a_python_that_is_built_for_an_old_glibc_exchanges_and_claims(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=SIZE)
    owner.write(0, b"owner")
    assert owner.claims is not None
    owner.claims.take(100, 200)
    done = subprocess.run([sys.executable, "-c", OLD, str(spool.directory)], check=True, timeout=60, capture_output=True)
    assert done.stdout.split() == [b"owner", b"(100,", b"200)"]
    owner.close()


def test_a_journal_is_not_believed_of_the_data_of_another_owner(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = [spool.open(KEY, size_bytes=SIZE)]
    owners[0].write(0, b"owner")
    guest, opened = spool.open(KEY, size_bytes=SIZE, copies=True), os.open
    guest.delete()

    def begun_again(path: Path, flags: int, *more: int) -> int:
        if path.suffix == ".part" and flags == os.O_RDONLY | os.O_CLOEXEC:
            monkeypatch.undo()
            owners.pop().delete()
            owners.append(spool.open(KEY, size_bytes=SIZE))
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", begun_again)
    guest = spool.open(KEY, size_bytes=SIZE)
    assert owners[0].spans.total == 0
    assert guest.spans.total == 0
    guest.close()
    owners[0].close()
