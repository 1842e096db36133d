"""Partly fetched files: what is claimed to be here was written, whatever happens in between."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import StoreError, StoreFull
from wheelfs.model.content import ContentKey
from wheelfs.store.spool import file as file_module
from wheelfs.store.spool import spool as spool_module
from wheelfs.store.spool.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = ContentKey(bytes(range(32)))
OTHER = ContentKey(bytes(32))
DATA = bytes(range(256)) * 400


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


@pytest.fixture
def reboot(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def to(number: int) -> None:
        monkeypatch.setattr(spool_module, "boot_id", lambda: bytes([number]) * 16)

    to(1)
    return to


def test_what_was_written_in_any_order_is_read_back(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=len(DATA))
    for start in (50_000, 0, 100_000, 25_000, 75_000):
        file.write(start, DATA[start : start + 25_000])
    assert list(file.spans) == [(0, len(DATA))]
    assert file.read(0, len(DATA)) == DATA
    assert file.read(99_990, 20) == DATA[99_990:100_010]
    file.close()


def _filled(descriptor: int, buffers: list[bytearray], offset: int, flags: int) -> int:
    """Be a preadv that finds everything in memory, also on a tmpfs."""
    assert flags == os.RWF_NOWAIT
    buffers[0][:] = os.pread(descriptor, len(buffers[0]), offset)
    return len(buffers[0])


def _refused(number: int) -> Callable[..., int]:
    def preadv(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return preadv


def test_what_is_in_memory_is_read_at_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spool.open(KEY, size_bytes=len(DATA))
    file.write(0, DATA[:1000])
    monkeypatch.setattr(os, "preadv", _refused(errno.EAGAIN))
    assert file.read_at_once(10, 100) is None, "it would have to be read from the disk"
    monkeypatch.setattr(os, "preadv", _filled)
    assert file.read_at_once(10, 100) == DATA[10:110]
    with pytest.raises(ValueError, match="not here"):
        file.read_at_once(950, 100)
    monkeypatch.setattr(os, "preadv", lambda *_: 50)
    assert file.read_at_once(10, 100) is None, "a part of it would have to be"
    monkeypatch.setattr(os, "preadv", _refused(errno.EOPNOTSUPP))
    assert file.read_at_once(10, 100) is None, "the file system cannot tell"
    file.close()
    with pytest.raises(ValueError, match="not here"):
        spool.open(OTHER, size_bytes=10).read_at_once(0, 10)


def test_a_hole_is_never_read_as_zeros(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=len(DATA))
    file.write(0, DATA[:10])
    file.write(20, DATA[20:30])
    with pytest.raises(ValueError, match="not here"):
        file.read(5, 20)
    file.close()


def test_writing_outside_of_the_file_is_refused(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=100)
    for offset in (-1, 91):
        with pytest.raises(ValueError, match="outside"):
            file.write(offset, b"0123456789")
    assert file.spans.total == 0
    file.close()


def test_a_later_process_continues_where_a_killed_one_stopped(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal; from pathlib import Path; from wheelfs.store.spool.spool import Spool\n"
        "file = Spool(Path(sys.argv[1])).open(bytes(range(32)), size_bytes=1000, validator='v1')\n"
        "file.write(100, b'a' * 50); file.write(300, b'b' * 50); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -9
    spool = Spool(tmp_path)
    assert spool.state(KEY) == 100
    file = spool.open(KEY, size_bytes=1000, validator="v1")
    assert list(file.spans) == [(100, 150), (300, 350)]
    assert file.read(300, 50) == b"b" * 50
    file.close()


def test_after_a_reboot_only_what_was_flushed_counts(spool: Spool, reboot: Callable[[int], None]) -> None:
    file = spool.open(KEY, size_bytes=1000)
    file.write(0, b"a" * 100)
    file.sync()
    file.write(500, b"b" * 100)
    file.close()
    reboot(2)
    file = spool.open(KEY, size_bytes=1000)
    assert list(file.spans) == [(0, 100)]
    file.write(200, b"c" * 100)
    file.close()
    file = spool.open(KEY, size_bytes=1000)
    assert list(file.spans) == [(0, 100), (200, 300)]
    file.close()
    reboot(3)
    assert spool.state(KEY) == 100


def test_a_file_of_another_size_or_version_begins_anew(spool: Spool) -> None:
    for size, validator, kept in ((1000, "a", 0), (1000, "a", 10), (1000, None, 10), (1000, "b", 0), (999, "b", 0)):
        file = spool.open(KEY, size_bytes=size, validator=validator)
        assert file.spans.total == kept, (size, validator)
        assert file.validator == (validator or "a")
        file.write(0, b"0123456789")
        file.close()


def test_what_an_earlier_build_dropped_is_missing_also_after_a_reboot(spool: Spool, reboot: Callable[[int], None]) -> None:
    file = spool.open(KEY, size_bytes=1000)
    file.write(0, b"a" * 1000)
    file.sync()
    assert file._journal is not None
    file._journal.note(b"D", 400, 100)
    file.close()
    file = spool.open(KEY, size_bytes=1000)
    assert list(file.spans) == [(0, 400), (500, 1000)]
    file.close()
    reboot(2)
    file = spool.open(KEY, size_bytes=1000)
    assert list(file.spans) == [(0, 400), (500, 1000)]
    file.close()


def test_a_second_opener_works_on_a_file_of_its_own(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=10)
    guest = spool.open(KEY, size_bytes=10)
    owner.write(0, b"owner")
    guest.write(0, b"guest")
    assert (owner.read(0, 5), guest.read(0, 5)) == (b"owner", b"guest")
    guest.close()
    owner.close()
    again = spool.open(KEY, size_bytes=10)
    assert again.read(0, 5) == b"owner"
    again.delete()
    assert list(spool.directory.iterdir()) == []


def test_a_second_opener_begins_with_what_the_owner_has(spool: Spool) -> None:
    owner = spool.open(KEY, size_bytes=5_000_000)
    owner.write(100, b"a" * 3_000_000)
    owner.write(4_000_000, b"b" * 10)
    owner.write_unverified(4_500_000, b"c")
    guest = spool.open(KEY, size_bytes=5_000_000)
    assert list(guest.spans) == [(100, 3_000_100), (4_000_000, 4_000_010)]
    assert guest.read(100, 3_000_000) == b"a" * 3_000_000
    assert guest.read(4_000_000, 10) == b"b" * 10
    guest.write(0, b"guest")
    assert list(owner.spans) == [(100, 3_000_100), (4_000_000, 4_000_010)]
    other_size = spool.open(KEY, size_bytes=4_999_999)
    unproven = spool.open(KEY, size_bytes=5_000_000, copies=False)
    assert (other_size.spans.total, unproven.spans.total) == (0, 0)
    owner.delete()
    assert guest.read(100, 5) == b"aaaaa"
    for file in (guest, other_size, unproven):
        file.close()


def test_a_second_opener_takes_what_the_owner_brings_later(spool: Spool) -> None:
    owned, private = spool.open(KEY, size_bytes=len(DATA)), spool.open(KEY, size_bytes=len(DATA))
    private.write(10, b"mine")
    owned.write(0, DATA[:100])
    owned.write(500, DATA[500:900])
    private.catch_up()
    assert list(private.spans) == [(0, 100), (500, 900)]
    assert private.read(0, 100) == DATA[:10] + b"mine" + DATA[14:100], "what is here is not written again"
    assert private.read(500, 400) == DATA[500:900]
    owned.catch_up()
    assert list(owned.spans) == [(0, 100), (500, 900)]
    without = spool.open(KEY, size_bytes=len(DATA), copies=False)
    owned.delete()
    for one in (private, without):
        one.catch_up()
    assert (list(private.spans), list(without.spans)) == ([(0, 100), (500, 900)], [])
    private.close()
    with pytest.raises(ValueError, match="closed"):
        private.catch_up()


def test_a_file_that_is_begun_again_while_it_is_copied_is_not_believed(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = spool.open(KEY, size_bytes=10)
    owner.write(0, b"owner")
    read = os.pread

    def copied(descriptor: int, count: int, offset: int) -> bytes:
        if count == len(b"owner"):
            os.truncate(spool.directory / f"{KEY.hex()}.spans", 0)
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", copied)
    guest = spool.open(KEY, size_bytes=10)
    assert guest.spans.total == 0
    guest.close()
    owner.close()


def test_a_file_of_unknown_length_grows_until_its_size_is_said(spool: Spool) -> None:
    file = spool.open_growing(KEY)
    file.write(0, DATA[:50_000])
    file.write(50_000, DATA[50_000:])
    with pytest.raises(ValueError, match="another size"):
        file.set_size(10)
    file.set_size(len(DATA))
    file.set_size(len(DATA))
    with pytest.raises(ValueError, match="outside"):
        file.write(len(DATA), b"x")
    assert file.read(0, len(DATA)) == DATA
    file.delete()
    assert list(spool.directory.iterdir()) == []


def test_a_missing_data_file_takes_its_claims_with_it(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=10)
    file.write(0, b"0123456789")
    file.close()
    (spool.directory / f"{KEY.hex()}.part").unlink()
    assert spool.state(KEY) is None
    file = spool.open(KEY, size_bytes=10)
    assert file.spans.total == 0
    file.close()


def test_a_full_disk_is_named_and_claims_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spool.open(KEY, size_bytes=1000)
    file.write(0, b"a" * 10)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for call in ("pwrite", "write"):  # of the data, of the journal
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            with pytest.raises(StoreFull):
                file.write(100, b"b" * 10)
        assert list(file.spans) == [(0, 10)]
    file.write(200, b"c" * 10)
    file.close()
    file = spool.open(KEY, size_bytes=1000)
    assert list(file.spans) == [(0, 10), (200, 210)]
    file.close()


def test_a_torn_record_of_a_full_disk_does_not_hide_later_ones(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spool.open(KEY, size_bytes=1000)
    real_write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:5]))
        with pytest.raises(StoreError):
            file.write(100, b"b" * 10)
    file.write(200, b"c" * 10)
    file.close()
    assert spool.state(KEY) == 10


def test_what_earlier_runs_recorded_counts_too(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "MAX_RECORDS", 10)
    for run in range(4):
        file = spool.open(KEY, size_bytes=1000)
        for number in range(10):
            file.write(100 * run + 2 * number, b"x")
        file.close()
    assert spool.states() == {KEY: 10}


def test_a_journal_that_is_longer_than_any_counts_as_missing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier builds bounded each run's records and not their sum."""
    file = spool.open(KEY, size_bytes=1000)
    for number in range(20):
        file.write(2 * number, b"x")
    file.close()
    monkeypatch.setattr(spool_module, "MAX_JOURNAL_BYTES", 300)
    assert spool.states() == {}
    file = spool.open(KEY, size_bytes=1000)
    assert file.spans.total == 0
    file.write(0, b"once")
    guest = spool.open(KEY, size_bytes=1000)
    assert guest.read(0, 4) == b"once"
    guest.close()
    file.close()


def test_trimming_deletes_what_a_kill_left_of_stored_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path, is_stored=lambda key: key == KEY)
    other = OTHER
    for key in (KEY, other):
        file = spool.open(key, size_bytes=1000)
        file.write(0, b"x" * 10)
        file.close()
    assert spool.trim(1 << 40) == 1
    assert spool.state(KEY) is None
    assert spool.state(other) == 10


def test_trimming_deletes_the_oldest_that_nobody_has_open(spool: Spool) -> None:
    keys = [ContentKey(bytes([number]) * 32) for number in range(4)]
    for age, key in enumerate(keys):
        file = spool.open(key, size_bytes=1 << 20)
        file.write(0, b"x" * (1 << 20))
        file.close()
        os.utime(spool.directory / f"{key.hex()}.part", (1000 + age, 1000 + age))
    held = spool.open(keys[0], size_bytes=1 << 20)
    assert spool.usage_bytes() >= 4 << 20
    assert spool.trim(spool.usage_bytes()) == 0
    assert spool.trim(5 << 19) == 2
    assert [spool.state(key) for key in keys] == [1 << 20, None, None, 1 << 20]
    assert held.read(0, 3) == b"xxx"
    held.close()


def test_deleting_while_another_thread_uses_the_file_leaves_that_use_whole(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=10)
    file.write(0, b"0123456789")
    with file._using("read"):
        file.delete()
        assert os.pread(file.fd, 10, 0) == b"0123456789"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.fd)
    with pytest.raises(ValueError, match="closed"):
        file.read(0, 10)
    file.close()


def test_journals_of_one_key_are_not_taken_for_another(spool: Spool) -> None:
    file = spool.open(KEY, size_bytes=10)
    file.write(0, b"0123456789")
    file.close()
    for suffix in ("part", "spans"):
        (spool.directory / f"{KEY.hex()}.{suffix}").rename(spool.directory / f"{OTHER.hex()}.{suffix}")
    file = spool.open(OTHER, size_bytes=10)
    assert file.spans.total == 0
    file.close()


def test_an_unusable_directory_is_a_store_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing")
    assert spool.state(KEY) is None
    assert spool.usage_bytes() == 0
    with pytest.raises(StoreError):
        spool.open(KEY, size_bytes=1)


def test_trimming_deletes_what_was_left_for_long(spool: Spool) -> None:
    for key, age_s in ((KEY, 1_000), (OTHER, 10)):
        file = spool.open(key, size_bytes=1_000)
        file.write(0, b"x")
        file.close()
        written_s = time.time() - age_s
        os.utime(spool.directory / f"{key.hex()}.part", (written_s, written_s))
    assert spool.trim(1 << 40, idle_s=2_000) == 0
    assert spool.trim(1 << 40, idle_s=500) == 1
    assert (spool.state(KEY), spool.state(OTHER)) == (None, 1)
