"""An environment in a share of objects: what announces it, and the objects that it is made of.

``docs/design/share-format.md`` describes their bytes.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from wheelfs.errors import InvalidInput
from wheelfs.model.environment import parse_label
from wheelfs.model.framing import ShareFormatError, framed, unframed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENTS: Final = "environments"
ENVIRONMENT_OBJECTS: Final = "environment-objects"

MAX_OBJECT_BYTES: Final = 512 << 20
"""Unpacked: bytecode of 30,000 modules; a tree of a million files."""
MAX_ANNOUNCEMENT_BYTES: Final = 64 << 10
MAX_ANNOUNCEMENTS: Final = 10_000
"""One for each time that an environment, its profile or its bytecode was pushed and was new; each is read, some 200 bytes."""

_ANNOUNCEMENT_MAGIC: Final = b"WFN1"
_OBJECT_MAGIC: Final = b"WFE1"
_SHA256_BYTES: Final = 32
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)

Bytecode = tuple[tuple[bytes, bytes], ...]
"""``.pyc`` files by the key that stores give them: the sha256 of the source and the interpreter's magic number."""


class SharedEnvironment(msgspec.Struct, frozen=True, array_like=True):
    """A name for an environment, by the sha256 of its objects; the later one of a name goes before the earlier.

    An empty ``tree``: the name stands for none any more.  Builds that do not know that leave the announcement out.
    New fields go to the end and have a default: readers of older builds skip them.
    """

    name: str
    tree: bytes
    profile: bytes | None
    bytecode: bytes | None
    announced_us: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its objects, none where it takes the name away."""
        return tuple(object_key(one) for one in (self.tree, self.profile, self.bytecode) if one) if self.tree else ()


def announcement_key(number: int) -> str:
    """Return the key of announcement ``number``, from 0 on without a gap."""
    return f"{ENVIRONMENTS}/{number:08x}"


def object_key(sha256: bytes) -> str:
    """Return the key of an object."""
    return f"{ENVIRONMENT_OBJECTS}/{sha256.hex()[:2]}/{sha256.hex()}"


def is_object_key(key: str) -> bool:
    """Tell whether an object can have this key."""
    name = key.rpartition("/")[2]
    return _SHA256.match(name) is not None and key == f"{ENVIRONMENT_OBJECTS}/{name[:2]}/{name}"


def keys_in_force(announced: Iterable[SharedEnvironment]) -> set[str]:
    """Return the keys of the objects that announcements, oldest first, name: of each name the last one counts."""
    latest = {one.name: one for one in announced}
    return {key for one in latest.values() for key in one.keys}


def encode_announcement(environment: SharedEnvironment) -> bytes:
    """Return an announcement as bytes."""
    return framed(_ANNOUNCEMENT_MAGIC, msgspec.msgpack.encode(environment))


def decode_announcement(encoded: bytes) -> SharedEnvironment:
    """Read what `encode_announcement` wrote; raise `ShareFormatError` for anything else."""
    found = unpacked(_ANNOUNCEMENT_MAGIC, encoded, SharedEnvironment, "announcement of an environment")
    digests = [one for one in (found.tree or None, found.profile, found.bytecode) if one is not None]
    try:
        parse_label(found.name)
    except InvalidInput as error:
        raise ShareFormatError(error.happened) from None
    if any(len(digest) != _SHA256_BYTES for digest in digests):
        raise ShareFormatError("it names what is no object")
    return found


def encode_object(content: bytes) -> tuple[bytes, bytes]:
    """Return the sha256 of an object's content, and the object as bytes."""
    frame = zstandard.ZstdCompressor(level=9).compress(content)
    return hashlib.sha256(content).digest(), framed(_OBJECT_MAGIC, frame)


def decode_object(sha256: bytes, encoded: bytes) -> bytes:
    """Return the content of what `encode_object` made; raise `ShareFormatError` for anything else."""
    frame = unframed(_OBJECT_MAGIC, encoded)
    try:
        if not 0 <= zstandard.frame_content_size(frame) <= MAX_OBJECT_BYTES:
            raise ShareFormatError("it does not state its size, or is too large")
        content = zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise ShareFormatError(f"it cannot be unpacked ({error})") from None
    if hashlib.sha256(content).digest() != sha256:
        raise ShareFormatError("it does not have the sha256 that it is called by")
    return content
