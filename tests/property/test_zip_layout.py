"""Whatever the bytes are, cutting loses none of them; and a ZIP that is in order is cut at its members."""

from __future__ import annotations

import io
import random
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheelfs.core.wheel.cutting import BLOCK_BYTES, GZ_HEAD_BYTES, SMALL_BYTES, Layout, cut_file, cut_fixed
from wheelfs.core.wheel.zip_layout import (
    LOCAL_HEADER_BYTES,
    DirectoryLocation,
    NeedMore,
    NotAZip,
    data_offset,
    extract_member,
    find_directory,
    parse_directory,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wheelfs.core.wheel.zip_layout import Member

_sizes = st.one_of(st.integers(0, 3000), st.sampled_from([BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES + 7]))
_names = st.sampled_from(["a.py", "b/c.so", "data.json.gz", "x-1.0.dist-info/METADATA", "ü.txt"])
_methods = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])


class _Unseekable(io.RawIOBase):
    """Makes `zipfile` write data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self.data += bytes(data)
        return len(bytes(data))


@st.composite
def _archives(draw: st.DrawFn) -> bytes:
    members = draw(st.lists(st.tuples(_names, _methods, _sizes, st.binary(max_size=3)), max_size=5))
    seed = random.Random(draw(st.integers(0, 1000)))
    sink = _Unseekable()
    seekable = io.BytesIO()
    descriptors = draw(st.booleans())
    with zipfile.ZipFile(sink if descriptors else seekable, "w") as archive:
        for number, (name, method, size, junk) in enumerate(members):
            info = zipfile.ZipInfo(f"{number}/{name}", (2026, 1, 1, 0, 0, 0))
            info.compress_type = method
            info.extra = b"\x99\x99" + len(junk).to_bytes(2, "little") + junk if junk else b""
            with archive.open(info, "w", force_zip64=bool(len(junk) == 3)) as file:
                file.write(seed.randbytes(size))
        # Python's reader would take the magic of the end in a comment for the end.
        archive.comment = draw(st.binary(max_size=5).filter(lambda comment: b"PK" not in comment))
    data = bytes(sink.data) if descriptors else seekable.getvalue()
    return draw(st.binary(max_size=40)) + data


def _cut(data: bytes) -> Layout:
    return cut_file(lambda offset, size: data[offset : offset + size], len(data))


def _assert_lossless(layout: Layout, size: int) -> None:
    position = 0
    data_bytes = 0
    for is_chunk, start, length in layout.pieces():
        assert start == position
        assert length > 0
        if is_chunk:
            assert length <= BLOCK_BYTES
            data_bytes += length
        position += length
    assert position == size
    assert layout.skeleton_bytes == size - data_bytes


def _parsed(data: bytes) -> tuple[Member, ...] | None:
    try:
        location = find_directory(data, len(data))
        assert isinstance(location, DirectoryLocation)
        return parse_directory(data[location.offset : location.offset + location.size_bytes], location)
    except NotAZip:
        return None


@settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large])
@given(_archives())
def test_an_archive_in_order_is_cut_at_its_members(data: bytes) -> None:
    layout = _cut(data)
    _assert_lossless(layout, len(data))
    chunks = [(start, start + length) for is_chunk, start, length in layout.pieces() if is_chunk]
    skeleton = b"".join(data[start : start + length] for is_chunk, start, length in layout.pieces() if not is_chunk)
    members = _parsed(data)
    assert members is not None
    with_data = sorted((member for member in members if member.compressed_size), key=lambda member: member.header_offset)
    assert [cut.member for cut in layout.members] == with_data
    for cut in layout.members:
        member, count, skeleton_start = cut.member, cut.chunks, cut.skeleton_start
        start = data_offset(member, data[member.header_offset : member.header_offset + LOCAL_HEADER_BYTES])
        end = start + member.compressed_size
        own, chunks = chunks[:count], chunks[count:]
        begins = own[0][0] if own else end
        # The chunks are the member's data up to its end, and what is before them stands together in the skeleton.
        assert [*(before for before, _ in own), end] == [begins, *(after for _, after in own)]
        assert skeleton[skeleton_start : skeleton_start + begins - start] == data[start:begins]
        gzipped = member.name.endswith(".gz") and member.compressed_size >= GZ_HEAD_BYTES + SMALL_BYTES
        assert begins - start == (GZ_HEAD_BYTES if gzipped else 0) or not own
        assert bool(own) == (member.compressed_size >= SMALL_BYTES)
    assert not chunks
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [info.filename for info in archive.infolist()] == [member.name for member in members]
        for member in members:
            assert extract_member(member, data, 0) == archive.read(member.name)


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (95, []),
        (96, [96]),
        (16_384 + 2_047, [16_384 + 2_047]),
        (16_384 + 2_048, [16_384, 2_048]),
        (262_127, [16_384, 16_384, 32_768, 65_536, 131_055]),
        (262_128, [262_128]),
        (2 * 262_128 + 40_000, [262_128, 262_128, 16_384, 16_384, 7_232]),
        (262_128 + 5, [262_128, 5]),
    ],
)
def test_a_member_is_cut_at_blocks_and_early_in_what_is_shorter(size: int, lengths: list[int]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.bin", bytes(size))
    assert list(_cut(buffer.getvalue()).lengths) == lengths


@settings(max_examples=150, suppress_health_check=[HealthCheck.data_too_large])
@given(_archives(), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6), st.integers(0, 60))
def test_a_mutated_archive_loses_no_byte(data: bytes, flips: list[tuple[int, int]], cut_off: int) -> None:
    mutated = bytearray(data)
    for distance, value in flips:
        # Counted from the end, where the records are that steer everything.
        mutated[-1 - distance % min(len(mutated), 300)] = value
    del mutated[len(mutated) - cut_off * (cut_off < 30) :]
    _assert_lossless(_cut(bytes(mutated)), len(mutated))


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_lose_no_byte(data: bytes) -> None:
    _assert_lossless(_cut(data), len(data))


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 500))
def test_any_tail_is_answered_or_refused(tail: bytes, before: int) -> None:
    try:
        answer = find_directory(tail + b"PK\x05\x06" + tail[:18], before + len(tail) + 4 + min(18, len(tail)))
    except NotAZip:
        return
    if isinstance(answer, NeedMore):
        assert 0 <= answer.start < before
    else:
        assert answer.offset >= 0
        assert answer.offset + answer.size_bytes <= before + len(tail) + 4


def _two_members() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"a" * 300)
        archive.writestr("b", b"b" * 300)
    return buffer.getvalue()


@pytest.mark.parametrize("lie", ["same header", "into its neighbour", "no local header"])
def test_lying_members_make_a_fixed_cut(lie: str) -> None:
    data = bytearray(_two_members())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    match lie:
        case "same header":
            data[second + 42 : second + 46] = bytes(4)
        case "into its neighbour":
            first = data.index(b"PK\x01\x02")
            data[first + 20 : first + 24] = (400).to_bytes(4, "little")
        case _:
            data[second + 42 : second + 46] = (20).to_bytes(4, "little")
    layout = _cut(bytes(data))
    assert list(layout.lengths) == list(cut_fixed(len(data)).lengths)
    assert layout.skeleton_bytes == 0


def test_seventy_thousand_members_are_cut_one_by_one() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"12345678" * 12)
    data = buffer.getvalue()
    layout = _cut(data)
    _assert_lossless(layout, len(data))
    assert len(layout.lengths) == 70_000
    assert set(layout.lengths) == {96}


@given(st.integers(0, 3 * BLOCK_BYTES))
def test_a_fixed_cut_is_all_chunks(size: int) -> None:
    layout = cut_fixed(size)
    _assert_lossless(layout, size)
    assert layout.skeleton_bytes == 0
