"""Streams and blocks of solid members: every chunk comes back from them, whatever they are."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheelfs.core.solid import arranging
from wheelfs.core.solid.arranging import ArrangedStream, Cut, SolidMember, arranged
from wheelfs.core.solid.repeating import Repeat, SolidBlock
from wheelfs.core.unpacked.encoders import Encoder
from wheelfs.core.wheel.cutting import BLOCK_BYTES


def member(name: str, rank: int, content: bytes, *, level: int = 6, cut_at: int = 50) -> SolidMember:
    encoder = Encoder(level)
    data = encoder.packed(content)
    cuts = [
        Cut(start, min(cut_at, len(data) - start), hashlib.sha256(data[start : start + cut_at]).digest())
        for start in range(0, len(data), cut_at)
    ]
    return SolidMember(name, rank, content, data, encoder, cuts)


def made_again(stream: ArrangedStream) -> list[bytes]:
    def data_of(repeat: Repeat) -> bytes:
        return repeat.encoder.packed(stream.content[repeat.start : repeat.start + repeat.size])

    # By way of what is stored of them.
    blocks = [SolidBlock.decode(SolidBlock(7, block.repeats).encode()) for block in stream.blocks]
    return [block.made_again(data_of) for block in blocks]


contents = st.binary(min_size=1, max_size=2_000).map(lambda content: content * 3)
members = st.builds(
    member, st.text(max_size=5), st.integers(0, 3), contents, level=st.sampled_from([1, 6, 9]), cut_at=st.integers(1, 700)
)


@settings(deadline=None)
@given(st.lists(members, min_size=1, max_size=12), st.integers(1, 9_000))
def test_every_chunk_comes_back(given_members: list[SolidMember], stream_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arranging, "STREAM_BYTES", stream_bytes)
        patch.setattr(arranging, "LONGEST_STREAM_BYTES", 2 * stream_bytes)
        patch.setattr(arranging, "BLOCK_BYTES", 1_000)
        streams = list(arranged(given_members))
    chunks: list[tuple[bytes, bytes]] = []
    for stream in streams:
        for block, data in zip(stream.blocks, made_again(stream), strict=True):
            assert data == block.data
            assert len(data) <= 1_000
            position = 0
            for digest, length in block.chunks:
                chunks.append((digest, data[position : position + length]))
                position += length
    wanted = [(cut.digest, one.data[cut.offset :][: cut.length]) for one in given_members for cut in one.cuts]
    assert sorted(chunks) == sorted(wanted)


def test_likes_are_side_by_side_and_a_version_has_blocks_of_its_own() -> None:
    old, new = (f"version {version} ".encode() * 400 for version in (1, 2))
    (stream,) = arranged([member("b", 1, new), member("a", 1, new), member("b", 0, old), member("a", 0, old)])
    assert stream.content == old + new + old + new
    (block,) = stream.blocks
    assert [repeat.start // len(old) for repeat in block.repeats] == [0, 2, 1, 3], "the older version's first"


def test_versions_of_one_member_are_together_as_long_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arranging, "STREAM_BYTES", 1_000)
    monkeypatch.setattr(arranging, "LONGEST_STREAM_BYTES", 2_500)
    versions = [member("large", rank, b"%d" % rank * 800) for rank in range(4)]
    streams = list(arranged([*versions, member("other", 0, b"other" * 100)]))
    assert [len(stream.content) for stream in streams] == [2_400, 800, 500]


def test_no_block_is_longer_than_others_are() -> None:
    content = hashlib.shake_256(b"long").digest(600_000)
    cut_at = BLOCK_BYTES - 5
    (stream,) = arranged([member("long", 0, content, cut_at=cut_at)])
    assert [len(block.data) for block in stream.blocks] == [cut_at, cut_at, len(Encoder(6).packed(content)) - 2 * cut_at]


def test_what_is_no_record_of_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        SolidBlock.decode(zlib.compress(b"nothing of the kind"))
