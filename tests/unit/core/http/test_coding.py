"""Content codings: all members, to their end, and which files were packed on the way."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.http.coding import PIECE_BYTES, BadCoding, Decoder, codings_of, is_packed_on_the_way

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = b"a page of an index\n" * 200


def undone(codings: Sequence[str], packed: bytes, step: int = 0) -> bytes:
    decoder = Decoder(codings)
    pieces = [packed] if not step else [packed[start : start + step] for start in range(0, len(packed), step)]
    found = b"".join(unpacked for piece in pieces for unpacked in decoder.feed(piece))
    decoder.finish()
    return found


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": (("gzip",), gzip.compress(TEXT)),
    "x-gzip": (("x-gzip",), gzip.compress(TEXT)),
    "members": (("gzip",), gzip.compress(TEXT[:1000]) + gzip.compress(b"") + gzip.compress(TEXT[1000:])),
    "padded": (("gzip",), gzip.compress(TEXT) + bytes(512)),
    "zlib": (("deflate",), zlib.compress(TEXT)),
    "raw": (("deflate",), raw_deflate(TEXT)),
    "twice": (("gzip", "deflate"), zlib.compress(gzip.compress(TEXT))),
    "plain": ((), TEXT),
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("step", [0, 1, 2, 7, 1000])
def test_codings_are_undone_whole_and_in_any_pieces(name: str, step: int) -> None:
    codings, packed = PACKED[name]
    assert undone(codings, packed, step) == TEXT


@pytest.mark.parametrize("name", ["gzip", "members", "zlib", "raw", "twice"])
@pytest.mark.parametrize("cut", [1, 4, 9, 40])
def test_a_body_that_ends_early_is_an_error(name: str, cut: int) -> None:
    codings, packed = PACKED[name]
    with pytest.raises(BadCoding, match="truncated"):
        undone(codings, packed[:-cut])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_empty_body_is_no_coding(coding: str) -> None:
    with pytest.raises(BadCoding, match="truncated"):
        undone((coding,), b"")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_packed_at_all_is_an_error(coding: str) -> None:
    with pytest.raises(BadCoding, match="packed"):
        undone((coding,), b"<html>" + b"\xff" * 99)


@pytest.mark.parametrize("codings", [("br",), ("zstd",), ("gzip", "br"), ("compress",), ("gzip",) * 5])
def test_other_codings_are_refused(codings: tuple[str, ...]) -> None:
    with pytest.raises(BadCoding, match="not asked for"):
        Decoder(codings)


def test_a_bomb_comes_in_pieces() -> None:
    feeding = Decoder(("gzip",)).feed(gzip.compress(bytes(1 << 26)))
    assert len(next(feeding)) <= PIECE_BYTES


def test_a_header_lists_codings_in_the_order_of_their_application() -> None:
    assert codings_of(" GZIP , identity,, br") == ("gzip", "br")
    assert codings_of(None) == codings_of("identity") == ()


@pytest.mark.parametrize("word", ["utf-8", "UTF-8", "iso-8859-1", "none", "binary", "8bit", "aws-chunked", "text/html"])
def test_words_that_name_no_coding_are_passed_over(word: str) -> None:
    assert codings_of(word) == ()
    assert codings_of(f"{word}, gzip") == ("gzip",)


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(min_value=1, max_value=64))
def test_any_members_in_any_pieces_are_their_contents(parts: list[bytes], step: int) -> None:
    packed = b"".join(map(gzip.compress, parts)) or gzip.compress(b"")
    assert undone(("gzip",), packed, step) == b"".join(parts)


@given(st.binary(max_size=300), st.sampled_from([("gzip",), ("deflate",), ("gzip", "deflate")]))
def test_no_bytes_raise_anything_else(data: bytes, codings: tuple[str, ...]) -> None:
    with contextlib.suppress(BadCoding):
        undone(codings, data)


ARCHIVE = gzip.compress(b"a tar archive" * 99)
WHEEL = b"PK\x03\x04" + bytes(99)


@pytest.mark.parametrize(
    ("filename", "sent", "codings", "is_packed"),
    [
        ("demo-1.0.tar.gz", ARCHIVE, ("gzip",), False),  # labelled for its name: pip takes what was sent
        ("demo-1.0.tgz", ARCHIVE, ("x-gzip",), False),
        ("demo-1.0.tar.gz", gzip.compress(ARCHIVE), ("gzip",), True),  # packed once more
        ("demo-1.0.tar.gz", zlib.compress(ARCHIVE), ("deflate",), True),
        ("demo-1.0.tar.bz2", b"BZh9" + bytes(99), ("bzip2",), False),
        ("demo-1.0.tar.Z", b"\x1f\x9d" + bytes(9), ("x-compress",), False),
        ("demo-1.0-py3-none-any.whl", WHEEL, ("gzip",), False),
        ("demo-1.0-py3-none-any.whl", WHEEL, ("zip",), False),
        ("demo-1.0-py3-none-any.whl", gzip.compress(WHEEL), ("gzip",), True),
        ("demo-1.0-py3-none-any.whl", gzip.compress(b"no wheel"), ("gzip",), True),
        ("demo-1.0-variants.json", gzip.compress(b"{}"), ("gzip",), True),
        ("demo-1.0.tar.gz", b"no archive", ("gzip",), False),
        ("demo-1.0.tar.gz", b"", ("gzip",), False),
    ],
    ids=range(13),  # gzip writes the time
)
def test_the_kind_of_file_says_whether_it_was_packed_on_the_way(
    filename: str, sent: bytes, codings: tuple[str, ...], is_packed: bool
) -> None:
    assert is_packed_on_the_way(filename, sent, codings) is is_packed


def test_what_neither_begins_like_can_be_tried_the_other_way() -> None:
    assert is_packed_on_the_way("demo-1.0.tar.gz", gzip.compress(b"odd"), ("deflate",)) is False
    assert is_packed_on_the_way("demo-1.0-py3-none-any.whl", gzip.compress(b"odd"), ("gzip",), otherwise=True) is False
    assert is_packed_on_the_way("demo-1.0.zip", gzip.compress(b"odd"), ("gzip",), otherwise=True) is True


def test_a_wheel_in_an_unknown_coding_is_an_error() -> None:
    with pytest.raises(BadCoding):
        is_packed_on_the_way("demo-1.0-py3-none-any.whl", b"\xce\xb2\xcf\x81", ("br",))
