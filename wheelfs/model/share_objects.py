"""The objects of a share that hold files: what they are called.

``docs/design/share-format.md`` describes them.  All are written once, whole, and never changed.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PACKS: Final = "packs"
MANIFESTS: Final = "manifests"
PACK_HEAD: Final = b"WFPACK1\n"

_NAME: Final = re.compile(r"[0-9a-f]{32}\Z", re.ASCII)


class PackPlace(NamedTuple):
    """Where a chunk lies: the pack's name (16 bytes) and the offset in it."""

    pack: bytes
    offset: int


class FoundObject(NamedTuple):
    """An object as listed; ``modified_s`` (seconds of the epoch) is when it was written, by the place's clock."""

    key: str
    size_bytes: int
    modified_s: float


def pack_key(pack: bytes) -> str:
    """Return the key of a pack."""
    return f"{PACKS}/{pack.hex()[:2]}/{pack.hex()}"


def manifest_key(sha256: bytes) -> str:
    """Return the key of a file's manifest."""
    return f"{MANIFESTS}/{sha256.hex()[:2]}/{sha256.hex()}"


def is_object_name(text: str) -> bool:
    """Tell whether this can be the last part of the key of a pack or a snapshot."""
    return _NAME.match(text) is not None
