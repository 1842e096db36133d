"""What `zip_layout` reads of a ZIP is what `zipfile` reads of it, and what it refuses it refuses with a reason."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import pytest
from msgspec.structs import replace

from wheelfs.core.wheel.zip_layout import (
    DirectoryLocation,
    Member,
    NeedMore,
    NotAZip,
    extract_member,
    find_directory,
    member_window,
    metadata_member,
    parse_directory,
)

_METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n" * 20


def _wheel(*, comment: bytes = b"", compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("demo/__init__.py", b"x = 1\n" * 100)
        archive.writestr("demo/größe.py", b"")
        archive.writestr("demo-1.0.dist-info/METADATA", _METADATA)
        archive.writestr("demo-1.0.dist-info/RECORD", b"r" * 50)
        archive.comment = comment
    return buffer.getvalue()


def _located(data: bytes) -> DirectoryLocation:
    location = find_directory(data, len(data))
    assert isinstance(location, DirectoryLocation)
    return location


def _members(data: bytes) -> tuple[Member, ...]:
    location = _located(data)
    return parse_directory(data[location.offset : location.offset + location.size_bytes], location)


def _zip64(data: bytes, *, with_prefix: bytes = b"") -> bytes:
    """Rewrite an archive's end so that everything is said in zip64 records only."""
    location = _located(data)
    body = data[: location.offset + location.size_bytes]
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, location.entries, location.entries, location.size_bytes, location.offset
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return with_prefix + body + record + locator + end


@pytest.mark.parametrize("comment", [b"", b"hello", b"c" * 65535], ids=["none", "short", "longest"])
def test_members_are_those_that_zipfile_sees(comment: bytes) -> None:
    data = _wheel(comment=comment)
    seen = [
        (member.name, member.crc, member.method, member.compressed_size, member.size, member.header_offset)
        for member in _members(data)
    ]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = [
            (info.filename, info.CRC, info.compress_type, info.compress_size, info.file_size, info.header_offset)
            for info in archive.infolist()
        ]
    assert seen == expected


def test_a_comment_full_of_end_magic_hides_nothing() -> None:
    # zipfile itself gives up here: it believes the last magic it sees.
    assert [member.name for member in _members(_wheel(comment=b"PK\x05\x06" * 1000))] == [
        member.name for member in _members(_wheel())
    ]


def test_a_tail_that_is_too_short_says_where_to_begin() -> None:
    data = _wheel(comment=b"c" * 500)
    answer = find_directory(data[-100:], len(data))
    assert isinstance(answer, NeedMore)
    assert find_directory(data[answer.start :], len(data)) == _located(data)


def test_the_tail_needs_the_end_record_only() -> None:
    data = _wheel()
    assert find_directory(data[-22:], len(data)) == _located(data)


@pytest.mark.parametrize("tail", [22, 42, 98, 10_000])
def test_a_zip64_end_is_found_from_any_tail(tail: int) -> None:
    data = _zip64(_wheel())
    answer = find_directory(data[-tail:], len(data))
    if isinstance(answer, NeedMore):
        answer = find_directory(data[answer.start :], len(data))
    assert isinstance(answer, DirectoryLocation)
    assert answer.zip64
    assert len(parse_directory(data[answer.offset : answer.offset + answer.size_bytes], answer)) == 4


@pytest.mark.parametrize("zip64", [False, True])
def test_prepended_data_shifts_every_offset(zip64: bool) -> None:
    prefix = b"#!/bin/sh\n" * 10
    data = _zip64(_wheel(), with_prefix=prefix) if zip64 else prefix + _wheel()
    assert _located(data).prepended == len(prefix)
    assert [member.header_offset - len(prefix) for member in _members(data)] == [
        member.header_offset for member in _members(_wheel())
    ]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_metadata_comes_out_of_its_window(compression: int) -> None:
    data = _wheel(compression=compression)
    members = _members(data)
    member = metadata_member(members, "demo")
    assert member is not None
    start, end = member_window(member, members, _located(data).offset)
    assert extract_member(member, data[start:end], start) == _METADATA


@pytest.mark.parametrize(
    ("names", "project", "found"),
    [
        (["demo-1.0.dist-info/METADATA"], "demo", True),
        (["De_Mo-1.0.dist-info/METADATA"], "de-mo", True),
        (["de-mo-1.0.dist-info/METADATA"], "de-mo", True),
        (["demo-1.0-1.dist-info/METADATA"], "demo", True),
        (["de-mo-1.0.dist-info/METADATA"], "mo", False),
        (["demo-1.0.dist-info/METADATA"], "other", False),
        (["sub/demo-1.0.dist-info/METADATA"], "demo", False),
        (["demo-1.0.dist-info/METADATA", "demo-2.0.dist-info/METADATA"], "demo", False),
        (["demo-1.0.dist-info/METADATA", "vendored-2.0.dist-info/METADATA"], "demo", True),
        (["demo-1.0.dist-info/METADATA", "vendored-2.0.dist-info/METADATA"], None, False),
    ],
)
def test_metadata_is_the_projects_own_and_unambiguous(names: list[str], project: str | None, found: bool) -> None:
    members = [Member(name, 0, 0, 0, 0, 0, 0) for name in names]
    assert (metadata_member(members, project) is not None) == found


def _metadata_in(data: bytes) -> tuple[Member, int, int]:
    members = _members(data)
    member = metadata_member(members)
    assert member is not None
    return member, *member_window(member, members, _located(data).offset)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crc": 1}, "checksum"),
        ({"size": 10}, "size and checksum"),
        ({"size": 1 << 40}, "larger than"),
        ({"method": 9}, "method 9"),
        ({"method": 12}, "cannot be unpacked"),
        ({"flags": 1}, "encrypted"),
        ({"compressed_size": 100_000}, "cut short"),
        ({"header_offset": 3}, "not where the directory says"),
        ({"header_offset": -1}, "not inside"),
    ],
)
def test_a_lying_directory_entry_is_refused(change: dict[str, Any], reason: str) -> None:
    data = _wheel()
    member, _, _ = _metadata_in(data)
    with pytest.raises(NotAZip, match=reason):
        extract_member(replace(member, **change), data, 0)


def test_a_bomb_is_stopped_at_the_promised_size() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", bytes(5_000_000))
    data = buffer.getvalue()
    member, start, end = _metadata_in(data)
    with pytest.raises(NotAZip, match="size and checksum"):
        extract_member(replace(member, size=100), data[start:end], start)
    with pytest.raises(NotAZip, match="larger than 1000 bytes"):
        extract_member(member, data[start:end], start, max_bytes=1000)


def test_damaged_data_is_refused() -> None:
    data = bytearray(_wheel())
    member, start, end = _metadata_in(bytes(data))
    data[end - member.compressed_size : end - member.compressed_size + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(NotAZip, match=r"unpacked|checksum"):
        extract_member(member, bytes(data[start:end]), start)


def _with_end(data: bytes, **fields: int) -> bytes:
    names = ["disk", "directory_disk", "here", "entries", "size", "offset"]
    values = dict(zip(names, struct.unpack("<4H2L", data[-18:-2]), strict=True)) | fields
    return data[:-18] + struct.pack("<4H2L", *values.values()) + data[-2:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no end-of-central"),
        (b"not a zip at all" * 9000, "no end-of-central"),
        (_wheel()[:-30], "no end-of-central"),
        (_with_end(_wheel(), disk=1), "several disks"),
        (_with_end(_wheel(), here=3), "several disks"),
        (_with_end(_wheel(), size=10_000_000), "inside the file"),
        (_with_end(_wheel(), offset=10_000_000), "inside the file"),
        (_with_end(_wheel(), here=60_000, entries=60_000), "too small"),
        (_zip64(_wheel()).replace(b"PK\x06\x06", b"PK\x06\x00"), "zip64"),
    ],
)
def test_a_lying_end_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(NotAZip, match=reason):
        find_directory(data, len(data))


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (0, b"XX", "no entry"),
        (28, b"\xff\xff", "middle of an entry"),
        (20, b"\xff\xff\xff\x7f", "inside the file"),
        (42, b"\xff\xff\xff\x7f", "inside the file"),
        (34, b"\x05\x00", "inside the file"),
        (42, b"\xff\xff\xff\xff", "zip64 field"),
    ],
)
def test_a_lying_entry_is_refused(position: int, value: bytes, reason: str) -> None:
    data = _wheel()
    location = _located(data)
    directory = bytearray(data[location.offset : location.offset + location.size_bytes])
    directory[position : position + len(value)] = value
    with pytest.raises(NotAZip, match=reason):
        parse_directory(bytes(directory), location)


def test_a_directory_that_is_not_complete_is_refused() -> None:
    data = _wheel()
    location = _located(data)
    with pytest.raises(NotAZip, match="not complete"):
        parse_directory(data[location.offset :][: location.size_bytes - 1], location)


def test_sizes_and_offsets_may_stand_in_the_zip64_extra() -> None:
    directory = struct.pack(
        "<4s4B4HL2L5H2L",
        *(b"PK\x01\x02", 45, 0, 45, 0, 0, 0, 0, 0, 7, 0xFFFFFFFF, 0xFFFFFFFF, 1, 5 + 28, 0, 0, 0, 0, 0xFFFFFFFF),
    )
    other = struct.pack("<HHB", 0x7075, 1, 0)
    directory += b"a" + other + struct.pack("<HHQQQ", 1, 24, 5 << 30, 4 << 30, 1 << 30)
    location = DirectoryLocation(offset=10 << 30, size_bytes=len(directory), entries=1)
    [member] = parse_directory(directory, location)
    assert (member.size, member.compressed_size, member.header_offset) == (5 << 30, 4 << 30, 1 << 30)
