"""METADATA is found in a few ranges, however little of the wheel's end was asked for first."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.wheel import metadata
from wheelfs.core.wheel.zip_layout import NotAZip

METADATA = b"Metadata-Version: 2.1\nName: lab_tools\nVersion: 1.0\n"


def build(members: int, *, comment: bytes = b"", metadata_first: bool = False) -> bytes:
    """A wheel whose directory takes about 90 bytes a member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if metadata_first:
            archive.writestr("lab_tools-1.0.dist-info/METADATA", METADATA)
        for number in range(members):
            archive.writestr(f"lab_tools/module_with_a_rather_long_name_{number:06}.py", b"x" * 40)
        if not metadata_first:
            archive.writestr("lab_tools-1.0.dist-info/METADATA", METADATA)
        archive.comment = comment
    return file.getvalue()


def asked_ranges(wheel: bytes, tail_bytes: int) -> tuple[metadata.Found, list[tuple[int, int]]]:
    search = metadata.search(len(wheel), tail_bytes, "lab-tools")
    asked = [next(search)]
    while True:
        start, end = asked[-1]
        assert 0 <= start < end <= len(wheel)
        try:
            asked.append(search.send(wheel[start:end]))
        except StopIteration as done:
            return done.value, asked


WHEELS = [build(3), build(1_500), build(1_500, metadata_first=True), build(400, comment=b"c" * 60_000)]


@given(wheel=st.sampled_from(WHEELS), tail_bytes=st.integers(1, 300_000))
def test_whatever_the_first_tail_held_the_metadata_is_found(wheel: bytes, tail_bytes: int) -> None:
    found, asked = asked_ranges(wheel, tail_bytes)
    assert found.metadata == METADATA
    assert len(asked) <= 4
    assert len(wheel) - found.directory_bytes >= asked[-1][1], "the last range lies before the directory"


def test_a_directory_longer_than_the_tail_costs_one_more_range() -> None:
    wheel = build(1_500)
    found, asked = asked_ranges(wheel, 65_536)
    assert found.directory_bytes > 65_536
    assert asked[1] == (len(wheel) - found.directory_bytes, len(wheel))
    assert len(asked) == 3


@pytest.mark.parametrize("wheel", WHEELS, ids=len)
def test_a_truncated_wheel_is_told_apart(wheel: bytes) -> None:
    with pytest.raises(NotAZip):
        asked_ranges(wheel[:-1], 65_536)


@pytest.mark.parametrize("wheel", WHEELS, ids=len)
def test_of_a_whole_wheel_the_directory_is_read_once_and_given_along(wheel: bytes) -> None:
    asked: list[tuple[int, int]] = []

    def read(offset: int, size: int) -> bytes:
        asked.append((offset, offset + size))
        return wheel[offset : offset + size]

    found, directory = metadata.read_all_from(read, len(wheel), len(wheel), "lab-tools")
    assert found == METADATA
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert [member.name for member in directory.members] == archive.namelist()
    assert [end > directory.location.offset for _, end in asked] == [True, False]


def test_a_wheel_is_refused_for_any_member_that_cannot_be_and_its_metadata_alone_is_not() -> None:
    wheel = bytearray(build(3))
    first = wheel.index(b"PK\x01\x02")
    wheel[first + 20 : first + 24] = len(wheel).to_bytes(4, "little")

    def read(offset: int, size: int) -> bytes:
        return bytes(wheel[offset : offset + size])

    assert metadata.read_from(read, len(wheel), 65_536, "lab-tools") == METADATA
    with pytest.raises(NotAZip, match="inside the file"):
        metadata.read_all_from(read, len(wheel), 65_536, "lab-tools")
