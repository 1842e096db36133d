"""One open LMDB environment: how it is opened, read, and how its errors are named.

What LMDB asks of us, and where it is kept: one map size for every process and never a resize (`wheelfs.store.directory` records
it); no environment opened twice in a process (the registry below: closing one handle would drop the other's locks); the 0.9
engine pinned; write transactions on one thread (`wheelfs.store.engine.writer`); read transactions short (`Environment.read`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import lmdb

from wheelfs.errors import InternalError, StoreDamaged, StoreError, StoreFull, StoreLocked, StoreReadOnly
from wheelfs.file_io import sync_directory
from wheelfs.store.engine import page_release
from wheelfs.store.engine.network_fs import refuse_network
from wheelfs.store.engine.process_number import OTHER_CONTAINERS
from wheelfs.store.engine.structure import is_unborn, refuse_cut_off
from wheelfs.store.limits import TUNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Durability = Literal["full", "no-metasync"]
"""``no-metasync``: power loss may undo the last transaction, never integrity.  Weaker settings are not offered."""

_ENGINE: Final = 0
"""LMDB 0.9.x.  Given explicitly because an environment variable changes py-lmdb's default."""
_MAX_READERS: Final = 1024
_OPEN_ATTEMPTS: Final = 20
_OPEN_PAUSE_S: Final = 0.05
_TURN: Final = "write.lock"

_NEARLY_FULL_BYTES: Final = 16 << 20
"""One transaction of ours: with less free, a write that was cut short was cut by that."""

_open_paths: set[tuple[int, int, int]] = set()
_open_paths_lock = threading.Lock()


def store_error(attempted: str, error: lmdb.Error | OSError, *, written: Path | None = None) -> StoreError:
    """Return the error class that tells the user what an LMDB or system error means for the store.

    ``written`` is where writing failed, if it did: a disk that fills up in the middle of a write gives a short write first, which
    LMDB reports as EIO.
    """
    code = error.code if isinstance(error, lmdb.Error) else (error.errno or 0)
    happened = str(error)
    if isinstance(error, OSError) and error.strerror is not None:
        happened = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    if code == errno.EIO and written is not None and _is_nearly_full(written):
        code, happened = errno.ENOSPC, "the disk is full"
    if isinstance(error, lmdb.MapFullError):
        return StoreFull(attempted, "the store's map is full", "remove wheels, or move to a new store")
    if code == errno.ENOSPC and isinstance(error, OSError) and error.filename and _has_no_inodes(Path(error.filename).parent):
        happened = f"{error.filename}: the file system has no free inode, whatever room it has"
        return StoreFull(attempted, happened, "delete files on it, such as caches and environments; nothing stored was lost")
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(attempted, happened, "free some room, then try again; nothing stored was lost")
    if code == errno.EAGAIN:  # of mdb_reader_pid
        return StoreLocked(attempted, f"a process in another container has its number, {os.getpid()}", OTHER_CONTAINERS)
    if code in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StoreReadOnly(attempted, happened, "check the directory's owner and mode")
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.PanicError | lmdb.InvalidError | lmdb.BadTxnError):
        return StoreDamaged(attempted, happened, "run: wheelfs verify")
    if isinstance(error, lmdb.ReadersFullError):
        return StoreLocked(attempted, f"more than {_MAX_READERS} readers", "end some of the processes that use this store")
    return StoreError(attempted, happened)


def _is_nearly_full(path: Path) -> bool:
    try:
        status = os.statvfs(path)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _NEARLY_FULL_BYTES


def _has_no_inodes(path: Path) -> bool:
    """Tell whether no file can be made; some file systems have no number of them, and say 0 of 0."""
    try:
        status = os.statvfs(path)
    except OSError:
        return False
    return status.f_files > 0 and status.f_ffree == 0


class Environment:
    """An open environment with its named databases.  Made by `open_environment`; threads may share it, forks may not."""

    def __init__(self, path: Path, raw: lmdb.Environment, identity: tuple[int, int, int], *, readonly: bool) -> None:
        self.path = path
        self.readonly = readonly
        self.raw = raw
        self._identity = identity
        self._databases: dict[str, lmdb._Database] = {}
        self._turn = -1 if readonly else os.open(path / _TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def database(self, name: str) -> lmdb._Database:
        """Return the handle of a database that was named when the environment was opened; raises `StoreError` without one."""
        found = self._databases.get(name)
        if found is None:
            advice = "it was made by an older wheelfs: let this one write to it once"
            raise StoreError(f"open store {self.path}", f"it has no database {name!r}", advice)
        return found

    def database_if_any(self, name: str) -> lmdb._Database | None:
        """Return the handle of a database that a store of an older build lacks until it is opened for writing."""
        return self._databases.get(name)

    @contextmanager
    def write(self) -> Iterator[lmdb.Transaction]:
        """A write transaction, committed at the end of the block; waits for the writers of all processes.

        They queue at a file lock, not at LMDB's mutex: that knows its owner by a thread's number, which a thread in another PID
        namespace may have, too.  Killed while it waits, that one would seem to have died with the mutex.  Raises `lmdb.Error`.
        """
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            with self.raw.begin(write=True) as transaction:
                yield transaction
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    @contextmanager
    def read(self) -> Iterator[lmdb.Transaction]:
        """A read transaction whose values are memoryviews into the map.

        The views are valid until the block ends and not checked after that: copy what must live longer.  Keep the block below
        a second, since every page freed meanwhile stays allocated.
        """
        try:
            transaction = self.raw.begin(buffers=True)
        except lmdb.Error as error:
            raise store_error(f"read store {self.path}", error) from error
        try:
            yield transaction
        except lmdb.Error as error:
            raise store_error(f"read store {self.path}", error) from error
        finally:
            transaction.abort()

    def last_transaction(self) -> int:
        """Return the number of the last transaction, of any process, that a reader who begins now sees; a microsecond.

        Not what the environment's ``info`` says: that is a commit's number as soon as its meta page is written, and readers see
        the commit only when the disk has that page.
        """
        with self.read() as transaction:
            return int(transaction.id())

    def sync(self) -> None:
        """Flush to disk what is committed; only ``no-metasync`` environments need it, before others rely on their content."""
        try:
            self.raw.sync(True)
        except lmdb.Error as error:
            raise store_error(f"write to store {self.path}", error) from error

    def release_mapping(self) -> None:
        """Give the map's pages back to the kernel's cache, out of this process' resident memory."""
        page_release.release(self.path / "data.mdb")

    def check_readers(self) -> int:
        """Free the reader slots of dead processes, and return how many; to be called about every minute."""
        return int(self.raw.reader_check())

    def size_bytes(self) -> int:
        """Return the size of the data in use, as far as the file is filled (freed pages inside are counted)."""
        return int((self.raw.info()["last_pgno"] + 1) * self.raw.stat()["psize"])

    def used_bytes(self) -> int:
        """Return the size of the pages that hold data, without those that were freed and wait to be used again."""
        pages = 0
        with self.read() as transaction:
            for database in self._databases.values():
                stat = transaction.stat(database)
                pages += stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        return int(pages * self.raw.stat()["psize"])

    def close(self) -> None:
        """Close; every transaction must have ended.  Safe to call twice."""
        with _open_paths_lock:
            self.raw.close()
            _open_paths.discard(self._identity)
            if self._turn >= 0:
                os.close(self._turn)
                self._turn = -1


def is_open(path: Path) -> bool:
    """Return whether this process has the environment in a directory open."""
    try:
        status = path.stat()
    except OSError:
        return False
    with _open_paths_lock:
        return (status.st_dev, status.st_ino, os.getpid()) in _open_paths


def open_environment(
    path: Path,
    *,
    map_size_bytes: int,
    databases: Sequence[str],
    durability: Durability,
    readonly: bool = False,
    writer_lock_s: float = TUNING.writer_lock_s,
) -> Environment:
    """Open (creating what is missing unless ``readonly``) the environment in directory ``path`` with its named databases.

    Raises `StoreOnNetwork`, `StoreReadOnly`, `StoreFull`, `StoreDamaged`, `StoreError`; `InternalError` when it is open in this
    process already.
    """
    attempted = f"open store {path}"
    data = path / "data.mdb"
    refuse_network(path)
    try:
        if not readonly:
            path.mkdir(exist_ok=True, mode=0o700)
            if is_unborn(data):
                _begin(data)
        if not is_unborn(data):
            refuse_cut_off(data)
        status = path.stat()
    except OSError as error:
        raise store_error(attempted, error) from error
    # The process id is in it so that a forked child, which must open its own, is not told that it has one.
    identity = (status.st_dev, status.st_ino, os.getpid())
    with _open_paths_lock:
        if identity in _open_paths:
            raise InternalError(attempted, "it is open in this process already; share the Environment")
        raw = _open_raw(path, map_size_bytes, len(databases), durability, readonly)
        try:
            environment = Environment(path, raw, identity, readonly=readonly)
        except OSError as error:
            raw.close()
            raise store_error(attempted, error, written=path) from error
        _open_paths.add(identity)
    try:
        if not readonly:
            raw.reader_check()
        environment._databases = _open_databases(environment, databases, writer_lock_s=writer_lock_s)
        # The first read takes our process number; the caller holds the store's lock, so no other process takes it first.
        raw.begin().abort()
    except TimeoutError:
        # The environment stays open, and registered: the thread that waits for the lock still uses it.
        raise StoreLocked(
            attempted,
            f"another process has been writing for {writer_lock_s:g} s",
            "is one stopped (ctrl-Z) in the middle of a write?",
        ) from None
    except lmdb.Error as error:
        environment.close()
        raise store_error(attempted, error, written=path) from error
    return environment


def _begin(data: Path) -> None:
    """Make an empty data file whose name, and its directory's, survive a loss of power: LMDB syncs what it writes, and no names.

    The creator holds the store's lock.  What a full disk left of one is emptied: LMDB would always take it for damage.
    """
    os.close(os.open(data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    for directory in (data.parent, data.parent.parent):
        sync_directory(directory)


def _open_raw(path: Path, map_size_bytes: int, databases: int, durability: Durability, readonly: bool) -> lmdb.Environment:
    """Open, trying again for about a second: LMDB can fail while another process opens or closes the same files."""
    attempted = f"open store {path}"
    for attempt in range(_OPEN_ATTEMPTS):
        try:
            return lmdb.open(
                os.fspath(path),
                map_size=map_size_bytes,
                max_dbs=databases,
                max_readers=_MAX_READERS,
                # Beginning a read transaction costs 0.6 µs: keeping spare ones gains nothing.
                max_spare_txns=0,
                metasync=durability == "full",
                readonly=readonly,
                create=not readonly,
                lib_version=_ENGINE,
                mode=0o600,
            )
        except lmdb.MemoryError as error:
            raise StoreError(
                attempted,
                f"{map_size_bytes >> 30} GiB of address space cannot be mapped ({error})",
                "lift the limit of address space (ulimit -v unlimited, RLIMIT_AS, the batch system's virtual memory limit)",
            ) from error
        except (lmdb.LockError, lmdb.InvalidError, FileNotFoundError) as error:
            if attempt == _OPEN_ATTEMPTS - 1 or isinstance(error, FileNotFoundError):
                raise store_error(attempted, error) from error
            time.sleep(_OPEN_PAUSE_S)
        except (lmdb.Error, OSError) as error:
            raise store_error(attempted, error) from error
    raise AssertionError("unreachable")


def _databases_there(raw: lmdb.Environment, names: Sequence[str]) -> Iterator[tuple[str, lmdb._Database]]:
    for name in names:
        with suppress(lmdb.NotFoundError):
            yield name, raw.open_db(name.encode(), create=False)


def _open_databases(environment: Environment, names: Sequence[str], *, writer_lock_s: float) -> dict[str, lmdb._Database]:
    """Open all named databases in one transaction; raise `StoreLocked` when another process keeps writing for too long.

    A write transaction even where all of them exist: py-lmdb's C extension ends a read transaction without publishing the
    handles that were opened in it (EINVAL at their first use).  So this waits for LMDB's writer lock, which knows no time limit:
    a stopped process would hang us here, therefore it is waited for from outside.
    """
    raw = environment.raw
    if environment.readonly:
        return dict(_databases_there(raw, names))
    future: Future[dict[str, lmdb._Database]] = Future()

    def open_all() -> None:
        try:
            with environment.write() as transaction:
                opened = {name: raw.open_db(name.encode(), txn=transaction) for name in names}
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(opened)

    threading.Thread(target=open_all, name="open-databases", daemon=True).start()
    return future.result(writer_lock_s)
