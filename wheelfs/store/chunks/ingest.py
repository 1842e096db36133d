"""Taking a whole file into the chunk store: read once, hashed, cut, stored.

The file is read exactly once and every consumer (sha256, BLAKE3, the store) sees the same buffers: a file that changes
meanwhile gives a consistent result for what was read, never a digest of one state and the chunks of another.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from array import array
from collections import deque
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import blake3
import msgspec
import zstandard

from wheelfs.core.hashes import checkable, contradiction, new
from wheelfs.core.wheel.cutting import BLOCK_BYTES, Layout, cut_file, divided
from wheelfs.errors import ContentMismatch, InvalidInput
from wheelfs.model.recipe import ChunkList, Extent, Extents, Recipe
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from wheelfs.core.wheel.zip_layout import Directory
    from wheelfs.store.chunks.chunk_store import ChunkStore, Piece
    from wheelfs.store.coordination.leases import BlockLease

_RUN_BYTES: Final = 4 << 20
"""Read, hashed and submitted at once.  With two runs waiting to be hashed and the writer's queue this bounds memory."""
_HASH_QUEUE_RUNS: Final = 2
_WHOLE_BYTES: Final = 16 << 20
"""Up to here a file is read at once, and not once for the local headers of its members and once for all: about as much memory as
the runs of a larger one."""
_SKELETON_LEVEL: Final = 3
"""Of a store of pure wheels skeletons are 2.4 %; level 9 makes them 8 % smaller, and takes five times as long: a tenth of all
that is spent on storing such a wheel."""


class Ingested(msgspec.Struct, frozen=True):
    """A file whose chunks are durable in the store; it is visible only once the catalog seals it.

    ``hashes`` are its digests by the other algorithms that were to be compared.  ``lease`` keeps its chunks from being collected
    until it is sealed.
    """

    sha256: bytes
    size_bytes: int
    recipe: Recipe
    hashes: Mapping[str, str] = msgspec.field(default_factory=dict)
    lease: BlockLease | None = None


def ingest(
    store: ChunkStore,
    descriptor: int,
    size_bytes: int,
    *,
    expected_sha256: bytes | None,
    expected_hashes: Mapping[str, str] = MappingProxyType({}),
    directory: Directory | None = None,
    name: str,
) -> Ingested:
    """Store the file open at ``descriptor`` (its position is not used); blocks, so call it in a worker thread.

    ``directory`` is that of the file, where it was read before: it only says where to cut.  ``name`` is for messages.

    Raises `ContentMismatch` when its sha256 is not the expected one, or another hash contradicts ``expected_hashes`` (hexadecimal
    by algorithm); `InvalidInput` when it is shorter than ``size_bytes``, `StoreFull` and other `StoreError`s.  In every such case
    the store holds at most unused chunks.
    """
    attempted = f"store {name}"

    whole = memoryview(_read_exactly(descriptor, 0, size_bytes, attempted)) if size_bytes <= _WHOLE_BYTES else None

    def read(offset: int, size: int) -> memoryview:
        size = max(0, min(size, size_bytes - offset))
        if whole is not None:
            return whole[offset : offset + size]
        return memoryview(_read_exactly(descriptor, offset, size, attempted))

    layout = cut_file(read, size_bytes, directory)
    hasher = _Hashing(checkable(expected_hashes))
    collected = _Collected(store)
    skeleton = bytearray()
    try:
        for start, run in _runs(layout):
            buffer = read(start, sum(map(sum, run)))
            hasher.update(buffer)
            between, chunks = divided(buffer, run)
            skeleton += between
            collected.add([(blake3.blake3(chunk).digest(), chunk) for chunk in chunks])
    finally:
        # Also when reading or writing fails: the thread must not outlive the call.
        sha256, hashes = hasher.finish()
    whole_skeleton = bytes(skeleton)
    packed = _store_skeleton(store, whole_skeleton)
    data = collected.finish()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise ContentMismatch(attempted, f"its sha256 is {sha256.hex()}, expected {expected_sha256.hex()}")
    wrong = contradiction(expected_hashes, hashes, is_vouched=expected_sha256 is not None)
    if wrong is not None:
        raise ContentMismatch(attempted, wrong)
    for noted in store.members.note(layout.members, data, whole_skeleton, packed):
        noted.result()
    store.sync()
    return Ingested(sha256, size_bytes, Recipe(size_bytes, layout.gaps, data, len(skeleton), packed), hashes)


class _Hashing:
    """The hashes of buffers fed in order, in a thread of their own: they are the slowest part of an ingest by far."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._sha256 = hashlib.sha256()
        self._others = {name: new(name) for name in algorithms}
        self._buffers: queue.Queue[memoryview | None] = queue.Queue(_HASH_QUEUE_RUNS)
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)
        self._thread.start()

    def update(self, buffer: memoryview) -> None:
        self._buffers.put(buffer)

    def finish(self) -> tuple[bytes, dict[str, str]]:
        self._buffers.put(None)
        self._thread.join()
        return self._sha256.digest(), {name: digest.hexdigest() for name, digest in self._others.items()}

    def _run(self) -> None:
        while (buffer := self._buffers.get()) is not None:
            for digest in (self._sha256, *self._others.values()):
                digest.update(buffer)


class _Collected:
    """Chunks submitted to the store, and the list made of them."""

    def __init__(self, store: ChunkStore) -> None:
        self._store = store
        self._futures: deque[Future[list[Extent]]] = deque()
        self._lengths = array("I")
        self._digests = bytearray()
        self._extents = Extents()

    def add(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        self._futures.append(self._store.append(pieces))
        self._lengths.extend([len(data) for _, data in pieces])
        self._digests += b"".join([digest for digest, _ in pieces])
        while self._futures and self._futures[0].done():
            self._take()

    def finish(self) -> ChunkList:
        """Wait for all to be committed; raise what the first failure was."""
        while self._futures:
            self._take()
        return ChunkList(self._lengths, bytes(self._digests), self._extents)

    def _take(self) -> None:
        self._extents.extend(self._futures.popleft().result())


def _store_skeleton(store: ChunkStore, skeleton: bytes) -> ChunkList:
    """Store the skeleton as one zstd frame in ordinary chunks, so that collecting and verifying need no special case."""
    collected = _Collected(store)
    frame = zstandard.ZstdCompressor(level=_SKELETON_LEVEL).compress(skeleton) if skeleton else b""
    view = memoryview(frame)
    parts = [view[start : start + BLOCK_BYTES] for start in range(0, len(frame), BLOCK_BYTES)]
    collected.add([(blake3.blake3(part).digest(), part) for part in parts])
    return collected.finish()


def _runs(layout: Layout) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Group the file's pieces into consecutive runs of about `_RUN_BYTES`: ``(start, [(gap, length of a chunk), ...])``."""
    run: list[tuple[int, int]] = []
    run_start = 0
    run_bytes = 0
    rest = layout.size_bytes - sum(layout.gaps) - sum(layout.lengths)
    for gap, length in chain(zip(layout.gaps, layout.lengths, strict=True), ((rest, 0),)):
        # A chunk is never divided; a gap may be.
        while gap > _RUN_BYTES:
            yield run_start, [*run, (_RUN_BYTES, 0)]
            run_start += run_bytes + _RUN_BYTES
            run, run_bytes = [], 0
            gap -= _RUN_BYTES
        run.append((gap, length))
        run_bytes += gap + length
        if run_bytes >= _RUN_BYTES:
            yield run_start, run
            run_start += run_bytes
            run, run_bytes = [], 0
    if run_bytes:
        yield run_start, run


def _read_exactly(descriptor: int, offset: int, size: int, attempted: str) -> bytes:
    parts: list[bytes] = []
    try:
        while size:
            part = os.pread(descriptor, size, offset)
            if not part:
                raise InvalidInput(attempted, "it became shorter while it was read", "is it still being written?")
            parts.append(part)
            offset += len(part)
            size -= len(part)
    except OSError as error:
        raise store_error(attempted, error) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)
