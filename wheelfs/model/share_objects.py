"""The other objects of a share: what they are called, and their bytes.

``docs/design/share-format.md`` describes both.  All are written once, whole, and never changed.
"""

from __future__ import annotations

import hashlib
import re
import struct
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from wheelfs.errors import InvalidInput
from wheelfs.model.framing import ShareFormatError, framed, packed_numbers, read_numbers, unframed
from wheelfs.model.manifest import MAX_CHUNK_BYTES, MAX_PACK_BYTES
from wheelfs.model.names import check_filename, parse_project_name, project_and_version
from wheelfs.model.recipe import DIGEST_BYTES
from wheelfs.model.shared import SharedFile

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence

MARKER_KEY: Final = "wheelfs-share"
MARKER: Final = b"wheelfs share 1\n"
ENTRIES: Final = "entries"
SNAPSHOTS: Final = "snapshots"
INDEXES: Final = "indexes"
PACK_HEAD: Final = b"WFPACK1\n"

_INDEX_MAGIC: Final = b"WFX1"
_ENTRY_MAGIC: Final = b"WFE1"
_SNAPSHOT_MAGIC: Final = b"WFS1"
_COUNT: Final = struct.Struct("<L")
_NAME: Final = re.compile(r"[0-9a-f]{32}\Z", re.ASCII)


class Place(NamedTuple):
    """Where a chunk lies: the pack's name (16 bytes) and the offset in it."""

    pack: bytes
    offset: int


class FoundObject(NamedTuple):
    """An object as a listing tells of it; ``modified_s`` (seconds of the epoch) is when it was written, by the place's clock."""

    key: str
    size_bytes: int
    modified_s: float


class Snapshot(NamedTuple):
    """Many catalog entries as one object; ``replaces`` are the names of snapshots all of whose entries are in it."""

    files: tuple[SharedFile, ...]
    replaces: tuple[str, ...] = ()


def pack_key(pack: bytes) -> str:
    """Return the key of a pack."""
    return f"packs/{pack.hex()[:2]}/{pack.hex()}"


def index_key(pack: bytes) -> str:
    """Return the key of a pack's index."""
    return f"{INDEXES}/{pack.hex()}"


def manifest_key(sha256: bytes) -> str:
    """Return the key of a file's manifest."""
    return f"manifests/{sha256.hex()[:2]}/{sha256.hex()}"


def entry_name(file: SharedFile) -> str:
    """Return the last part of an entry's key: the same for the same bytes under the same name, whoever pushes them."""
    key = b"\0".join((file.project.encode(), file.filename.encode(), file.sha256))
    return hashlib.blake2b(key, digest_size=16).hexdigest()


def snapshot_name(snapshot: Snapshot) -> str:
    """Return the last part of a snapshot's key: how many files it has, so that the largest are known by name, and its digest."""
    return f"{len(snapshot.files):08x}{hashlib.blake2b(encode_snapshot(snapshot), digest_size=12).hexdigest()}"


def is_object_name(text: str) -> bool:
    """Tell whether this can be the last part of the key of an entry, a snapshot or an index."""
    return _NAME.match(text) is not None


def encode_index(digests: Sequence[bytes], lengths: array[int]) -> bytes:
    """Return the index of a pack that holds these chunks one behind the other."""
    return framed(_INDEX_MAGIC, b"".join((_COUNT.pack(len(lengths)), packed_numbers(lengths), *digests)))


def decode_index(pack: bytes, encoded: bytes) -> Iterator[tuple[bytes, Place]]:
    """Yield digest and place of every chunk of ``pack``; raise `ShareFormatError`, at once, for what is no index."""
    body = unframed(_INDEX_MAGIC, encoded)
    count = _COUNT.unpack_from(body)[0] if len(body) >= _COUNT.size else 0
    if len(body) != _COUNT.size + (4 + DIGEST_BYTES) * count:
        raise ShareFormatError("its length does not fit what it says of itself")
    start = _COUNT.size + 4 * count
    lengths = read_numbers(body[_COUNT.size : start])
    if any(not 0 < length <= MAX_CHUNK_BYTES for length in lengths) or len(PACK_HEAD) + sum(lengths) > MAX_PACK_BYTES:
        raise ShareFormatError("its chunks do not fit into a pack")
    offsets = accumulate(lengths[:-1], initial=len(PACK_HEAD))
    digests = (body[at : at + DIGEST_BYTES] for at in range(start, len(body), DIGEST_BYTES))
    return ((digest, Place(pack, offset)) for digest, offset in zip(digests, offsets, strict=False))


def encode_entry(file: SharedFile) -> bytes:
    """Return a catalog entry as bytes."""
    return framed(_ENTRY_MAGIC, msgspec.msgpack.encode(file))


def decode_entry(encoded: bytes) -> SharedFile:
    """Read what `encode_entry` wrote; raise `ShareFormatError` for anything else, names that are no names included."""
    try:
        file = msgspec.msgpack.decode(unframed(_ENTRY_MAGIC, encoded), type=SharedFile)
    except msgspec.MsgspecError as error:
        raise ShareFormatError(f"it is no entry ({error})") from None
    return _checked(file)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    return framed(_SNAPSHOT_MAGIC, msgspec.msgpack.encode(snapshot))


def decode_snapshot(encoded: bytes) -> Snapshot:
    """Read what `encode_snapshot` wrote; raise `ShareFormatError` for anything else."""
    try:
        snapshot = msgspec.msgpack.decode(unframed(_SNAPSHOT_MAGIC, encoded), type=Snapshot)
    except msgspec.MsgspecError as error:
        raise ShareFormatError(f"it is no snapshot ({error})") from None
    return Snapshot(tuple(map(_checked, snapshot.files)), snapshot.replaces)


def _checked(file: SharedFile) -> SharedFile:
    """Raise `ShareFormatError` for what no index could list either; a name becomes a path and a key in many places."""
    try:
        if parse_project_name(file.project) != file.project:
            raise ShareFormatError("its project's name is not in its normal form")
        check_filename(file.filename)
    except InvalidInput as error:
        raise ShareFormatError(str(error)) from None
    named = project_and_version(file.filename)
    if named is None or named[0] != file.project:
        raise ShareFormatError("its filename is of another project")
    if len(file.sha256) != 32 or file.size_bytes < 0:
        raise ShareFormatError("its sha256 or its size is none")
    return file
