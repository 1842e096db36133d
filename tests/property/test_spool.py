"""Whatever is written, dropped, flushed and cut short: no byte is ever claimed that was not written."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from wheelfs.model.content import ContentKey
from wheelfs.store.spool import spool as spool_module
from wheelfs.store.spool.journal import boot_record, header, range_record, replay
from wheelfs.store.spool.spool import Spool

KEY = ContentKey(b"k" * 32)
SIZE = 64
PATTERN = bytes(range(1, SIZE + 1))
"""What is ever written: no zeros, so that a byte which was not written, or was lost, is seen at once."""

ranges = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(lambda pair: (pair[0], min(SIZE, pair[0] + pair[1])))
steps = st.one_of(
    st.tuples(st.just("write"), ranges),
    st.tuples(st.just("drop"), ranges),
    st.tuples(st.sampled_from(["sync", "reopen", "reboot"]), st.just((0, 0))),
    st.tuples(st.just("cut"), st.tuples(st.integers(0, 400), st.just(0))),
)


@settings(max_examples=150)
@given(st.lists(steps, max_size=25))
def test_no_byte_is_claimed_that_was_not_written(program: list[tuple[str, tuple[int, int]]]) -> None:
    """A cut is a crash: a copy of both files, the journal cut at any byte; a reboot loses whatever was not flushed."""
    flushed: set[int] = set()
    boot = 1
    with tempfile.TemporaryDirectory() as name, mock.patch.object(spool_module, "boot_id", lambda: bytes([boot]) * 16):
        directory = Path(name, "0")
        directory.mkdir()
        file = Spool(directory).open(KEY, size_bytes=SIZE)
        for number, (step, (first, last)) in enumerate(program, 1):
            if step == "write":
                file.write(first, PATTERN[first:last])
            elif step == "drop":  # as earlier builds wrote it
                assert file._journal is not None
                file._journal.note(b"D", first, last - first)
                file.close()
                file = Spool(directory).open(KEY, size_bytes=SIZE)
            elif step == "sync":
                file.sync()
                flushed |= _filled(directory)
            else:
                claimed = {position for start, end in file.spans for position in range(start, end)}
                file.close()
                before, directory = directory, Path(name, str(number))
                shutil.copytree(before, directory)
                if step == "cut":
                    journal = directory / f"{KEY.hex()}.spans"
                    journal.write_bytes(journal.read_bytes()[:first])
                if step == "reboot":
                    boot += 1
                    data = bytearray((directory / f"{KEY.hex()}.part").read_bytes())
                    for position in set(range(SIZE)) - flushed:
                        data[position] = 0
                    (directory / f"{KEY.hex()}.part").write_bytes(data)
                file = Spool(directory).open(KEY, size_bytes=SIZE)
                reopened = {position for start, end in file.spans for position in range(start, end)}
                if step == "reopen":
                    assert reopened == claimed
                flushed &= _filled(directory)
            for start, end in file.spans:
                assert file.read(start, end - start) == PATTERN[start:end]
        file.close()


def _filled(directory: Path) -> set[int]:
    return {position for position, byte in enumerate((directory / f"{KEY.hex()}.part").read_bytes()) if byte}


@given(st.lists(st.tuples(st.sampled_from([b"W", b"D", b"S"]), ranges), max_size=8), st.data())
def test_a_flipped_bit_or_a_cut_ends_the_journal_there(records: list[tuple[bytes, tuple[int, int]]], data: st.DataObject) -> None:
    journal, crc = header(KEY, SIZE, "etag")
    record, crc = boot_record(crc, b"b" * 16)
    journal += record
    ends = [len(journal)]
    for kind, (first, last) in records:
        record, crc = range_record(kind, first, last - first, crc)
        journal += record
        ends.append(len(journal))
    whole = replay(journal, KEY, b"b" * 16)
    assert whole is not None
    assert (whole.end, whole.size_bytes, whole.validator) == (len(journal), SIZE, "etag")
    position = data.draw(st.integers(0, len(journal) - 1))
    flipped = bytearray(journal)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(flipped), journal[:position]):
        found = replay(damaged, KEY, b"b" * 16)
        if found is not None:
            assert found.end <= position
            clean = replay(journal[: found.end], KEY, b"b" * 16)
            assert clean is not None
            assert clean.spans == found.spans
        else:
            assert position < ends[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_failing(data: bytes) -> None:
    assert replay(data, KEY, b"b" * 16) is None
