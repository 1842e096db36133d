"""Lies at chosen places, and claims that do not hold: comparing by the run finds what comparing element by element finds."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

import blake3
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from wheelfs.core.fetch.composition import Comparison, Composition
from wheelfs.model.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=6)


def letters(size: int) -> bytes:
    """Bytes of which no two neighbours are equal, and few chunks: those of one length may well be the same."""
    return bytes(number % 5 for number in range(size))


def claimed(
    sizes: Sequence[tuple[int, int]], end: int, content: bytes, digests: Sequence[int], skeleton_of: bytes
) -> Composition:
    """Compose a file of these gaps and chunks; chunk ``i`` is said to have the digest of chunk ``digests[i]``."""
    gaps, lengths = array("I", [gap for gap, _ in sizes]), array("I", [length for _, length in sizes])
    ends = list(accumulate(gap + length for gap, length in sizes))
    chunks = [content[at - length : at] for at, (_, length) in zip(ends, sizes, strict=True)]
    starts = [0, *ends]
    skeleton = b"".join(skeleton_of[at : at + gap] for at, (gap, _) in zip(starts, sizes, strict=False))
    skeleton += skeleton_of[starts[-1] : starts[-1] + end]
    manifest = Manifest(
        skeleton_bytes=len(skeleton),
        frame=zstandard.ZstdCompressor().compress(skeleton) if skeleton else b"",
        gaps=gaps,
        lengths=lengths,
        digests=b"".join(blake3.blake3(chunks[number]).digest() for number in digests),
    )
    return Composition(manifest, skeleton)


def compared_slowly(composed: Composition, start: int, data: bytes, most: int) -> Comparison:
    """Compare one element after the other; the skeleton of each as one string, as far as it came."""
    manifest = composed.manifest
    at, in_skeleton, looked_at = 0, 0, 0
    elements = [*zip(manifest.gaps, manifest.lengths, strict=True), (composed.end_bytes, 0)]
    good = start
    for number, (gap, length) in enumerate(elements):
        ends = at + gap + length
        is_last = number == len(elements) - 1
        if start < ends or is_last:
            if good == start + len(data) or looked_at == most:
                return Comparison(good - start, is_wrong=False)
            looked_at += 1
        if good < at + gap:
            came = data[good - start : at + gap - start]
            if came != composed.skeleton[in_skeleton + good - at : in_skeleton + good - at + len(came)]:
                return Comparison(good - start, is_wrong=True)
            good += len(came)
            if good < at + gap:
                return Comparison(good - start, is_wrong=False)
        if length and good == at + gap:
            came = data[good - start : good - start + length]
            if len(came) < length:
                return Comparison(good - start, is_wrong=False)
            if blake3.blake3(came).digest() != composed.chunk(number).digest:
                return Comparison(good - start, is_wrong=True)
            good += length
        at, in_skeleton = ends, in_skeleton + gap
    return Comparison(good - start, is_wrong=good < start + len(data))


def starts_of(composed: Composition) -> list[int]:
    """Return the offsets that are nowhere inside a chunk."""
    return [offset for offset in range(composed.size_bytes + 1) if composed.widened(offset, offset)[0] == offset]


@given(SIZES, st.integers(0, 3), st.data())
def test_a_lie_anywhere_in_what_came_is_found_as_by_element(sizes: list[tuple[int, int]], end: int, data: st.DataObject) -> None:
    size = sum(map(sum, sizes)) + end
    content = letters(size)
    composed = claimed(sizes, end, content, range(len(sizes)), content)
    start = data.draw(st.sampled_from(starts_of(composed)))
    # A piece ends where it likes: in a gap, in a chunk, at a border, beyond the end.
    came = bytearray((content + b"beyond")[start : data.draw(st.integers(start, size + 2))])
    borders = sorted({part.offset for part in composed.parts(0, size)} | {start, start + len(came)})
    for wrong in data.draw(st.lists(st.sampled_from([offset + by for offset in borders for by in (-1, 0)]), max_size=2)):
        if start <= wrong < start + len(came):
            came[wrong - start] ^= 0x80
    most = data.draw(st.integers(1, 8))
    assert composed.check(start, bytes(came), most_chunks=most) == compared_slowly(composed, start, bytes(came), most)


@given(SIZES, st.integers(0, 3), st.data())
def test_a_manifest_that_swaps_digests_or_skeleton_passes_no_byte_that_it_does_not_fit(
    sizes: list[tuple[int, int]], end: int, data: st.DataObject
) -> None:
    """What passes is what the manifest says, and no other; that it is the file is for the sha256 of the whole to say."""
    size = sum(map(sum, sizes)) + end
    content = letters(size)
    digests = data.draw(st.permutations(range(len(sizes))))
    skeleton_of = data.draw(st.sampled_from([content, content[::-1]]))
    composed = claimed(sizes, end, content, digests, skeleton_of)
    start = data.draw(st.sampled_from(starts_of(composed)))
    came = content[start : data.draw(st.integers(start, size))]
    most = data.draw(st.integers(1, 8))
    assert composed.check(start, came, most_chunks=most) == compared_slowly(composed, start, came, most)


@given(st.integers(2, 6), st.data())
@example(2, None)
def test_the_right_chunks_in_another_order_are_wrong_from_the_first_that_moved(count: int, data: st.DataObject | None) -> None:
    """The skeleton is right and each digest is one of the file's: only their order is not."""
    chunks = [bytes([number]) * 3 for number in range(count)]
    sizes = [(2, 3)] * count
    content = b"".join(b"gg" + chunk for chunk in chunks)
    composed = claimed(sizes, 0, content, range(count), content)
    order = [1, 0] if data is None else data.draw(st.permutations(range(count)))
    came = b"".join(b"gg" + chunks[number] for number in order)
    moved = next((place for place, number in enumerate(order) if place != number), None)
    expected = Comparison(len(came), is_wrong=False) if moved is None else Comparison(5 * moved + 2, is_wrong=True)
    assert composed.check(0, came) == expected


@given(SIZES.filter(bool), st.data())
def test_bytes_of_the_skeleton_in_a_chunks_place_do_not_pass(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    """A border is moved by a byte: the same bytes, but what is said of them is of others."""
    content = letters(sum(map(sum, sizes)))
    composed = claimed(sizes, 0, content, range(len(sizes)), content)
    number = data.draw(st.integers(0, len(sizes) - 1))
    gap, length = sizes[number]
    if length == 1:
        return
    moved = [*sizes[:number], (gap + 1, length - 1), *sizes[number + 1 :]]
    liar = claimed(moved, 0, content, range(len(sizes)), content)
    # Its digests are those of the true chunks.
    wrong = Composition(
        Manifest(
            skeleton_bytes=liar.manifest.skeleton_bytes,
            frame=liar.manifest.frame,
            gaps=liar.manifest.gaps,
            lengths=liar.manifest.lengths,
            digests=composed.manifest.digests,
        ),
        liar.skeleton,
    )
    begin = sum(map(sum, moved[:number]))
    assert wrong.check(0, content) == Comparison(begin + gap + 1, is_wrong=True)
