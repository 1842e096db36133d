"""How a file is made, as a share tells it: unpacked with suspicion, and used to compare what comes of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from wheelfs.core.fetch.composition import Composition
from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from wheelfs.model.manifest import Manifest

MAX_SKELETON_BYTES: Final = 512 << 20


def composition_of(manifest: Manifest, *, attempted: str) -> Composition:
    """Unpack what of a file is in no chunk; raises `OriginFault`."""
    skeleton = b""
    if manifest.skeleton_bytes:
        try:
            # The frame states its size; it is compared before that much memory is taken.
            told_bytes = zstandard.frame_content_size(manifest.frame)
            if told_bytes != manifest.skeleton_bytes or manifest.skeleton_bytes > MAX_SKELETON_BYTES:
                raise zstandard.ZstdError("another size than its manifest says, or too large")
            skeleton = zstandard.ZstdDecompressor().decompress(manifest.frame, max_output_size=manifest.skeleton_bytes)
        except zstandard.ZstdError as error:
            raise OriginFault(attempted, f"its skeleton cannot be unpacked ({error})") from None
    return Composition(manifest, skeleton)
