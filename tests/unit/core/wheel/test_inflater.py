"""Members that are unpacked piece by piece."""

from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wheelfs.core.wheel.zip_layout import DEFLATED, STORED, Inflater, Member, NotAZip, inflated


def packed(content: bytes, method: int = DEFLATED) -> tuple[Member, bytes]:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflater.compress(content) + deflater.flush() if method == DEFLATED else content
    return Member("x", zlib.crc32(content), method, 0, len(data), len(content), 0), data


def unpacked(member: Member, data: bytes, piece: int) -> bytes:
    inflater = Inflater(member)
    got = b"".join(part for at in range(0, len(data), piece) for part in inflater.take(data[at : at + piece]))
    inflater.finish()
    return got


@given(st.binary(max_size=2000), st.integers(1, 700), st.sampled_from([STORED, DEFLATED]), st.integers(1, 3000))
def test_pieces_of_any_size_give_the_same(content: bytes, piece: int, method: int, times: int) -> None:
    member, data = packed(content * times, method)
    assert unpacked(member, data, piece * 50) == content * times == inflated(member, data)


@pytest.mark.parametrize("size_bytes", range((1 << 20) - 300, (1 << 20) + 900, 60))
def test_nothing_stays_inside_of_zlib_at_the_end_of_a_piece(size_bytes: int) -> None:
    member, data = packed(bytes(size_bytes))
    assert unpacked(member, data, len(data)) == bytes(size_bytes)


@given(st.binary(min_size=1, max_size=500), st.data())
def test_other_bytes_are_noticed(content: bytes, data: st.DataObject) -> None:
    member, right = packed(content)
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = bytearray(right)
    wrong[at] ^= data.draw(st.integers(1, 255))
    with suppress(NotAZip):
        assert unpacked(member, bytes(wrong), 7) == content  # another way of packing the same
    with suppress(NotAZip):
        assert inflated(member, bytes(wrong)) == content


def test_a_small_stream_that_grows_is_stopped_at_the_size_that_was_promised() -> None:
    member, data = packed(bytes(50 << 20))
    with pytest.raises(NotAZip, match="larger than the directory says"):
        unpacked(replace(member, size=1000), data, 1 << 20)


def test_what_is_cut_short_is_noticed() -> None:
    member, data = packed(b"content" * 1000)
    with pytest.raises(NotAZip, match="size and checksum"):
        unpacked(member, data[:-5], 100)


def test_other_methods_are_refused() -> None:
    with pytest.raises(NotAZip, match="method 12"):
        Inflater(Member("x", 0, 12, 0, 1, 1, 0))
