"""Objects of a share: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import contextlib
from array import array
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.model.framing import ShareFormatError, framed
from wheelfs.model.manifest import Manifest
from wheelfs.model.share_objects import (
    PACK_HEAD,
    Snapshot,
    decode_entry,
    decode_index,
    decode_snapshot,
    encode_entry,
    encode_index,
    encode_snapshot,
)
from wheelfs.model.shared import SharedFile

if TYPE_CHECKING:
    from collections.abc import Callable

PACK = bytes(range(16))
FILE = SharedFile("some-project", "some_project-1.0-py3-none-any.whl", "main", b"s" * 32, 12, yanked="it breaks")
DECODERS: dict[bytes, Callable[[bytes], object]] = {
    b"WFM1": Manifest.decode,
    b"WFX1": lambda encoded: list(decode_index(PACK, encoded)),
    b"WFE1": decode_entry,
    b"WFS1": decode_snapshot,
}

digests = st.binary(min_size=32, max_size=32)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    packs = tuple(draw(st.lists(st.binary(min_size=16, max_size=16), max_size=3)))
    places = st.tuples(st.integers(0, max(0, len(packs) - 1)), st.integers(0, 60 << 20))
    chunks = draw(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 262_128), digests, places), max_size=8))
    skeleton = sum(gap for gap, _, _, _ in chunks) + draw(st.integers(0, 100))
    lengths = array("I", [length for _, length, _, _ in chunks])
    return Manifest(
        size_bytes=sum(lengths) + skeleton,
        skeleton_bytes=skeleton,
        frame=draw(st.binary(min_size=1, max_size=50)) if skeleton else b"",
        gaps=array("I", [gap for gap, _, _, _ in chunks]),
        lengths=lengths,
        digests=b"".join(digest for _, _, digest, _ in chunks),
        packs=packs,
        pack_of=array("I", [number for _, _, _, (number, _) in chunks if packs]),
        offsets=array("I", [offset for _, _, _, (_, offset) in chunks if packs]),
    )


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    index = encode_index([b"d" * 32] * 2, array("I", [3, 4]))
    others = (index, encode_entry(FILE), encode_snapshot(Snapshot((FILE,), ("0" * 32,))))
    return draw(st.one_of(manifests().map(Manifest.encode), st.sampled_from(others)))


@given(manifests())
def test_a_manifest_is_read_back_and_covers_its_file_exactly(manifest: Manifest) -> None:
    read = Manifest.decode(manifest.encode())
    assert read.encode() == manifest.encode()
    assert len(manifest.encode()) == manifest.encoded_bytes
    assert sum(length for _, length in read.skeleton_ranges()) == manifest.skeleton_bytes
    if manifest.packs:
        assert list(read.placed()) == list(manifest.placed())
        at = 0
        for offset, length in sorted([(chunk.offset, chunk.length) for chunk in read.placed()] + list(read.skeleton_ranges())):
            assert offset == at
            at += length
        assert at == manifest.size_bytes


@given(st.lists(st.tuples(digests, st.integers(1, 262_128)), max_size=20))
def test_an_index_gives_each_chunk_its_place_one_behind_the_other(chunks: list[tuple[bytes, int]]) -> None:
    encoded = encode_index([digest for digest, _ in chunks], array("I", [length for _, length in chunks]))
    at = len(PACK_HEAD)
    read = list(decode_index(PACK, encoded))
    assert len(read) == len(chunks)
    for (digest, place), (expected, length) in zip(read, chunks, strict=True):
        assert (digest, place.pack, place.offset) == (expected, PACK, at)
        at += length


def test_entries_and_snapshots_are_read_back() -> None:
    assert decode_entry(encode_entry(FILE)) == FILE
    assert decode_snapshot(encode_snapshot(Snapshot((FILE,), ("0" * 32,)))) == Snapshot((FILE,), ("0" * 32,))


@given(objects(), st.data())
def test_a_flipped_bit_or_a_cut_is_noticed(written: bytes, data: st.DataObject) -> None:
    encoded = bytearray(written)
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    decode = DECODERS[written[:4]]
    decode(written)
    for damaged in (bytes(encoded), written[: data.draw(st.integers(0, len(encoded) - 1))]):
        with pytest.raises(ShareFormatError):
            decode(damaged)


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=200))
def test_other_bytes_are_no_object(magic: bytes, noise: bytes) -> None:
    with pytest.raises(ShareFormatError):
        DECODERS[magic](magic + noise)


@pytest.mark.parametrize("magic", sorted(DECODERS))
@given(body=st.binary(max_size=200))
def test_a_good_checksum_does_not_make_nonsense_an_object(magic: bytes, body: bytes) -> None:
    with contextlib.suppress(ShareFormatError):
        DECODERS[magic](framed(magic, body))


@pytest.mark.parametrize(
    "strange",
    [
        {"filename": "../some_project-1.0-py3-none-any.whl"},
        {"filename": "other-1.0-py3-none-any.whl"},
        {"filename": "notes.txt"},
        {"project": "Some_Project"},
        {"project": "../x"},
        {"sha256": b"short"},
        {"size_bytes": -1},
    ],
    ids=str,
)
def test_an_entry_with_a_name_that_no_index_could_list_is_none(strange: dict[str, object]) -> None:
    encoded = encode_entry(msgspec.structs.replace(FILE, **strange))
    with pytest.raises(ShareFormatError):
        decode_entry(encoded)
