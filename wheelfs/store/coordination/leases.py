"""What the processes on a store rely on at this moment, so that collecting takes nothing from under them.

Every process has a file of its own in ``run/``, locked (flock) as long as it lives: however it ends, the kernel releases the
lock, and a file that can be locked belongs to a dead process and is removed.  Nothing here must survive a restart, so nothing is
flushed.  On a full disk it takes room from the store's reserve: what is stored has to be readable there, too.

Three kinds of leases.  *Open*: a sealed file is being read; it is taken before the recipe is looked up, and that order makes it
correct: a process that removes a recipe and then finds no lease knows that no reader can still have it.  *Ingest*: chunks were
or will be stored or found for a file that is not sealed yet; it names the first block that may be the ingest's own.  *Making*:
solid blocks are stored that no recipe names yet; it names the first of them.  Collections wait for ingests, which may have found
chunks in what they delete, and not for these.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
import threading
import weakref
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import StoreError
from wheelfs.store.engine.environment import store_error
from wheelfs.store.engine.reserve import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.store.engine.reserve import Reserve

_SLOT: Final = struct.Struct(">c7x32s")
_FREE: Final = bytes(_SLOT.size)
_OPEN: Final = b"O"
_INGEST: Final = b"I"
_MAKING: Final = b"M"
_TOKEN: Final = struct.Struct(">Q24s")
_ROOM_BYTES: Final = 16 << 10
"""What a process takes of the reserve at a time: 400 leases."""
_ATTEMPTS: Final = 8
"""Each retry means that a collection took the new file for a dead process's, between its creation and its locking."""


class Held(msgspec.Struct, frozen=True):
    """The leases of all living processes.

    ``ingests`` maps each ingest to the first block that may be its own, ``making`` has the first ones of solid blocks.
    """

    open: frozenset[bytes]
    ingests: dict[bytes, int]
    making: frozenset[int]

    def first_blocks(self) -> Iterator[int]:
        """Yield the numbers from which on blocks may be such as no recipe names yet."""
        yield from self.ingests.values()
        yield from self.making


class BlockLease:
    """Lasts until `end`, or until it is no longer referenced (an ingest that was given up)."""

    def __init__(self, leases: Leases, slot: int) -> None:
        self._end = weakref.finalize(self, leases._free, slot)
        self._end.atexit = False

    def end(self) -> None:
        """Give the lease back.  Safe to call twice."""
        self._end()


class Leases:
    """The leases of this process.  Methods may be called from any thread and cost a write of 40 bytes to the page cache."""

    def __init__(self, directory: Path | None, reserve: Reserve) -> None:
        """``directory`` is the store's ``run``; with None (a read-only store) leases are not kept, and protect nothing."""
        self._directory = directory
        self._reserve = reserve
        self._path: Path | None = None
        self._descriptor = -1
        # Reentrant: the garbage collector may free an unreferenced lease in the middle of a method.
        self._lock = threading.RLock()
        self._free_slots: list[int] = []
        self._slots = 0
        self._open: dict[bytes, tuple[int, int]] = {}

    def hold(self, sha256: bytes) -> None:
        """Keep a content readable until `release`, also when it is removed; to be called before its recipe is looked up."""
        with self._lock:
            slot, count = self._open.get(sha256) or (self._write(_OPEN, sha256), 0)
            self._open[sha256] = slot, count + 1

    def release(self, sha256: bytes) -> None:
        """End one `hold`."""
        with self._lock:
            slot, count = self._open.pop(sha256)
            if count > 1:
                self._open[sha256] = slot, count - 1
            else:
                self._clear(slot)

    def ingesting(self, first_block: int) -> BlockLease:
        """Announce an ingest; ``first_block`` is the number of the next block, read before."""
        return self._announced(_INGEST, first_block)

    def making(self, first_block: int) -> BlockLease:
        """Announce solid blocks; ``first_block`` is the number of the next block, read before."""
        return self._announced(_MAKING, first_block)

    def _announced(self, kind: bytes, first_block: int) -> BlockLease:
        with self._lock:
            return BlockLease(self, self._write(kind, _TOKEN.pack(first_block, secrets.token_bytes(24))))

    def close(self) -> None:
        """Give all leases back."""
        with self._lock:
            if self._descriptor >= 0:
                assert self._path is not None
                self._path.unlink(missing_ok=True)
                os.close(self._descriptor)
                self._descriptor = -1
            self._directory = None

    def _free(self, slot: int) -> None:
        with self._lock:
            self._clear(slot)

    def _clear(self, slot: int) -> None:
        if self._descriptor >= 0:
            os.pwrite(self._descriptor, _FREE, slot * _SLOT.size)
            self._free_slots.append(slot)

    def _write(self, kind: bytes, value: bytes) -> int:
        if self._directory is None:
            return 0
        slot, packed = self._free_slots.pop() if self._free_slots else self._slots, _SLOT.pack(kind, value)
        try:
            try:
                self._put(slot, packed)
            except OSError as error:
                if error.errno not in NO_ROOM or not self._reserve.lend(_ROOM_BYTES):
                    raise
                # All of it at once, before another program takes it.
                os.posix_fallocate(self._opened(), slot * _SLOT.size, _ROOM_BYTES)
                self._put(slot, packed)
        except OSError as error:
            if slot < self._slots:
                self._free_slots.append(slot)
            raise store_error(f"write to {self._directory}", error) from error
        self._slots = max(self._slots, slot + 1)
        return slot

    def _put(self, slot: int, packed: bytes) -> None:
        if os.pwrite(self._opened(), packed, slot * _SLOT.size) < len(
            packed
        ):  # it begins in the last page that there was room for
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _opened(self) -> int:
        if self._descriptor < 0:
            assert self._directory is not None, "not closed"
            self._path, self._descriptor = _make(self._directory)
        return self._descriptor


def held(directory: Path) -> Held:
    """Return the leases of all living processes on the store whose ``run`` this is, and remove the files of dead ones."""
    opened: set[bytes] = set()
    ingests: dict[bytes, int] = {}
    making: set[int] = set()
    try:
        for path in directory.glob("*.leases"):
            data = _of_living(path)
            for kind, value in _SLOT.iter_unpack(data[: len(data) // _SLOT.size * _SLOT.size]):
                if kind == _OPEN:
                    opened.add(value)
                elif kind == _INGEST:
                    ingests[value] = _TOKEN.unpack(value)[0]
                elif kind == _MAKING:
                    making.add(_TOKEN.unpack(value)[0])
    except OSError as error:
        raise store_error(f"read the leases in {directory}", error) from error
    return Held(frozenset(opened), ingests, frozenset(making))


def _make(directory: Path) -> tuple[Path, int]:
    directory.mkdir(mode=0o700, exist_ok=True)
    for _ in range(_ATTEMPTS):
        path = directory / f"{os.getpid()}-{secrets.token_hex(4)}.leases"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
        except BlockingIOError:
            pass
        os.close(descriptor)
    raise StoreError(f"write to {directory}", "new files in it are removed again at once", "does another program clean it up?")


def _of_living(path: Path) -> bytes:
    """Return the slots of a living process, or nothing, having removed the file of a dead one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return b""
    except BlockingIOError:
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
