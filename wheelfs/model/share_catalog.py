"""The catalog of a share: a log of numbered records, snapshots of what they come to, and roots that name the snapshots.

``docs/design/share-format.md`` describes their bytes, decision 0035 why it is a log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from wheelfs.model.framing import ShareFormatError, framed, unpacked
from wheelfs.model.names import project_and_version
from wheelfs.model.share_objects import is_object_name

# At run time too: msgspec evaluates the annotations of what it reads.
from wheelfs.model.shared import SharedFile, is_safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MARKER_KEY: Final = "wheelfs-share"
MARKER: Final = b"wheelfs share 1\n"
LOG: Final = "log"
ROOTS: Final = "roots"
SNAPSHOTS: Final = "snapshots"

SPAN: Final = 256
"""Records from one root to the next: a new reader reads no more of them, and as many more as are written meanwhile."""

MAX_RECORD_FILES: Final = 1_000
MAX_SNAPSHOT_FILES: Final = 50_000
"""Some 15 MB: read and unpacked as a whole, by a node that is to stay small."""

_MERGE_FACTOR: Final = 4
_RECORD_MAGIC: Final = b"WFL1"
_ROOT_MAGIC: Final = b"WFR1"
_SNAPSHOT_MAGIC: Final = b"WFS1"
_IDENTITY: Final = re.compile(rb"([0-9a-f]{32})\n\Z")
_NUMBER: Final = re.compile(r"[0-9a-f]{8}\Z", re.ASCII)

FileKey = tuple[str, str, bytes]
"""Project, filename and sha256: what a catalog knows a file by."""


class Batch(NamedTuple):
    """What a record or a snapshot says: files that are there, and keys of files that are there no more, none in both.

    It goes before what all earlier ones said of the same files.
    """

    files: tuple[SharedFile, ...] = ()
    gone: tuple[FileKey, ...] = ()


class SnapshotOf(NamedTuple):
    """A snapshot as a root names it: its name, and how much it says."""

    name: str
    files: int
    gone: int


Root = tuple[SnapshotOf, ...]
"""The snapshots, oldest first, that together say what all records before the root's place do."""


def marker(identity: str) -> bytes:
    """Return the marker of a share with this identity, 32 random hex digits."""
    return MARKER + identity.encode() + b"\n"


def identity_of(content: bytes) -> str | None:
    """Return a share's identity from its marker; None when this is not the marker of a share that this version knows."""
    found = _IDENTITY.fullmatch(content.removeprefix(MARKER)) if content.startswith(MARKER) else None
    return None if found is None else found[1].decode()


def record_key(number: int) -> str:
    """Return the key of the log's record ``number``, from 0 on."""
    return f"{LOG}/{number:08x}"


def root_key(number: int) -> str:
    """Return the key of root ``number``, from 1 on: it stands before the record ``number * SPAN``."""
    return f"{ROOTS}/{number:08x}"


def snapshot_key(name: str) -> str:
    """Return the key of a snapshot."""
    return f"{SNAPSHOTS}/{name}"


def number_of(name: str) -> int | None:
    """Return the number that the last part of a record's or root's key stands for; None for a strange name."""
    return int(name, 16) if _NUMBER.match(name) else None


def file_key(file: SharedFile) -> FileKey:
    """Return what a catalog knows a file by."""
    return file.project, file.filename, file.sha256


def encode_record(batch: Batch) -> bytes:
    """Return a record as bytes."""
    return framed(_RECORD_MAGIC, msgspec.msgpack.encode(batch))


def decode_record(encoded: bytes) -> Batch:
    """Read what `encode_record` wrote; raise `ShareFormatError` for anything else.  Files with impossible names are left out."""
    return _batch(_RECORD_MAGIC, encoded)


def encode_snapshot(batch: Batch) -> bytes:
    """Return a snapshot as bytes."""
    return framed(_SNAPSHOT_MAGIC, msgspec.msgpack.encode(batch))


def decode_snapshot(encoded: bytes) -> Batch:
    """Read what `encode_snapshot` wrote, as `decode_record` does."""
    return _batch(_SNAPSHOT_MAGIC, encoded)


def encode_root(root: Root) -> bytes:
    """Return a root as bytes."""
    return framed(_ROOT_MAGIC, msgspec.msgpack.encode(root))


def decode_root(encoded: bytes) -> Root:
    """Read what `encode_root` wrote; raise `ShareFormatError` for anything else."""
    root = unpacked(_ROOT_MAGIC, encoded, tuple[SnapshotOf, ...], "root")
    if not all(is_object_name(one.name) for one in root):
        raise ShareFormatError("it names what is no snapshot")
    return root


def _batch(magic: bytes, encoded: bytes) -> Batch:
    batch = unpacked(magic, encoded, Batch, "part of a catalog")
    return Batch(tuple(file for file in batch.files if is_possible(file)), batch.gone)


def is_possible(file: SharedFile) -> bool:
    """Tell whether an index could list such a file."""
    return is_safe(file) and project_and_version(file.filename, file.project) is not None


def folded(batches: Iterable[Batch]) -> tuple[dict[FileKey, SharedFile], set[FileKey]]:
    """Return what batches, oldest first, come to: the files that are there, and the keys of those that went."""
    files: dict[FileKey, SharedFile] = {}
    gone: set[FileKey] = set()
    for batch in batches:
        for key in batch.gone:
            files.pop(key, None)
            gone.add(key)
        for file in batch.files:
            files[file_key(file)] = file
            gone.discard(file_key(file))
    return files, gone


def staying(root: Sequence[SnapshotOf], fresh: int, *, snapshot_files: int = MAX_SNAPSHOT_FILES) -> int:
    """Return how many of a root's snapshots stay as they are in the next one; the others are merged with ``fresh`` new entries.

    One is merged with what follows when it is not much larger, so that there are few, and each entry is written again few times.
    """
    if 2 * sum(one.gone for one in root) > sum(one.files for one in root):
        return 0
    count, size = len(root), fresh
    while count and (last := root[count - 1].files + root[count - 1].gone) <= _MERGE_FACTOR * size:
        if last + size > snapshot_files:
            break
        count, size = count - 1, size + last
    return count


def split(files: dict[FileKey, SharedFile], gone: set[FileKey], *, snapshot_files: int = MAX_SNAPSHOT_FILES) -> Iterator[Batch]:
    """Yield snapshots of no more than ``snapshot_files`` files each, the same ones for the same entries."""
    ordered = [files[key] for key in sorted(files)]
    gone_now = tuple(sorted(gone))
    for start in range(0, max(len(ordered), 1), snapshot_files):
        batch = Batch(tuple(ordered[start : start + snapshot_files]), gone_now)
        if batch != Batch():
            yield batch
        gone_now = ()
