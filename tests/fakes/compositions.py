"""How files are made, without a store: the composition of any bytes, cut as the store would."""

from __future__ import annotations

from itertools import accumulate

import blake3
import zstandard

from wheelfs.core.fetch.composition import Composition
from wheelfs.core.wheel.cutting import cut_file
from wheelfs.model.manifest import Manifest


def composition_of(content: bytes) -> Composition:
    """Cut ``content`` and compose it again."""
    layout = cut_file(lambda offset, size: content[offset : offset + size], len(content))
    digests, skeleton, at = [], bytearray(), 0
    for gap, length in zip(layout.gaps, layout.lengths, strict=True):
        skeleton += content[at : at + gap]
        digests.append(blake3.blake3(content[at + gap : at + gap + length]).digest())
        at += gap + length
    skeleton += content[at:]
    manifest = Manifest(
        skeleton_bytes=len(skeleton),
        frame=zstandard.ZstdCompressor().compress(bytes(skeleton)) if skeleton else b"",
        gaps=layout.gaps,
        lengths=layout.lengths,
        digests=b"".join(digests),
    )
    return Composition(manifest, bytes(skeleton))


def chunk_bounds(composition: Composition) -> list[tuple[int, int]]:
    """Return where each chunk stands in the file."""
    manifest = composition.manifest
    ends = accumulate(gap + length for gap, length in zip(manifest.gaps, manifest.lengths, strict=True))
    return [(end - length, end) for end, length in zip(ends, manifest.lengths, strict=True)]
