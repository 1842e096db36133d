"""Members that are unpacked piece by piece."""

from __future__ import annotations

import io
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fakes.wheels import incompressible
from wheelfs.core.wheel.unpacking import BZIP2, DEFLATED, LZMA, STORED
from wheelfs.core.wheel.zip_layout import Inflater, Member, NotAZip, inflated

METHODS = [STORED, DEFLATED, BZIP2, LZMA]


def packed(content: bytes, method: int = DEFLATED) -> tuple[Member, bytes]:
    with io.BytesIO() as made:
        with zipfile.ZipFile(made, "w", method) as archive:
            archive.writestr("x", content)
            size = archive.getinfo("x").compress_size
        data = made.getvalue()[31:][:size]  # after a local header and its name
    return Member("x", zlib.crc32(content), method, 0, len(data), len(content), 0), data


def unpacked(member: Member, data: bytes, piece: int) -> bytes:
    inflater = Inflater(member)
    got = b"".join(part for at in range(0, len(data), piece) for part in inflater.take(data[at : at + piece]))
    inflater.finish()
    return got


@given(st.binary(max_size=2000), st.integers(1, 700), st.sampled_from(METHODS), st.integers(1, 3000))
def test_pieces_of_any_size_give_the_same(content: bytes, piece: int, method: int, times: int) -> None:
    member, data = packed(content * times, method)
    assert unpacked(member, data, piece * 50) == content * times == inflated(member, data)


@pytest.mark.parametrize("size_bytes", range((1 << 20) - 300, (1 << 20) + 900, 60))
def test_nothing_stays_inside_of_zlib_at_the_end_of_a_piece(size_bytes: int) -> None:
    member, data = packed(bytes(size_bytes))
    assert unpacked(member, data, len(data)) == bytes(size_bytes)


@given(st.binary(min_size=1, max_size=500), st.sampled_from(METHODS), st.data())
def test_other_bytes_are_noticed(content: bytes, method: int, data: st.DataObject) -> None:
    member, right = packed(content, method)
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = bytearray(right)
    wrong[at] ^= data.draw(st.integers(1, 255))
    with suppress(NotAZip):
        assert unpacked(member, bytes(wrong), 7) == content  # another way of packing the same
    with suppress(NotAZip):
        assert inflated(member, bytes(wrong)) == content


@pytest.mark.parametrize("method", METHODS)
def test_a_small_stream_that_grows_is_stopped_at_the_size_that_was_promised(method: int) -> None:
    member, data = packed(bytes(5 << 20), method)
    with pytest.raises(NotAZip, match="larger than the directory says"):
        unpacked(replace(member, size=1000), data, 1 << 20)
    with pytest.raises(NotAZip, match="size and checksum"):
        inflated(replace(member, size=1000), data)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_cut_short_is_noticed(method: int) -> None:
    member, data = packed(incompressible(20_000), method)
    with pytest.raises(NotAZip, match="size and checksum"):
        unpacked(member, data[:-100], 100)


def test_other_methods_are_refused() -> None:
    with pytest.raises(NotAZip, match="method 9"):
        Inflater(Member("x", 0, 9, 0, 1, 1, 0))


def test_a_dictionary_of_4_gib_is_not_taken_at_its_word() -> None:
    member, data = packed(b"content" * 1000, LZMA)
    assert inflated(member, data[:5] + b"\xff" * 4 + data[9:]) == b"content" * 1000


@pytest.mark.parametrize("head", [b"", b"\t\4\5\0]\0\0", b"\t\4\6\0]\0\0\1\0", b"\t\4\5\0\xe1\0\0\1\0", b"\t\4\5\0\x28\0\0\1\0"])
def test_headers_of_lzma_that_make_no_sense_are_refused(head: bytes) -> None:
    member = Member("x", 1, LZMA, 0, len(head), 10, 0)
    with pytest.raises(NotAZip):
        inflated(member, head)
    with pytest.raises(NotAZip):
        unpacked(member, head, 1)
