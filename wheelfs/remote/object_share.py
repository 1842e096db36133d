"""A share of objects: which files it has, how they are made, and the chunks they are made of.

Everything here is read with suspicion: what is torn, missing or foreign is left out where the rest goes on without it, and is an
`OriginFault` where it was asked for by name.
"""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import blake3

from wheelfs.errors import OriginFault, OriginMissing
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.manifest import MAX_PACK_BYTES, PACK_NAME_BYTES, Manifest
from wheelfs.model.share_objects import (
    ENTRIES,
    INDEXES,
    MARKER,
    MARKER_KEY,
    PACK_HEAD,
    SNAPSHOTS,
    Snapshot,
    decode_entry,
    decode_index,
    decode_snapshot,
    encode_entry,
    encode_index,
    encode_snapshot,
    entry_name,
    index_key,
    is_object_name,
    manifest_key,
    pack_key,
    snapshot_name,
)
from wheelfs.remote.compositions import composition_of

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.core.composition import Composition
    from wheelfs.model.manifest import Placed
    from wheelfs.model.share_objects import Place
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.objects import Objects

log = logging.getLogger(__name__)
T = TypeVar("T")

SNAPSHOT_AT: Final = 1_000
"""Entries in no snapshot yet, from which on whoever pushes writes one: as many as an object store lists in one answer."""

RUN_BYTES: Final = 8 << 20
"""Asked for in one request, and held in memory, at most."""

GAP_BYTES: Final = 64 << 10
"""Read along with what is wanted rather than asked around: a request of its own costs more."""

MAX_INDEX_BYTES: Final = 128 << 20
"""That of a pack of 64 MiB in chunks of 20 bytes each."""
MAX_MANIFEST_BYTES: Final = 512 << 20
_MAX_ENTRY_BYTES: Final = 64 << 10
_MAX_SNAPSHOT_BYTES: Final = 1 << 30


class ObjectShare:
    """A share.  All methods block, may be called from any thread, and raise `OriginError`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url = objects.url

    def check(self) -> None:
        """Raise `OriginMissing` where there is no share yet, `OriginFault` where another version made it."""
        marker = self._objects.read(MARKER_KEY, limit_bytes=4_096)
        if marker is None:
            raise OriginMissing(f"use the share {self.url}", "there is none", "wheelfs push makes one")
        if marker != MARKER:
            raise OriginFault(f"use the share {self.url}", "it is of a format that this version does not know", "update wheelfs")

    def prepare(self) -> None:
        """Make the share where there is none, and `check` it."""
        if self._objects.read(MARKER_KEY, limit_bytes=4_096) is None:
            self._objects.create(MARKER_KEY, MARKER)
        self.check()

    # --- the catalog ---------------------------------------------------------------------------------------------------

    def files(self) -> list[SharedFile]:
        """Return all that the share has, each name and content once."""
        entries, found = self.listed()
        found.update(self._entries(entries - found.keys()))
        return list(found.values())

    def listed(self) -> tuple[set[str], dict[str, SharedFile]]:
        """Return the names of all entries, and by name the files that are in snapshots, some of them in no entry any more."""
        # Entries first: one that is cleared away was in a snapshot before, which is then found afterwards.
        entries = set(filter(is_object_name, self._objects.names(ENTRIES)))
        return entries, {entry_name(file): file for _, snapshot in self._snapshots() for file in snapshot.files}

    def entry(self, name: str) -> SharedFile | None:
        """Return the file of an entry; None, with a word in the log, for one that is not there or not what it should be."""
        file = self._read(f"{ENTRIES}/{name}", _MAX_ENTRY_BYTES, decode_entry)
        return file if file is not None and entry_name(file) == name else None

    def add_entry(self, file: SharedFile) -> None:
        """Let everybody know of a file, whose manifest is there."""
        self._objects.create(f"{ENTRIES}/{entry_name(file)}", encode_entry(file))

    def summarize(self) -> bool:
        """Write a snapshot of all that is known where many entries are in none, and tell whether there were as many."""
        entries = set(filter(is_object_name, self._objects.names(ENTRIES)))
        found: dict[str, SharedFile] = {}
        replaced: list[str] = []
        for name, snapshot in self._snapshots():
            found.update((entry_name(file), file) for file in snapshot.files)
            replaced.append(name)
        fresh = entries - found.keys()
        if len(fresh) < SNAPSHOT_AT:
            return False
        found.update(self._entries(fresh))
        snapshot = Snapshot(tuple(found[name] for name in sorted(found)), tuple(sorted(replaced)))
        self._objects.create(f"{SNAPSHOTS}/{snapshot_name(snapshot)}", encode_snapshot(snapshot))
        return True

    def _snapshots(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield the snapshots that none that can be read replaces.  The largest come first, so that few others are read."""
        replaced: set[str] = set()
        for name in sorted(filter(is_object_name, self._objects.names(SNAPSHOTS)), reverse=True):
            if name not in replaced:
                snapshot = self._read(f"{SNAPSHOTS}/{name}", _MAX_SNAPSHOT_BYTES, decode_snapshot)
                if snapshot is not None:
                    replaced.update(snapshot.replaces)
                    yield name, snapshot

    def _entries(self, names: set[str]) -> Iterator[tuple[str, SharedFile]]:
        return ((name, file) for name in sorted(names) if (file := self.entry(name)) is not None)

    # --- manifests and chunks ------------------------------------------------------------------------------------------

    def manifest(self, sha256: bytes) -> Manifest:
        """Return how a file is made; raises `OriginMissing` and `OriginFault`."""
        key = manifest_key(sha256)
        attempted = f"read {key} in the share {self.url}"
        encoded = self._objects.read(key, limit_bytes=MAX_MANIFEST_BYTES)
        if encoded is None:
            raise OriginMissing(attempted, "it is not there (yet)")
        try:
            manifest = Manifest.decode(encoded)
            if manifest.lengths and not manifest.packs:
                raise ShareFormatError("it does not tell where its chunks lie")
        except ShareFormatError as error:
            raise OriginFault(attempted, str(error), "delete that object and push the file again") from None
        return manifest

    def has_manifest(self, sha256: bytes) -> bool:
        """Tell whether it is known how a file is made; raises `OriginFault` where that is damaged."""
        try:
            self.manifest(sha256)
        except OriginMissing:
            return False
        return True

    def composition(self, manifest: Manifest) -> Composition:
        """Return how a file is made with its skeleton unpacked; raises `OriginFault`."""
        return composition_of(manifest, attempted=f"read a file of the share {self.url}")

    def chunks(self, wanted: Sequence[Placed]) -> Iterator[tuple[Placed, bytes]]:
        """Yield chunks with their bytes, which have their digest, in order of place; raises `OriginMissing` and `OriginFault`."""
        for run in _runs(sorted(wanted, key=lambda chunk: (chunk.pack, chunk.pack_offset))):
            start = run[0].pack_offset
            content = self._read_pack(run[0].pack, start, max(chunk.pack_offset + chunk.length for chunk in run))
            for chunk in run:
                at = chunk.pack_offset - start
                piece = content[at : at + chunk.length]
                if blake3.blake3(piece).digest() != chunk.digest:
                    attempted = f"read {pack_key(chunk.pack)} in the share {self.url}"
                    raise OriginFault(attempted, "a chunk in it does not have its digest", "the share is damaged there")
                yield chunk, piece

    def add_manifest(self, sha256: bytes, manifest: Manifest) -> None:
        """Write down how a file is made; its chunks are there."""
        self._objects.create(manifest_key(sha256), manifest.encode())

    def places(self, wanted: set[bytes]) -> dict[bytes, Place]:
        """Return where those of the wanted chunks lie that are there.  Reads the index of every pack, and keeps none."""
        found: dict[bytes, Place] = {}
        for name in self._objects.names(INDEXES):
            if not is_object_name(name):
                continue
            pack = bytes.fromhex(name)
            index = self._read(index_key(pack), MAX_INDEX_BYTES, partial(decode_index, pack))
            if index is not None:
                found.update((digest, place) for digest, place in index if digest in wanted)
        return found

    def new_pack_name(self) -> bytes:
        """Return a name that nobody else gives to a pack."""
        return secrets.token_bytes(PACK_NAME_BYTES)

    def add_pack(self, pack: bytes, chunks: Sequence[bytes], digests: Sequence[bytes], lengths: array[int]) -> None:
        """Write a pack, then its index: who finds the index finds the pack."""
        content = b"".join((PACK_HEAD, *chunks))
        assert len(content) <= MAX_PACK_BYTES
        # Where there is one of this name already it is this one: an answer was lost, and the request made again.
        self._objects.create(pack_key(pack), content)
        self._objects.create(index_key(pack), encode_index(digests, lengths))

    def _read_pack(self, pack: bytes, start: int, end: int) -> bytes:
        """Return bytes ``[start, end)`` of a pack, all of them; raises `OriginMissing` and `OriginFault`."""
        attempted = f"read {pack_key(pack)} in the share {self.url}"
        content = self._objects.read_range(pack_key(pack), start, end)
        if content is None:
            raise OriginMissing(attempted, "it is not there (yet)")
        if len(content) != end - start:
            raise OriginFault(attempted, f"truncated: {len(content)} bytes came of {end - start}")
        return content

    def _read(self, key: str, limit_bytes: int, decode: Callable[[bytes], T]) -> T | None:
        """Return one of many objects; None, with a word in the log, for one that is not there or not what it should be."""
        try:
            encoded = self._objects.read(key, limit_bytes=limit_bytes)
            return None if encoded is None else decode(encoded)
        except ShareFormatError as error:
            log.warning("left out %s of the share %s: %s", key, self.url, error)
        except OriginFault as error:
            log.warning("left out: %s", error)
        return None


def _runs(chunks: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Group chunks, sorted by place, into those that one request brings."""
    run: list[Placed] = []
    for chunk in chunks:
        if run:
            last = run[-1]
            apart = chunk.pack != last.pack or chunk.pack_offset - (last.pack_offset + last.length) > GAP_BYTES
            if apart or chunk.pack_offset + chunk.length - run[0].pack_offset > RUN_BYTES:
                yield run
                run = []
        run.append(chunk)
    if run:
        yield run
