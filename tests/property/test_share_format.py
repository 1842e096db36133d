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
from wheelfs.model.share_catalog import (
    Batch,
    SnapshotOf,
    decode_record,
    decode_root,
    decode_snapshot,
    encode_record,
    encode_root,
    encode_snapshot,
    identity_of,
    marker,
)
from wheelfs.model.shared import SharedFile

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = SharedFile("some-project", "some_project-1.0-py3-none-any.whl", "main", b"s" * 32, 12, yanked="it breaks")
BATCH = Batch((FILE,), (("other", "other-1.0.tar.gz", b"o" * 32),))
ROOT = (SnapshotOf("0" * 32, 5, 1),)
DECODERS: dict[bytes, Callable[[bytes], object]] = {
    b"WFM1": Manifest.decode,
    b"WFL1": decode_record,
    b"WFR1": decode_root,
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
    others = (encode_record(BATCH), encode_snapshot(BATCH), encode_root(ROOT))
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


def test_records_snapshots_and_roots_are_read_back() -> None:
    assert decode_record(encode_record(BATCH)) == BATCH
    assert decode_snapshot(encode_snapshot(BATCH)) == BATCH
    assert decode_root(encode_root(ROOT)) == ROOT


def test_a_share_is_known_by_its_marker_and_another_version_s_is_not() -> None:
    assert identity_of(marker("ab" * 16)) == "ab" * 16
    for strange in (b"", b"wheelfs share 1\n", b"wheelfs share 2\n" + b"ab" * 16 + b"\n", marker("ab" * 16) + b"more", b"<html>"):
        assert identity_of(strange) is None


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
def test_a_file_with_a_name_that_no_index_could_list_is_left_out_and_the_others_are_not(strange: dict[str, object]) -> None:
    batch = Batch((msgspec.structs.replace(FILE, **strange), FILE))
    assert decode_record(encode_record(batch)).files == (FILE,)
    assert decode_snapshot(encode_snapshot(batch)).files == (FILE,)
