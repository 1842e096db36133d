"""What is read of a file to cut it; where it is cut is in tests/property/test_zip_layout.py."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from wheelfs.core.wheel.cutting import LEAST_WINDOW_BYTES, TAIL_BYTES, WINDOW_BYTES, cut_file
from wheelfs.core.wheel.zip_layout import Directory, DirectoryLocation, find_directory, parse_directory

_RANDOM = random.Random(16)


class _File:
    """A ZIP of members of one size, which notes what is read of it."""

    def __init__(self, members: int, member_bytes: int) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(members):
                archive.writestr(f"{number}.py", _RANDOM.randbytes(member_bytes))
        self.data = buffer.getvalue()
        self.asked: list[tuple[int, int]] = []

    def read(self, offset: int, size: int) -> bytes:
        self.asked.append((offset, size))
        return self.data[offset : offset + size]

    def directory(self) -> Directory:
        location = find_directory(self.data, len(self.data))
        assert isinstance(location, DirectoryLocation)
        content = self.data[location.offset : location.offset + location.size_bytes]
        return Directory(location, parse_directory(content, location))


def test_local_headers_that_lie_close_together_are_read_together() -> None:
    file = _File(members=2_000, member_bytes=300)
    layout = cut_file(file.read, len(file.data), file.directory())
    assert len(layout.lengths) == 2_000
    assert len(file.asked) <= 2 + len(file.data) // (WINDOW_BYTES - 400)


def test_little_is_read_in_vain_where_local_headers_lie_far_apart() -> None:
    file = _File(members=20, member_bytes=100_000)
    cut_file(file.read, len(file.data), file.directory())
    assert {size for _, size in file.asked} == {LEAST_WINDOW_BYTES}
    assert len(file.asked) == 20


@pytest.mark.parametrize("member_bytes", [300, 100_000])
def test_a_directory_that_was_read_before_is_not_read_again_and_changes_no_cut(member_bytes: int) -> None:
    file = _File(members=20, member_bytes=member_bytes)
    alone = cut_file(file.read, len(file.data))
    assert (len(file.data) - TAIL_BYTES if len(file.data) > TAIL_BYTES else 0, TAIL_BYTES) in file.asked
    file.asked.clear()
    directory = file.directory()
    given = cut_file(file.read, len(file.data), directory)
    assert (given.gaps, given.lengths, given.members) == (alone.gaps, alone.lengths, alone.members)
    assert all(offset < directory.location.offset for offset, _ in file.asked)
