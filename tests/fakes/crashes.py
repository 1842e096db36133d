"""What is asked of a store after a kill, and where in its work a process is killed: at a place, not at a time."""

from __future__ import annotations

import hashlib
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.model.content import key_of_sha256
from wheelfs.store.store import Store
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fakes.processes import Process

_DEADLINE_S: Final = 60.0
_LOOK_S: Final = 0.0005
"""A transaction takes longer; looking without any pause would take the processor from the fake index."""
_READ_BYTES: Final = 262_144
_TRANSACTION: Final = struct.Struct("<Q")
_TRANSACTION_AT: Final = 16 + 24 + 2 * 48 + 8
"""Page header, head of a meta page, two records of databases, number of the last page."""


def stored(store: Path) -> dict[str, bytes]:
    """Return every file in the store, having asked `verify` and read each through the store's own code and hashed it."""
    with Store.open(store, create=False) as opened:
        damaged = [checked for checked in verify(opened) if checked.reason is not None]
        assert not damaged, damaged
        found = {}
        for name in opened.catalog.names():
            sealed = opened.open_sealed(name.sha256)
            content = b"".join(bytes(sealed.read(at, _READ_BYTES)) for at in range(0, sealed.size, _READ_BYTES))
            assert hashlib.sha256(content).digest() == name.sha256
            found[name.filename] = content
        return found


def journalled_bytes(store: Path, wheels: Mapping[str, bytes]) -> dict[str, int]:
    """Return how many bytes of each wheel need not be fetched again: all of a sealed one, else what the spool's journal says."""
    with Store.open(store, create=False) as opened:
        here = {}
        for name, content in wheels.items():
            sha256 = hashlib.sha256(content).digest()
            here[name] = len(content) if opened.holds(sha256) else (opened.spool.state(key_of_sha256(sha256)) or 0)
        return here


def transactions(store: Path) -> int:
    """Return how many transactions have been committed in both environments, as their files say; touches no lock."""
    committed = 0
    for environment in ("catalog", "chunks"):
        try:
            with (store / environment / "data.mdb").open("rb") as file:
                head = file.read(8192)
        except FileNotFoundError:
            continue
        if len(head) == 8192:
            committed += max(_TRANSACTION.unpack_from(head, page + _TRANSACTION_AT)[0] for page in (0, 4096))
    return committed


def kill_when(process: Process, ready: Callable[[], bool]) -> bool:
    """Kill a process as soon as ``ready()`` is true, and tell whether it had not ended by itself before."""
    deadline_s = time.monotonic() + _DEADLINE_S
    try:
        while process.poll() is None and not ready():
            assert time.monotonic() < deadline_s, f"neither ended nor got there in {_DEADLINE_S} s"
            time.sleep(_LOOK_S)
    finally:
        process.kill()
    return process.wait(30) < 0


def unread_bytes(port: int) -> int:
    """Return how much has come from a port of this machine that its peers have not yet taken out of their sockets (proc(5))."""
    unread = 0
    for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if int(remote.rpartition(":")[2], 16) == port:
            unread += int(queues.rpartition(":")[2], 16)
    return unread
