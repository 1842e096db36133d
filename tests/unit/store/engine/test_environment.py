"""Opening a store, refusing what is not one, and one thread that writes."""

from __future__ import annotations

import errno
import fcntl
import json
import resource
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import lmdb
import pytest

from wheelfs.errors import InternalError, StoreDamaged, StoreError, StoreFormat, StoreFull, StoreLocked, StoreReadOnly
from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.environment import open_environment, store_error
from wheelfs.store.engine.network_fs import file_system_type, refusal
from wheelfs.store.engine.reserve import Reserve
from wheelfs.store.engine.writer import QUEUE_BYTES, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelfs.store.engine.environment import Environment

_MAP_BYTES = 64 << 20


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    opened = open_environment(tmp_path / "env", map_size_bytes=_MAP_BYTES, databases=["things"], durability="full")
    yield opened
    opened.close()


@pytest.fixture
def writer(environment: Environment) -> Iterator[Writer]:
    made = Writer(environment)
    yield made
    made.close()


def _lmdb_error(kind: type[lmdb.Error]) -> lmdb.Error:
    """Make an error as py-lmdb's C code does: with attributes, past the constructor."""
    error = kind("put: no luck")
    error.code = -30000  # type: ignore[misc]
    return error


def _put(environment: Environment, key: bytes, value: bytes = b"") -> Callable[[lmdb.Transaction], int]:
    """Make a piece of work that puts one value and returns the number of its transaction."""

    def work(transaction: lmdb.Transaction) -> int:
        transaction.put(key, value, db=environment.database("things"))
        return transaction.id()

    return work


# --- the directory ---------------------------------------------------------------------------------------------------


def test_a_new_store_opens_again_with_the_same_format(tmp_path: Path) -> None:
    first = StoreDirectory.open(tmp_path / "a" / "store", create=True)
    first.open_environment("catalog", ["y"])
    first.open_environment("chunks", ["x"])
    first.close()
    again = StoreDirectory.open(tmp_path / "a" / "store", create=False)
    assert again.format == first.format
    assert again.spool.is_dir()
    assert again.run.is_dir()
    catalog = again.open_environment("catalog", ["y"])
    assert catalog.raw.info()["map_size"] == again.format.catalog_map_bytes
    again.close()


def test_a_store_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such directory"):
        StoreDirectory.open(tmp_path / "store", create=False)
    with pytest.raises(StoreError, match="no store in this directory"):
        StoreDirectory.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_directory_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StoreFormat, match=r"thesis\.tex"):
        StoreDirectory.open(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_creation_cut_short_can_be_finished(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "format.new").write_text("{")
    StoreDirectory.open(tmp_path, create=True).close()
    assert json.loads((tmp_path / "format").read_text())["wheelfs_store"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"wheelfs_store": 2, "novel": true}', "format 2"),
        ("not json", "makes no sense"),
        ("[]", "makes no sense"),
        ("{}", "makes no sense"),
        ('{"wheelfs_store": 1}', "makes no sense"),
        ('{"wheelfs_store": 1, "novel": 1}', r"a newer wheelfs .* \(novel\)"),
        ('{"wheelfs_store": 1, "chunks_map_bytes": 5, "catalog_map_bytes": 4096, "created": ""}', "map sizes"),
        ('{"wheelfs_store": 1, "chunks_map_bytes": 4096, "catalog_map_bytes": -4096, "created": ""}', "map sizes"),
    ],
)
def test_an_unknown_format_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "format").write_text(text)
    with pytest.raises(StoreFormat, match=reason):
        StoreDirectory.open(tmp_path, create=True)


def test_a_held_lock_is_reported_within_the_bound(tmp_path: Path) -> None:
    StoreDirectory.open(tmp_path, create=True).close()
    script = "import fcntl,sys; f=open(sys.argv[1]); fcntl.flock(f, 2); print('held', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLocked, match="another process"):
            StoreDirectory.open(tmp_path, create=False, lock_timeout_s=0.05)
        holder.communicate(b"")
    StoreDirectory.open(tmp_path, create=False, lock_timeout_s=0.05).close()


def test_a_read_only_store_reads_and_refuses_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        StoreDirectory.open(tmp_path, create=True, readonly=True)
    writable = StoreDirectory.open(tmp_path, create=True)
    Writer(writable.open_environment("chunks", ["x"])).close()
    writable.close()
    directory = StoreDirectory.open(tmp_path, create=False, readonly=True)
    environment = directory.open_environment("chunks", ["x"])
    with environment.read() as transaction:
        assert transaction.get(b"k", db=environment.database("x")) is None
    directory.close()


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f_type", "name"),
    [
        *[
            (0x6969, "NFS"),
            (0xFF534D42, "CIFS"),
            (-0xACB2BE, "CIFS"),
            (0xBD00BD0, "Lustre"),
            (0x1021997, "9p"),
            (0x47504653, "GPFS"),
        ],
        *[(0xC36400, "Ceph"), (0x65735546, "FUSE"), (0xEF53, None), (0x01021994, None), (0x9123683E, None), (0x58465342, None)],
    ],
)
def test_network_file_systems_are_known_by_number(f_type: int, name: str | None) -> None:
    assert refusal(f_type) == name


def test_the_file_system_of_a_missing_path_is_its_parents(tmp_path: Path) -> None:
    assert file_system_type(tmp_path / "not" / "yet") == file_system_type(tmp_path)
    assert refusal(file_system_type(tmp_path)) is None


def test_a_second_opening_in_one_process_is_a_bug(environment: Environment) -> None:
    with pytest.raises(InternalError, match="open in this process already"):
        open_environment(environment.path, map_size_bytes=_MAP_BYTES, databases=[], durability="full")


def test_closing_allows_to_open_again(tmp_path: Path) -> None:
    for _ in range(2):
        opened = open_environment(tmp_path / "e", map_size_bytes=_MAP_BYTES, databases=["a"], durability="no-metasync")
        opened.close()
        opened.close()


def test_limited_address_space_is_said_clearly(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 << 30, hard))
    try:
        with pytest.raises(StoreError, match="address space"):
            open_environment(tmp_path / "e", map_size_bytes=16 << 40, databases=[], durability="full")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_lmdb_error(lmdb.MapFullError), StoreFull),
        (OSError(errno.ENOSPC, "no space"), StoreFull),
        (OSError(errno.EDQUOT, "quota"), StoreFull),
        (OSError(errno.EROFS, "read-only"), StoreReadOnly),
        (OSError(errno.EACCES, "denied"), StoreReadOnly),
        (_lmdb_error(lmdb.CorruptedError), StoreDamaged),
        (OSError(errno.EIO, "io"), StoreError),
    ],
)
def test_errors_are_named_for_what_to_do(error: lmdb.Error | OSError, expected: type[StoreError]) -> None:
    assert type(store_error("x", error)) is expected


def test_what_the_system_says_is_said_without_its_number() -> None:
    error = store_error("open store /x", PermissionError(errno.EACCES, "Permission denied", "/x/format"))
    assert str(error).startswith("open store /x: /x/format: Permission denied (")


def test_opening_does_not_wait_for_ever_behind_a_stopped_writer(
    environment: Environment,
) -> None:
    script = """
import sys, lmdb
environment = lmdb.open(sys.argv[1], map_size=64 << 20, max_dbs=1, lib_version=0)
with environment.begin(write=True):
    print("writing", flush=True)
    sys.stdin.read()
"""
    path = environment.path
    environment.close()
    arguments = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"writing\n"
        with pytest.raises(StoreLocked, match="another process has been writing"):
            open_environment(path, map_size_bytes=_MAP_BYTES, databases=["things"], durability="full", writer_lock_s=0.05)
        holder.communicate(b"")


def test_pages_that_a_killed_reader_held_are_used_again(environment: Environment, writer: Writer) -> None:
    script = """
import sys, lmdb
environment = lmdb.open(sys.argv[1], map_size=64 << 20, max_dbs=1, lib_version=0)
with environment.begin():
    print("reading", flush=True)
    sys.stdin.read()
"""
    things, value = environment.database("things"), bytes(1 << 20)
    arguments = [sys.executable, "-c", script, str(environment.path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        for _ in range(10):
            writer.submit(lambda transaction: transaction.put(b"k", value, db=things)).result()
        assert environment.check_readers() == 0, "it lives"
        reader.kill()
    assert environment.check_readers() == 1
    for _ in range(2 * _MAP_BYTES // len(value)):
        writer.submit(lambda transaction: transaction.put(b"k", value, db=things)).result()


def test_a_reader_sees_what_the_last_transaction_has_written(environment: Environment, writer: Writer) -> None:
    """A commit that is being written to the disk has a number already: who takes that for "as of now" misses what it changed."""
    things = environment.database("things")

    def work(transaction: lmdb.Transaction) -> None:
        transaction.put(b"number", b"%d" % transaction.id(), db=things)

    writer.submit(work).result()
    for _ in range(200):
        under_way = writer.submit(work)
        while not under_way.done():
            number = environment.last_transaction()
            with environment.read() as transaction:
                assert int(bytes(transaction.get(b"number", db=things) or b"")) >= number


def test_the_number_of_the_last_transaction_grows_with_commits_only(environment: Environment, writer: Writer) -> None:
    before = environment.last_transaction()
    writer.flush()
    assert environment.last_transaction() == before
    writer.submit(lambda transaction: transaction.put(b"k", b"v", db=environment.database("things"))).result()
    assert environment.last_transaction() == before + 1
    assert environment.check_readers() == 0


# --- the writer ------------------------------------------------------------------------------------------------------


def test_a_result_arrives_after_its_commit(environment: Environment, writer: Writer) -> None:
    things = environment.database("things")
    assert writer.submit(lambda transaction: transaction.put(b"k", b"v", db=things)).result() is True
    with environment.read() as transaction:
        assert transaction.get(b"k", db=things) == b"v"


def test_jobs_that_wait_share_a_transaction_in_their_order(environment: Environment, writer: Writer) -> None:
    things = environment.database("things")
    begun, gate = threading.Event(), threading.Event()

    def hold(transaction: lmdb.Transaction) -> None:
        begun.set()
        gate.wait(10)

    first = writer.submit(hold)
    assert begun.wait(10)
    rest = [writer.submit(_put(environment, b"k", b"%d" % n)) for n in range(20)]
    gate.set()
    first.result(10)
    assert len({future.result(10) for future in rest}) == 1
    with environment.read() as transaction:
        assert transaction.get(b"k", db=things) == b"19"


def test_a_job_that_raises_spoils_no_other(environment: Environment, writer: Writer) -> None:
    things = environment.database("things")
    gate = threading.Event()

    def fail(transaction: lmdb.Transaction) -> None:
        transaction.put(b"bad", b"", db=things)
        raise KeyError("mine")

    writer.submit(lambda transaction: gate.wait(10))
    good = [writer.submit(_put(environment, b"%d" % n)) for n in range(2)]
    bad = writer.submit(fail)
    good += [writer.submit(_put(environment, b"%d" % n)) for n in range(2, 4)]
    gate.set()
    with pytest.raises(KeyError, match="mine"):
        bad.result(10)
    assert all(future.result(10) for future in good)
    with environment.read() as transaction:
        assert transaction.stat(things)["entries"] == 4


def test_a_full_map_fails_the_job_and_the_writer_lives_on(environment: Environment, writer: Writer) -> None:
    things = environment.database("things")
    with pytest.raises(StoreFull):
        writer.submit(lambda transaction: transaction.put(b"k", bytes(_MAP_BYTES + 1), db=things)).result(10)
    assert writer.submit(lambda transaction: transaction.put(b"k", b"v", db=things)).result(10) is True


def test_heavy_work_waits_for_room_and_light_work_does_not(writer: Writer) -> None:
    gate = threading.Event()
    writer.submit(lambda transaction: gate.wait(10), weight_bytes=QUEUE_BYTES // 2)
    writer.submit(lambda transaction: None, weight_bytes=QUEUE_BYTES // 2)
    submitted = threading.Event()

    def heavy() -> None:
        writer.submit(lambda transaction: None, weight_bytes=QUEUE_BYTES // 2)
        submitted.set()

    thread = threading.Thread(target=heavy)
    thread.start()
    light = writer.submit(lambda transaction: "light")
    assert not submitted.is_set()
    gate.set()
    assert light.result(10) == "light"
    assert submitted.wait(10)
    thread.join()


def test_closing_commits_what_is_queued_and_takes_no_more(environment: Environment) -> None:
    writer = Writer(environment)
    future = writer.submit(lambda transaction: transaction.put(b"k", b"v", db=environment.database("things")))
    writer.close()
    assert future.result(0) is True
    with pytest.raises(StoreError, match="being closed"):
        writer.submit(lambda transaction: None)


def test_a_writer_waits_for_those_of_other_processes_at_a_file_lock(environment: Environment, writer: Writer) -> None:
    with (environment.path / "write.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        written = writer.submit(_put(environment, b"key"))
        with pytest.raises(TimeoutError):
            written.result(0.2)
        with environment.raw.begin(write=True):
            pass  # LMDB's own lock is free meanwhile: nothing that dies here can have it
        fcntl.flock(other, fcntl.LOCK_UN)
        assert written.result(60)


def test_only_work_that_frees_room_is_given_the_reserve_on_a_full_disk(environment: Environment, tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    reserve.keep(100_000)
    assert reserve.size_bytes >= 100_000

    def work(_: lmdb.Transaction) -> str:
        if reserve.size_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        return "done"

    writer = Writer(environment, reserve)
    try:
        with pytest.raises(StoreFull):
            writer.submit(work).result()
        assert reserve.size_bytes >= 100_000
        assert writer.submit(work, frees=True).result() == "done"
        assert reserve.size_bytes == 0
    finally:
        writer.close()
